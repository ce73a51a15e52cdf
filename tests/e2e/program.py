#!/usr/bin/python3
"""Studies of a program that answers items: the example of the manual, programs that break the
protocol, wrong study files, and the same through an agent.

    program.py --build BUILD
Output is TAP. Nothing outside a temporary folder is touched.
"""
import argparse
import csv
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("PERJOULE_SOURCE_ROOT",
                        os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.insert(0, os.path.join(SOURCE, "tests", "support"))

STUDY = """\
study: program
factors: {{n: [{n}]}}
repetitions: 1
engine: {{kind: command, run: [{run}], protocol: jsonl}}
load: {{kind: closed, concurrency: {load}}}
task: {{items: items.jsonl, gold: label{task}}}
phases: {{warmup: 0s, idle: 0s}}
limits: {{request: 20s, trial: 30s, engine_start: 20s, engine_stop: 2s, attempts: 1}}
gates: {{cpu_thief: 1, steal_time: 1, send_lag: 1}}
{more}
"""

ECHO = """\
import json, sys
print('{"ready": true, "version": "9"}', flush=True)
for line in sys.stdin:
    q = json.loads(line)
    assert "label" not in q["item"] and q["task"] == "task", q
    print(json.dumps({"id": q["id"], "output": q.get("prompt", q["item"]["word"])}), flush=True)
"""


class Failed(Exception):
    pass


def check(condition, words):
    if not condition:
        raise Failed(words)


class Bench:
    def __init__(self, build):
        self.perjoule = os.path.join(build, "src", "cli", "perjoule")
        self.dir = tempfile.mkdtemp(prefix="perjoule-program-")
        self.number = 0
        self.write("items.jsonl", "".join(
            json.dumps({"id": i, "word": "yes" if i % 2 else "no",
                        "label": "yes" if i % 2 else "no"}) + "\n" for i in range(6)))
        self.write("echo.py", ECHO)

    def write(self, name, text):
        with open(os.path.join(self.dir, name), "w", encoding="utf-8") as file:
            file.write(text)

    def run(self, *words, want=0):
        env = dict(os.environ, PERJOULE_LIBEXEC=os.path.dirname(self.perjoule))
        done = subprocess.run([self.perjoule, *words], stdin=subprocess.DEVNULL, capture_output=True,
                              cwd=self.dir, env=env, timeout=120, check=False)
        if want is not None and done.returncode != want:
            raise Failed("%s: exit code %d, not %d\n%s%s" % (
                " ".join(words), done.returncode, want, done.stdout.decode(), done.stderr.decode()))
        return done

    def study(self, run="python3, echo.py", n=1, load="$n", task="", more=""):
        self.write("s.yaml", STUDY.format(run=run, n=n, load=load, task=task, more=more))

    def go(self, want=0, **how):
        self.number += 1
        out = os.path.join(self.dir, "out%d" % self.number)
        self.study(**how)
        self.run("run", "s.yaml", "-o", out, want=want)
        return out


def query(out, text):
    db = sqlite3.connect("file:%s/study.sqlite?mode=ro" % out, uri=True)
    try:
        return db.execute(text).fetchall()
    finally:
        db.close()


def table(bench, out):
    """Rows of the export; the task's columns also without its name."""
    text = bench.run("export", out).stdout.decode()
    rows = list(csv.reader(io.StringIO(text)))
    short = [name[len("task."):] for name in rows[0] if name.startswith("task.")]
    at = [i for i, name in enumerate(rows[0]) if name.startswith("task.")]
    return [{**dict(zip(rows[0], row)), **{name: row[i] for name, i in zip(short, at)}}
            for row in rows[1:]]


# ---- what works ----

def example(bench):
    source = os.path.join(SOURCE, "examples", "program")
    folder = os.path.join(bench.dir, "example")
    shutil.copytree(source, folder)
    path = os.path.join(folder, "study.yaml")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file: # the same with less waiting
        file.write(text.replace("500ms, idle: 500ms", "100ms, idle: 50ms")
                   .replace("requests: 3000", "requests: 200"))
    out = os.path.join(bench.dir, "find")
    bench.run("run", os.path.join(folder, "study.yaml"), "-o", out)
    rows = table(bench, out)
    check(len(rows) == 6 and all(row["state"] == "done" for row in rows), "not all done: %r" % rows)
    shares = {row["method"]: float(row["accuracy_share"]) for row in rows}
    check(shares["otsu"] == 1.0 and shares["fixed"] < 1.0, "accuracies: %r" % shares)
    for row in rows:
        check(float(row["count_pixel"]) == 200 * 144, "count_pixel: %r" % row["count_pixel"])
        check(float(row["e2e_s"]) > 0 and float(row["slo_met_share"]) > 0, "latency: %r" % row)
        check(row["ttft_s"] == "", "an answer that comes as a whole has no first token")
        rate = float(row["count_pixel"]) / float(row["dur_s"])
        check(abs(float(row["pixel_per_s"]) / rate - 1) < 1e-9, "pixel_per_s")
        if row["energy_j"]:
            each = float(row["energy_j"]) / float(row["count_pixel"])
            check(abs(float(row["j_per_pixel"]) / each - 1) < 1e-9,
                  "j_per_pixel %s, not %g" % (row["j_per_pixel"], each))
    facts = dict(query(out, "SELECT key, value FROM fact WHERE attempt = 1"))
    check(facts["engine.protocol"] == "jsonl" and facts["engine.version"] == "1", repr(facts))
    check(len(facts["engine.file.find.py.sha256"]) == 64, "no digest of the script: %r" % facts)
    check("engine.program.sha256" in facts, "no digest of the program: %r" % facts)
    names = {row[0] for row in query(out, "SELECT DISTINCT name FROM phase")}
    check(names == {"load", "warmup", "idle", "measure"}, "phases: %r" % names)
    codes = {row[0] for row in query(out, "SELECT DISTINCT code FROM gate")}
    check("token_unknown" not in codes, "a program need not count tokens: %r" % codes)
    bench.run("report", out, want=None)  # 3 where only a model measures
    said = bench.run("verify", os.path.join(out, "report", "report.html"), out).stdout.decode()
    check("numbers of 6 trials made again" in said and "count_pixel" not in said,
          "counts are not made again from requests.jsonl: " + said)


def records_hold_the_counts(bench):
    """Every sum of counts can be made again from the sealed records."""
    bench.write("count.py", ECHO.replace('q["item"]["word"])', 'q["item"]["word"]), "counts": '
                                         '{"letter": len(q["item"]["word"]), "output_tokens": 2}'))
    out = bench.go(run="python3, count.py")
    (row,) = table(bench, out)
    path = query(out, "SELECT attempt FROM artefact WHERE name = 'requests.jsonl'")
    check(len(path) == 1, "no requests.jsonl")
    found = [os.path.join(folder, name) for folder, _, names in os.walk(out) for name in names
             if name == "requests.jsonl"]
    with open(found[0], encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    letters = sum(line["counts"]["letter"] for line in lines if line["phase"] == "measure")
    check(letters == 15 == float(row["count_letter"]), "letters: %r" % letters)
    check(float(row["output_tokens"]) == 12, "its own token counts: %r" % row["output_tokens"])


def prompts(bench):
    out = bench.go(task=", prompt: 'say {word}', scorer: exact, answer_after: say", n=2)
    (row,) = table(bench, out)
    check(float(row["accuracy_share"]) == 1.0, repr(row))
    check(query(out, "SELECT count(*) FROM request WHERE text LIKE 'say %'")[0][0] == 6, "prompts")


def failed_items(bench):
    """One of six answers with an error: a failed request, and the trial is not valid."""
    bench.write("bad.py", ECHO.replace(
        "    print(json.dumps({", "    if q['id'] == 3:\n        print('{\"id\": 3, \"error\": \"dark\"}', "
        "flush=True)\n        continue\n    print(json.dumps({"))
    out = bench.go(run="python3, bad.py", want=3)
    check(query(out, "SELECT state, reason FROM trial") == [("invalid", "request_errors")], "state")
    errors = query(out, "SELECT error FROM request WHERE error <> ''")
    check(errors == [("the program reported an error: dark",)], repr(errors))


# ---- what does not ----

BREAKS = (
    ("engine_start", "cannot begin: no weights", "echo '{\"error\": \"no weights\"}'; cat"),
    ("line_malformed", "not a JSON object: 'oops'", "echo '{\"ready\":true}'; read -r a; echo oops; cat"),
    ("id_unknown", "answered id 9", "echo '{\"ready\":true}'; read -r a; "
                                    "echo '{\"id\":9,\"output\":1}'; cat"),
    ("id_duplicate", "id 1 twice", "echo '{\"ready\":true}'; read -r a; echo '{\"id\":1,\"output\":1}'; "
                                   "read -r a; echo '{\"id\":1,\"output\":1}'; cat"),
    ("line_too_long", "more than 4194304 bytes", "echo '{\"ready\":true}'; cat /dev/zero"),
    ("engine_died", "ended before all items", "echo '{\"ready\":true}'; read -r a; exit 4"),
    ("output_closed", "closed its output", "echo '{\"ready\":true}'; read -r a; exec >&-; exec sleep 100"),
)


def breaks(bench):
    """Each way is a level of one study: a broken trial ends, the plan goes on."""
    for number, (_, _, script) in enumerate(BREAKS):
        bench.write("break%d.sh" % number, script)
    out = bench.go(run="sh, '${n}'", load=1, want=1,
                   n=", ".join("break%d.sh" % number for number in range(len(BREAKS))))
    for number, (reason, says, _) in enumerate(BREAKS):
        where = "FROM trial t WHERE cell = %d" % number
        state = query(out, "SELECT state, reason " + where)
        check(state == [("failed", reason)], "%s: %r" % (reason, state))
        detail = query(out, "SELECT value FROM fact f JOIN attempt a ON f.attempt = a.id WHERE "
                            "f.key = 'failure.detail' AND a.trial = (SELECT id %s)" % where)
        check(detail and says in detail[0][0], "%s: %r" % (reason, detail))


def wrong_files(bench):
    for how, says in (
            ({"task": ", max_tokens: 4"}, "max_tokens has no meaning for engine kind 'command'"),
            ({"task": ", api: chat"}, "api has no meaning"),
    ):
        bench.study(**how)
        done = bench.run("check", "s.yaml", want=2)
        check(says in done.stderr.decode(), "%r: %s" % (how, done.stderr.decode()))
    bench.study()
    with open(os.path.join(bench.dir, "s.yaml"), encoding="utf-8") as file:
        good = file.read()
    for old, new, says in (
            ("protocol: jsonl", "protocol: xml", "s.yaml:4:60: unknown protocol 'xml'"),
            ("protocol: jsonl", "protocol: $n", "unknown protocol '$n'"),
            ("protocol: jsonl", "protocol: [jsonl]", "engine protocol must be a single value"),
            (", protocol: jsonl", "", "one that answers items says protocol: jsonl"),
            ("concurrency: $n", "slo: {ttft: 1s}", "ttft has no meaning for engine kind 'command'"),
            ("run: [python3, echo.py]", "run: []", "'run' is an empty list"),
    ):
        bench.write("s.yaml", good.replace(old, new))
        done = bench.run("check", "s.yaml", want=2)
        check(says in done.stderr.decode(), "%s: %s" % (new, done.stderr.decode()))
        check("s.yaml:" in done.stderr.decode(), "no place: %s" % done.stderr.decode())


def through_an_agent(bench):
    """Word for word: the program that the owner allows answers, another one is refused."""
    import agent_rig
    rig = agent_rig.Rig(os.path.join(os.path.dirname(bench.perjoule), "..", ".."))
    try:
        rig.write("echo.py", ECHO)
        rig.write("items.jsonl", "".join(
            json.dumps({"id": i, "word": "no", "label": "no"}) + "\n" for i in range(4)))
        rig.policy = rig.write("agent.yaml", json.dumps({
            "engines": [{"kind": "command", "run": [["python3", "echo.py"]], "protocol": ["jsonl"]},
                        {"kind": "command", "run": [["python3", "other.py"]]}],
            "tasks": {"items.jsonl": "items.jsonl"}}))
        rig.start_agent()
        executor = "executor: " + json.dumps({
            "kind": "agent", "url": "http://127.0.0.1:%d" % rig.port,
            "token_file": os.path.join(rig.state, "token"), "heartbeat": "100ms"})
        bench.write("items.jsonl", "".join(
            json.dumps({"id": i, "word": "no", "label": "no"}) + "\n" for i in range(4)))
        out = bench.go(task=", choices: ['no', 'yes']", more=executor)
        (row,) = table(bench, out)
        check(row["state"] == "done" and float(row["accuracy_share"]) == 1.0, repr(row))
        for run in ("python3, other.py", "python3, echo.py, x", "sh, -c, 'true'"):
            bench.study(run=run, task=", choices: ['no', 'yes']", more=executor)
            done = bench.run("run", "s.yaml", "-o", os.path.join(bench.dir, "no"), want=2)
            check("does not allow" in done.stderr.decode(), done.stderr.decode())
            check(not os.path.exists(os.path.join(bench.dir, "no")), "a folder was made")
    finally:
        rig.close()


TESTS = (example, records_hold_the_counts, prompts, failed_items, breaks, wrong_files,
         through_an_agent)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    build = os.path.abspath(parser.parse_args().build)
    print("1..%d" % len(TESTS))
    bad = 0
    for number, test in enumerate(TESTS, 1):
        bench = Bench(build)
        try:
            test(bench)
            print("ok %d - %s" % (number, test.__name__))
        except (Failed, subprocess.TimeoutExpired, OSError, KeyError, ValueError) as error:
            bad += 1
            print("not ok %d - %s" % (number, test.__name__))
            for line in repr(error).split("\\n"):
                print("# " + line)
        finally:
            shutil.rmtree(bench.dir, ignore_errors=True)
        sys.stdout.flush()
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
