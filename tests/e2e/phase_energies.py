#!/usr/bin/python3
"""Where the energy of an attempt went: phases, prefill and decode, loading, shares of requests; here
and on a testbed through its agent, in export and report.

    phase_energies.py --build BUILD
Output is TAP. Nothing outside a temporary folder is touched; only what this test started is ended.
"""
import argparse
import csv
import io
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent_rig import STUDY, Failed, Rig, check, tap  # noqa: E402

# a loaded machine may take ten times as long as the stub asks for
PHASED = (STUDY.replace("warmup: 0s, idle: 0s, cooldown: 0s",
                        "warmup: 300ms, idle: 200ms, cooldown: 200ms")
          .replace("request: 2s, trial: 10s", "request: 20s, trial: 60s"))
ITEMS = 10


def near(a, b, relative, words):
    check(abs(a - b) <= relative * abs(b), "%s: %r is not %r" % (words, a, b))


def export(rig, out, name):
    code, words = rig.do("export", out, "--format", name)
    check(code == 0, words)
    return words


def results(rig, out):
    trials = json.loads(export(rig, out, "json"))["trials"]
    check(len(trials) == 2 and all(t["state"] == "done" for t in trials),
          "the trials: %s" % [(t["state"], t["reason"]) for t in trials])
    return {t["factors"]["concurrency"]: t["results"] for t in trials}


def value(results_, name):
    found = results_.get(name, {"value": None, "reason": "there is no such column"})
    check(found["value"] is not None, "%s is missing: %s" % (name, found.get("reason")))
    return found["value"]


def phases_add_up(one):
    """Σ phases = total within 0.1 %, with what lies between them."""
    named = ["load", "warmup.energy", "idle", "measure.energy", "cooldown", "between"]
    parts = sum(value(one, "total.%s.energy_j" % name) for name in named)
    near(parts, value(one, "total.trial.energy_j"), 0.001, "the sum of the phases")
    check(value(one, "phase_sum_off_share") <= 0.001, "the check of the sum says otherwise")
    near(value(one, "energy.load_j"), value(one, "total.load.energy_j"), 1e-9, "load_j")
    near(value(one, "energy.load_break_even_requests"),
         value(one, "energy.load_j") / value(one, "energy.j_per_request"), 1e-9, "break-even")
    check(one["energy.load_break_even_requests"]["u"] > 0, "break-even has no uncertainty")


def stages(one, two):
    for name in ["prefill_j", "decode_j", "prefill_j_per_token", "decode_j_per_token"]:
        found = one["energy." + name]
        value(one, "energy." + name)
        check(found["u_ind"] > 0 and found["u_com"] > 0 and found["origin"] != "missing",
              "%s: %r" % (name, found))
        check("several requests were in flight" in two["energy." + name].get("reason", ""),
              "%s of two at once: %r" % (name, two["energy." + name]))
    both = value(one, "energy.prefill_share") + value(one, "energy.decode_share")
    check(0.5 < both <= 1 and one["energy.prefill_share"]["u"] > 0, "shares: %r" % both)
    sum_j = sum(value(one, "total.%s.energy.energy_j" % s) for s in ("prefill", "decode", "rest"))
    near(sum_j, value(one, "energy.energy_j"), 1e-6, "prefill + decode + rest")
    check(1 <= value(one, "energy.split_requests") <= ITEMS, "split_requests")
    for name in ["prefill_marginal_j_per_token", "decode_marginal_j_per_token", "base_power_w"]:
        found = two["energy." + name]
        check(found["origin"] in ("modelled", "missing"), "%s: %r" % (name, found))
        check(found["value"] is not None or found["reason"], "%s: %r" % (name, found))


def shares(rig, out, by_concurrency):
    rows = list(csv.DictReader(io.StringIO(export(rig, out, "requests"))))
    for concurrency, one in by_concurrency.items():
        measured = [r for r in rows if r["phase"] == "measure" and r["concurrency"] == concurrency]
        check(len(measured) == ITEMS, "%d requests in the table" % len(measured))
        check(all(r["energy_j_origin"] == "modelled" and float(r["energy_j_u"]) > 0
                  for r in measured), "a share without u or origin: %r" % measured[0])
        near(sum(float(r["energy_j"]) for r in measured), value(one, "energy.energy_j"), 1e-6,
             "the sum of the shares at concurrency %s" % concurrency)
        check(all(int(r["sent_ns"]) < int(r["first_token_ns"]) <= int(r["last_token_ns"]) <=
                  int(r["end_ns"]) for r in measured), "times out of order")
    warm = [r for r in rows if r["phase"] == "warmup"]
    check(warm and all(r["energy_j"] == "" and r["energy_j_origin"] == "missing" for r in warm),
          "warm-up requests have shares")


def report(rig, out):
    code, words = rig.do("report", out, "--out", rig.path("report"))
    check(code in (0, 3), words)
    with open(os.path.join(rig.path("report"), "report.md"), encoding="utf-8") as file:
        text = file.read()
    for title in ["J/prompt token", "J/decoded token", "J to load", "requests per loading", "prefill, share"]:
        check("| %s |" % title in text, "no row '%s' in the report" % title)
    with open(os.path.join(rig.path("report"), "report.html"), encoding="utf-8") as file:
        page = file.read()
    check("energy from sending a request to its first token" in page, "no definition of prefill")
    code, words = rig.do("verify", rig.path("report"), out)
    check(code == 0, words)


def study(rig, name, executor):
    out = rig.path(name)
    code, words = rig.do("run", rig.study(name + ".yaml", executor, template=PHASED), "--out", out)
    check(code == 0, words)
    by_concurrency = results(rig, out)
    for one in by_concurrency.values():
        phases_add_up(one)
    stages(by_concurrency["1"], by_concurrency["2"])
    shares(rig, out, by_concurrency)
    return out, sorted(by_concurrency["1"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    rig = Rig(parser.parse_args().build, tokens=16,
              server_args=("--ttft-ms", "150", "--itl-ms", "12"))
    rig.write("items.jsonl", "".join(
        json.dumps({"id": str(i), "text": "item %d goes" % i, "answer": "yes"}) + "\n"
        for i in range(ITEMS)))
    kept = {}

    def here():
        kept["here"] = study(rig, "here", "local")

    def there():
        rig.start_agent()
        kept["there"] = study(rig, "there", rig.executor())
        check(kept["there"][1] == kept["here"][1], "other columns over there: %s" %
              sorted(set(kept["there"][1]) ^ set(kept["here"][1])))

    try:
        return tap([("energies of phases and requests, here", here),
                    ("the same on a testbed", there),
                    ("what of it the report shows", lambda: report(rig, rig.path("here")))])
    finally:
        rig.end_agent()
        rig.close()


if __name__ == "__main__":
    sys.exit(main())
