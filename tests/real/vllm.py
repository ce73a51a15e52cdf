#!/usr/bin/python3
"""A study over a real vLLM on processors: VENV, the virtual environment that tools/test-vllm makes.

The model is tiny and its weights are made up, so this says nothing about energy; it says that perjoule
starts, asks, reads, stops and survives the server that people use. Output is TAP; takes some ten minutes,
nearly all of it vLLM's starts.
"""
import csv
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

BUILD = os.environ["PERJOULE_BUILD_ROOT"]
ROOT = os.environ["PERJOULE_SOURCE_ROOT"]
PERJOULE = os.path.join(BUILD, "src", "cli", "perjoule")
TOKENS, ITEMS, START_S = 32, 12, 900

STUDY = """\
study: vllm
factors:
  concurrency: [1, 4]
repetitions: 2
engine:
  kind: vllm
  server: {server}
  model: {model}
  args: [--load-format, dummy, --enforce-eager, --max-model-len, "1024", --max-num-seqs, "8"{more}]
load: {{kind: closed, concurrency: $concurrency}}
task: {{name: energy, items: items.jsonl, prompt: "{{text}}", max_tokens: {tokens}, ignore_eos: true}}
phases: {{warmup: 1s, idle: 1s}}
limits: {{engine_start: {start}s, engine_stop: 60s}}
gates: {{cpu_thief: 1, steal_time: 1}}
"""


def run(*args, codes=(0,), wait=True):
    env = dict(os.environ, PERJOULE_LIBEXEC=os.path.dirname(PERJOULE), HF_HUB_OFFLINE="1",
               VLLM_NO_USAGE_STATS="1", VLLM_CPU_KVCACHE_SPACE="1")
    process = subprocess.Popen([PERJOULE, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, env=env)
    if not wait:
        return process
    out, words = process.communicate(timeout=4 * START_S)
    assert process.returncode in codes, "perjoule %s ended with %d:\n%s%s" % (
        " ".join(args), process.returncode, out, words)
    return out, words


class Study:
    def __init__(self, folder, venv, more=""):
        self.out = os.path.join(folder, "out")
        self.file = os.path.join(folder, "study.yaml")
        model = os.path.join(folder, "model")
        subprocess.run([os.path.join(venv, "bin", "python"), os.path.join(ROOT, "tools", "tiny-model"),
                        model], check=True, stdout=subprocess.DEVNULL)
        with open(os.path.join(folder, "items.jsonl"), "w", encoding="utf-8") as file:
            for i in range(ITEMS):
                file.write(json.dumps({"id": "i%d" % i, "text": "Measured energy, number %d:" % i}) + "\n")
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(STUDY.format(server=json.dumps(os.path.join(venv, "bin", "vllm")), more=more,
                                    model=json.dumps(model), tokens=TOKENS, start=START_S))

    def rows(self, query):
        store = sqlite3.connect("file:%s?mode=ro" % os.path.join(self.out, "study.sqlite"), uri=True)
        try:
            return store.execute(query).fetchall()
        finally:
            store.close()

    def export(self):
        return list(csv.DictReader(io.StringIO(run("export", self.out, "--format", "csv")[0])))


def every_trial_is_done(study):
    rows = study.export()
    assert len(rows) == 4, rows
    print("# attempts: %s" % study.rows("SELECT state, reason FROM attempt ORDER BY id"))
    for row in rows:
        assert row["state"] == "done", row
        assert float(row["energy.energy_j"]) > 0, row
        assert int(float(row["energy.output_tokens"])) == ITEMS * TOKENS, row
        assert 0 < float(row["energy.ttft_s"]) < float(row["energy.e2e_s"]), row
        assert float(row["energy.tpot_s"]) > 0, row


def every_request_has_its_tokens(study):
    rows = study.rows("SELECT output_tokens, prompt_tokens, finish, error FROM request "
                      "WHERE phase = 'measure'")
    assert len(rows) == 4 * ITEMS, len(rows)
    for output, prompt, finish, error in rows:
        assert (output, finish, error) == (TOKENS, "length", ""), (output, finish, error)
        assert prompt > 5, prompt


def the_server_is_named(study):
    facts = {}
    for key, value in study.rows("SELECT key, value FROM fact"):
        facts.setdefault(key, set()).add(value)
    for key in ("engine.version", "engine.command", "model.config_sha256", "model.tokenizer_sha256"):
        assert facts.get(key), "no fact %s among %s" % (key, sorted(facts))
    assert facts["engine.kind"] == {"vllm"}, facts["engine.kind"]
    assert any(v.startswith("0.") for v in facts["engine.version"]), facts["engine.version"]
    assert all("--no-enable-prefix-caching" in v for v in facts["engine.command"])
    print("# vLLM %s" % ", ".join(facts["engine.version"]))


def its_metrics_are_kept(study):
    pages = []
    for folder, _, names in os.walk(os.path.join(study.out, "artefacts")):
        for name in names:
            if "metrics" in name:
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    pages.append(file.read())
    assert pages and all("vllm:" in page for page in pages), "%d pages" % len(pages)


def a_killed_server_fails_the_attempt_and_the_plan_goes_on(study):
    process = run("run", study.file, "--out", study.out, wait=False)
    began = time.monotonic()
    engine = None
    while engine is None and time.monotonic() - began < START_S:
        assert process.poll() is None, process.communicate()
        time.sleep(0.5)
        for line in subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True,
                                  check=True).stdout.splitlines()[1:]:
            fields = line.split(None, 2)
            if len(fields) == 3 and " serve %s" % os.path.join(os.path.dirname(study.file), "model") \
                    in fields[2] and "python" in fields[2].split()[0]:
                engine = int(fields[0])
    assert engine is not None, "no server was seen"
    time.sleep(5)
    os.kill(engine, signal.SIGKILL)
    out, words = process.communicate(timeout=8 * START_S)
    states = study.rows("SELECT state, reason FROM attempt ORDER BY id")
    assert any(state == "failed" for state, _ in states), (states, out, words)
    print("# %s" % states)
    assert all(row["state"] == "done" for row in study.export()), words


