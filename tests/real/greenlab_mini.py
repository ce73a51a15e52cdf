#!/usr/bin/python3
"""examples/greenlab-mini in short: one repetition, one item of each task, and one kill -9 in between.

Two processes, the real server, four models. Who is killed (orchestrator or agent) and when is drawn from
PERJOULE_TEST_SEED, or from the clock; the seed is printed. Afterwards the table is held against the plan:
every trial done once, nothing twice, every file with its digest, nothing left in the agent's spool.
Output is TAP; needs tools/fetch-model (skips with a reason without it).
"""
import csv
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.environ["PERJOULE_SOURCE_ROOT"]
BUILD = os.environ["PERJOULE_BUILD_ROOT"]
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from agent_rig import Failed, Rig, check  # noqa: E402

EXAMPLE = os.path.join(ROOT, "examples", "greenlab-mini")
MODEL = os.path.join(ROOT, ".cache", "models", "gemma-3-270m-q4_k_m.gguf")
PYTHON = os.path.join(ROOT, ".venv", "bin", "python")
TASKS = ["boolq", "cb", "copa", "rte", "wic", "wsc"]


class Mini:
    def __init__(self):
        self.rig = Rig(BUILD)
        self.rig.dir = tempfile.mkdtemp(prefix="perjoule-mini-")
        self.seed = int(os.environ.get("PERJOULE_TEST_SEED") or time.time_ns() % 1000000)
        self.draw = random.Random(self.seed)
        self.out = self.rig.path("study")

    # ---- steps ----

    def prepare(self):
        """What `run` makes ready, with a study that is shorter still."""
        rig = self.rig
        subprocess.run([os.path.join(EXAMPLE, "run"), "--prepare", "--repetitions", "1", "--limit",
                        "1", "--out", rig.dir], check=True, timeout=300, capture_output=True,
                       env=dict(os.environ, PERJOULE=rig.perjoule))
        rig.policy, rig.state = rig.path("agent.yaml"), rig.path("state")
        rig.start_agent()
        with open(rig.path("study.yaml"), encoding="utf-8") as file:
            text = file.read()
        for key, new in (("executor", rig.executor(heartbeat="200ms", reply="5s", lost_after="60s")),
                         ("phases", "{warmup: 200ms, idle: 200ms, cooldown: 200ms}"),
                         ("gates", "{cpu_thief: 1, steal_time: 1, send_lag: 1}")):
            text, n = re.subn(r"(?m)^%s:.*$" % key, "%s: %s" % (key, new), text)
            check(n == 1, "the example states its " + key)
        rig.write("study.yaml", text)

    def plan(self):
        code, words = self.rig.do("check", "study.yaml")
        check(code == 0, words)
        check("\nalias: generation ~ size (" in words, words)
        check("residual df" in words and "power: not available" in words, words)
        self.planned = json.loads(self.rig.do("check", "study.yaml", "--json")[1])
        check(len(self.planned["order"]) == 4, "%d trials" % len(self.planned["order"]))

    def wait_for_trial(self, process, number):
        """Until so many trials are done and another runs."""
        end = time.monotonic() + 300
        while True:
            states = []
            if os.path.exists(os.path.join(self.out, "study.sqlite")):
                try:
                    states = [s for s, in self.rig.rows(self.out, "SELECT state FROM trial")]
                except Exception:  # it is being made
                    states = []
            if states.count("done") >= number and "running" in states:
                return
            if process.poll() is not None or time.monotonic() > end:
                process.kill()
                raise Failed("no trial runs: %s\n%s%s" % (states, self.rig.finish(process)[1],
                                                          self.rig.agent_words()))
            time.sleep(0.05)

    def cut_off(self):
        rig, draw = self.rig, self.draw
        who, after, pause_s = draw.choice(["orchestrator", "agent"]), draw.randrange(3), draw.random() * 4
        print("# seed %d: kill -9 of the %s, %.2f s after trial %d" % (self.seed, who, pause_s, after),
              flush=True)
        process = rig.start("run", "study.yaml", "--out", "study")
        self.wait_for_trial(process, after)
        time.sleep(pause_s)
        if who == "agent":
            rig.end_agent(signal.SIGKILL)
            rig.start_agent()
            code, words = rig.finish(process, 300)
        else:
            process.kill()
            rig.finish(process)
            code, words = rig.do("resume", "study", deadline_s=300)
        check(code == 0, "%d: %s" % (code, words))

    def table(self):
        """What the plan asked for, and nothing else."""
        rig, out = self.rig, self.out
        want = [(t["trial"], t["cell"], t["block"], t["repetition"], "done")
                for t in self.planned["order"]]
        rows = rig.rows(out, "SELECT id, cell, block, repetition, state FROM trial ORDER BY id")
        check(rows == want, "%s\n%s" % (rows, want))
        meta = dict(rig.rows(out, "SELECT key, value FROM meta"))
        check(meta["plan_sha256"] == self.planned["plan_sha256"], "another plan was run")
        done = rig.rows(out, "SELECT id, trial FROM attempt WHERE state = 'done' ORDER BY trial")
        check([t for _, t in done] == [1, 2, 3, 4], "done more than once, or never: %s" % done)
        for attempt, _ in done:
            names = rig.rows(out, "SELECT name, task FROM phase WHERE attempt = ? AND name = 'measure' "
                                  "ORDER BY id", attempt)
            check([t for _, t in names] == TASKS, "windows: %s" % names)
            asked = rig.rows(out, "SELECT task, item, output_tokens, finish, error FROM request WHERE "
                                  "attempt = ? AND phase = 'measure' ORDER BY id", attempt)
            check([r[0] for r in asked] == TASKS, "requests: %s" % asked)
            check({r[2:] for r in asked} == {(8, "length", "")}, "requests: %s" % asked)
            joules = rig.rows(out, "SELECT task, value_j FROM energy WHERE attempt = ? AND name = 'total' "
                                   "AND phase = 'measure' ORDER BY id", attempt)
            check([t for t, j in joules if j and j > 0] == TASKS, "energies: %s" % joules)
            facts = dict(rig.rows(out, "SELECT key, value FROM fact WHERE attempt = ?", attempt))
            check(len(facts["agent.result_sha256"]) == 64, "no digest of the result")
        models = {v for v, in rig.rows(out, "SELECT value FROM fact WHERE key = 'model.sha256'")}
        check(len(models) == 4, "models: %s" % models)
        rig.consistent(out)
        rig.spool_is_empty()
        rig.no_orphans()

    def interchange(self):
        """Status, report, its verification, the run table."""
        rig = self.rig
        code, words = rig.do("status", "study", "--json")
        check(code == 0 and json.loads(words), words)
        code, words = rig.do("report", "study")
        # one block carries no interval: 3, the report says so
        check(code == 3 and "J/token" in words and "one block" in words, "%d: %s" % (code, words))
        code, words = rig.do("verify", "study/report", "study")
        check(code == 0 and "all as recomputed" in words, "%d: %s" % (code, words))
        code, words = rig.do("export", "study", "--format", "run-table")
        rows = list(csv.DictReader(io.StringIO(words)))
        check(code == 0 and [r["__done"] for r in rows] == ["DONE"] * 4, words)
        # numbered as Experiment Runner numbers them: combinations without the excluded ones
        check(sorted((r["__run_id"], r["generation"], r["size"]) for r in rows) == [
            ("run_%d_repetition_0" % i, *levels) for i, levels in enumerate(
                [("1", "11M"), ("2", "27M"), ("3", "218M"), ("3", "270M")])], words)

    def close(self):
        self.rig.close()


def main():
    names = [("what the example makes ready", "prepare"), ("its plan, with the alias", "plan"),
             ("one kill -9 in between", "cut_off"), ("the table is what the plan asked for", "table"),
             ("status, report, verify, run table", "interchange")]
    print("1..%d" % len(names))
    if not (os.path.exists(MODEL) and os.path.exists(PYTHON)):
        for i in range(len(names)):
            print("ok %d # SKIP no model or server: run tools/fetch-model" % (i + 1))
        return 0
    mini, bad = Mini(), 0
    try:
        for number, (name, step) in enumerate(names, 1):
            try:
                if bad:
                    raise Failed("the step before failed")
                getattr(mini, step)()
                print("ok %d - %s" % (number, name), flush=True)
            except (Failed, subprocess.SubprocessError, KeyError) as error:
                bad += 1
                print("not ok %d - %s" % (number, name))
                for line in repr(error).replace("\\n", "\n")[:4000].splitlines():
                    print("# " + line, flush=True)
    finally:
        mini.close()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
