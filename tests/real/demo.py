#!/usr/bin/python3
"""The demo's study, shortened to two repetitions, against the real server and the real model.

Checks what a user relies on: every trial done and valid, energies with an origin and an uncertainty,
fixed output lengths, a report whose page is self-contained, figures that replay from the traces.
Output is TAP; needs tools/fetch-model (skips with a reason without it).
"""
import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import records

ROOT = os.environ["PERJOULE_SOURCE_ROOT"]
BUILD = os.environ["PERJOULE_BUILD_ROOT"]
PERJOULE = os.path.join(BUILD, "src", "cli", "perjoule")
MODEL = os.path.join(ROOT, ".cache", "models", "gemma-3-270m-q4_k_m.gguf")
PYTHON = os.path.join(ROOT, ".venv", "bin", "python")


def perjoule(*args, codes=(0,)):
    done = subprocess.run([PERJOULE, *args], capture_output=True, text=True, timeout=600, check=False,
                          env=dict(os.environ, PERJOULE_LIBEXEC=os.path.dirname(PERJOULE)))
    assert done.returncode in codes, "perjoule %s ended with %d:\n%s%s" % (
        " ".join(args), done.returncode, done.stdout, done.stderr)
    return done.stdout


def short_study(folder):
    example = os.path.join(ROOT, "examples", "batching")
    with open(os.path.join(example, "study.yaml"), encoding="utf-8") as file:
        text = file.read()
    text = re.sub(r"^repetitions:.*$", "repetitions: 2", text, flags=re.M)
    text = re.sub(r"^( *)server:.*$", r"\1server: [%s]" % json.dumps(
        os.path.join(ROOT, "tools", "llama-server")), text, flags=re.M)
    text = re.sub(r"^( *)model:.*$", r"\1model: %s" % json.dumps(MODEL), text, flags=re.M)
    # two threads that share a busy processor wait for each other most of the time
    text = re.sub(r"^( *)threads:.*$", r"\1threads: 1", text, flags=re.M)
    # this test is about the way through; other tests may share the machine
    text, n = re.subn(r"^gates:.*$", "gates: {cpu_thief: 1, steal_time: 1, send_lag: 1}", text, flags=re.M)
    assert n == 1, "the example states its gates"
    for name in os.listdir(example):
        if name.endswith(".jsonl"):
            shutil.copy(os.path.join(example, name), folder)
    path = os.path.join(folder, "study.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def run(folder):
    out = os.path.join(folder, "out")
    perjoule("check", short_study(folder))
    perjoule("run", os.path.join(folder, "study.yaml"), "--out", out)
    status = json.loads(perjoule("status", out, "--json"))
    assert status, "status is empty"
    rows = list(csv.DictReader(io.StringIO(perjoule("export", out, "--format", "csv"))))
    assert len(rows) == 4, "%d rows" % len(rows)
    for row in rows:
        assert row["state"] == "done", row
        energy = float(row["energy.energy_j"])
        assert energy > 0, row
        assert row["energy.energy_j_origin"] in ("counter", "integrated", "modelled"), row
        assert float(row["energy.output_tokens"]) > 0, row
        assert float(row["energy.j_per_token"]) > 0, row
        assert float(row["energy.ttft_s"]) > 0, row
    tokens = {row["energy.output_tokens"] for row in rows}
    assert len(tokens) == 1, "the treatments did different work: %s" % tokens
    return out


def report(out):
    words = perjoule("report", out, codes=(0, 3))
    assert "J/token" in words and "concurrency=4" in words, words
    with open(os.path.join(out, "report", "report.html"), encoding="utf-8") as file:
        page = file.read()
    assert "http://" not in page and "https://" not in page, "the page names an outside address"
    for name in ("distribution", "effects", "trace"):
        assert os.path.exists(os.path.join(out, "report", name + ".svg")), "no picture " + name
    assert page.count("data:image/svg+xml") >= 3, "the page lacks its pictures"
    words_of_verify = perjoule("verify", os.path.join(out, "report"), out)
    assert "all as recomputed" in words_of_verify, words_of_verify
    again = perjoule("report", out, codes=(0, 3))
    assert again == words, "the same records gave another report"
    copy = out + "-copy"
    shutil.copytree(out, copy)
    subprocess.run(["chmod", "-R", "a-w", copy], check=True)
    readonly = perjoule("report", "--no-files", copy, codes=(0, 3))
    assert readonly.splitlines()[:4] == words.splitlines()[:4], readonly
    subprocess.run(["chmod", "-R", "u+w", copy], check=True)


def replay(out):
    """The trial's total energy is what its trace gives again."""
    rows = list(csv.DictReader(io.StringIO(perjoule("export", out, "--format", "csv"))))
    trace = os.path.join(out, "artefacts", rows[0]["attempt"], "trace.jsonl")
    if not os.path.exists(trace):
        folders = sorted(os.listdir(os.path.join(out, "artefacts")), key=int)
        trace = os.path.join(out, "artefacts", folders[0], "trace.jsonl")
    first = perjoule("replay", trace, "--json")
    assert first == perjoule("replay", trace, "--json"), "replay gave another total"
    assert json.loads(first)["total"]["energy_j"]["value"] > 0


def check_records(out):
    records.check(os.path.join(out, "study.sqlite"))


def main():
    print("1..4")
    if not (os.path.exists(MODEL) and os.path.exists(PYTHON)):
        for i in range(4):
            print("ok %d # SKIP no model or server: run tools/fetch-model" % (i + 1))
        return 0
    folder = tempfile.mkdtemp(prefix="perjoule-real-")
    bad = 0
    out = None
    for number, (name, step) in enumerate([("the shortened demo study", None), ("its report", report),
                                           ("its traces", replay),
                                           ("its records", check_records)], 1):
        try:
            if step is None:
                out = run(folder)
            else:
                assert out is not None, "there is no finished study"
                step(out)
            print("ok %d - %s" % (number, name), flush=True)
        except (AssertionError, KeyError, ValueError, subprocess.TimeoutExpired) as error:
            bad += 1
            print("not ok %d - %s" % (number, name))
            for line in repr(error).replace("\\n", "\n").splitlines():
                print("# " + line, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