def a_wrong_argument_is_said(study):
    out, words = run("run", study.file, "--out", study.out, codes=(1, 3, 4))
    assert "no-such-argument" in words or "engine" in words, (out, words)
    reasons = {reason for (reason,) in study.rows("SELECT reason FROM attempt")}
    print("# %s" % reasons)


def nothing_is_left(folder):
    left = [line for line in subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True,
                                            check=True).stdout.splitlines() if folder in line
            and "vllm.py" not in line]
    assert not left, left


def main():
    venv = sys.argv[1]
    with tempfile.TemporaryDirectory() as top:
        print("# in %s" % top, flush=True)
        folders = [os.path.join(top, name) for name in ("plain", "killed", "wrong")]
        for folder in folders:
            os.mkdir(folder)
        plain, killed = Study(folders[0], venv), Study(folders[1], venv)
        wrong = Study(folders[2], venv, more=", --no-such-argument")
        cases = [("the study runs", lambda: run("run", plain.file, "--out", plain.out)),
                 ("every trial is done", lambda: every_trial_is_done(plain)),
                 ("every request has its tokens", lambda: every_request_has_its_tokens(plain)),
                 ("the server is named", lambda: the_server_is_named(plain)),
                 ("its metrics are kept", lambda: its_metrics_are_kept(plain)),
                 ("the report is whole", lambda: run("report", plain.out, codes=(0, 3))),
                 ("a killed server", lambda: a_killed_server_fails_the_attempt_and_the_plan_goes_on(killed)),
                 ("a wrong argument", lambda: a_wrong_argument_is_said(wrong)),
                 ("nothing is left", lambda: nothing_is_left(top))]
        failed = 0
        print("1..%d" % len(cases), flush=True)
        for number, (name, case) in enumerate(cases, 1):
            try:
                case()
                print("ok %d - %s" % (number, name), flush=True)
            except (AssertionError, OSError, subprocess.SubprocessError, sqlite3.Error) as problem:
                failed += 1
                print("# " + str(problem).replace("\n", "\n# "))
                print("not ok %d - %s" % (number, name), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
