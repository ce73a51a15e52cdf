#!/usr/bin/python3
"""check, status and export as a user meets them: whole programs, real studies of kind command.

    study_commands.py --build BUILD
Output is TAP. Nothing outside a temporary folder is touched; only children of this test are ended.
"""
import argparse
import contextlib
import csv
import io
import itertools
import json
import math
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

GOOD = """\
study: exits
question: Which exit codes fail?
factors:
  code: [0, 3]
  name: ["2.0", '2', "a, \\"b\\""]
exclude: [{code: 3, name: ["2.0", '2']}]
repetitions: 2
order: {seed: 11}
engine: {kind: command, run: [sh, -c, "exit ${code}", $name]}
limits: {attempts: 1, trial: 20s}
"""

SLOW = """\
study: slow
factors: {wait: ['0', 60]}
repetitions: 1
order: {seed: 2}
engine: {kind: command, run: [sleep, $wait]}
limits: {trial: 2m}
gates: {cpu_thief: 1, steal_time: 1}
"""


class Failed(Exception):
    pass


def check(condition, words):
    if not condition:
        raise Failed(words)


class Bench:
    def __init__(self, build):
        self.perjoule = os.path.join(build, "src", "cli", "perjoule")
        self.dir = tempfile.mkdtemp(prefix="perjoule-e2e-")

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def env(self, **more):
        env = dict(os.environ, PERJOULE_LIBEXEC=os.path.dirname(self.perjoule))
        env.update(more)
        return env

    def run(self, *words, want=0, cwd=None, **env):
        done = subprocess.run([self.perjoule, *words], stdin=subprocess.DEVNULL, capture_output=True,
                              cwd=cwd or self.dir, env=self.env(**env), timeout=120, check=False)
        if want is not None and done.returncode != want:
            raise Failed("%s: exit code %d, not %d\n%s%s" %
                         (" ".join(words), done.returncode, want, done.stdout.decode(),
                          done.stderr.decode()))
        return done

    def run_as_stranger(self, *words):
        """As a user who may not write here, where this test may become one."""
        if os.geteuid() != 0:
            return self.run(*words)
        try:
            done = subprocess.run([self.perjoule, *words], stdin=subprocess.DEVNULL,
                                  capture_output=True, cwd="/", env=self.env(), timeout=120,
                                  user=65534, group=65534, extra_groups=[], check=False)
        except PermissionError:  # the build folder is closed to others
            return self.run(*words)
        check(done.returncode == 0, "%r: %d %r" % (words, done.returncode, done.stderr))
        return done

    def start(self, *words):
        return subprocess.Popen([self.perjoule, *words], stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.dir,
                                env=self.env())


def tree(path):
    found = {}
    for folder, _, names in os.walk(path):
        for name in names:
            full = os.path.join(folder, name)
            with open(full, "rb") as file:
                found[full] = file.read()
    return found


def rows(directory):
    """Every row of every table, as text."""
    db = sqlite3.connect("file:%s/study.sqlite?mode=ro" % directory, uri=True)
    try:
        tables = [r[0] for r in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {t: set(map(repr, db.execute("SELECT * FROM %s" % t))) for t in tables}
    finally:
        db.close()


# ---- check ----

def test_check_prints_the_plan(bench):
    bench.write("good.yaml", GOOD)
    before = tree(bench.dir)
    text = bench.run("check", "good.yaml").stdout.decode()
    for words in ("exits", "Which exit codes fail?", "code: 0, 3", "8 = 4 cells x 2 repetitions",
                  "in 2 blocks", "seed 11", 'code=3 name=a, "b"', "at least 0 s", "disk"):
        check(words in text, "'%s' is not in\n%s" % (words, text))
    check(tree(bench.dir) == before, "check left something behind")


def test_check_is_the_same_every_time(bench):
    path = bench.write("good.yaml", GOOD)
    first = bench.run("check", path).stdout
    for env in ({}, {"LC_ALL": "de_DE.UTF-8"}, {"LC_ALL": "C", "TZ": "Asia/Tokyo"}):
        check(bench.run("check", path, **env).stdout == first, "another text under %r" % env)
    json_first = bench.run("check", "--json", path).stdout
    check(bench.run("check", path, "--json").stdout == json_first, "another JSON")


def test_check_json(bench):
    path = bench.write("good.yaml", GOOD)
    plan = json.loads(bench.run("check", "--json", path).stdout)
    check(plan["trials"] == 8 and plan["cells"] == 4 and plan["blocks"] == 2, "counts")
    check(plan["factors"] == {"code": ["0", "3"], "name": ["2.0", "2", 'a, "b"']}, "factors")
    check([t["trial"] for t in plan["order"]] == list(range(1, 9)), "order")
    for block in (1, 2):
        cells = sorted(t["cell"] for t in plan["order"] if t["block"] == block)
        check(cells == [0, 1, 2, 3], "block %d is not complete: %r" % (block, cells))
    check(len(plan["plan_sha256"]) == 64 and plan["seed"] == "11", "digest and seed")
    check(plan["estimate"]["least_s"] == 0 and plan["estimate"]["most_s"] == 8 * 35, "time")
    check(plan["estimate"]["expected_s"] is None, "nobody stated a speed")
    check(plan["errors"] == [] and plan["warnings"] == [], "problems")


def test_check_refuses(bench):
    path = bench.write("bad.yaml", GOOD.replace("repetitions", "repetition"))
    done = bench.run("check", path, want=2)
    words = "%s:7:1: unknown key 'repetition', did you mean 'repetitions'?" % path
    check(words in done.stderr.decode(), done.stderr.decode())
    check(done.stdout == b"", "a plan was printed all the same")
    errors = json.loads(bench.run("check", "--json", path, want=2).stdout)["errors"]
    check(errors[0]["line"] == 7 and errors[0]["column"] == 1, "place")
    for words in (["check"], ["check", "a", "b"], ["check", "none.yaml"], ["check", "--jsn", path],
                  ["check", "--tok-per-s", "0", path], ["check", "--tok-per-s", "1,5", path]):
        check(bench.run(*words, want=2).stderr != b"", "%r says nothing" % words)
    for name in ("trial", "State", "window", "__done", "__run_id"):
        path = bench.write("bad.yaml", GOOD.replace("code", name))
        said = bench.run("check", path, want=2).stderr.decode()
        check("'%s' cannot name a factor" % name in said, said)
    check(not os.path.exists(bench.path("none")), "something was made")


GREENLAB = """\
study: greenlab
factors: {generation: ["2", "3", "3.1", "3.2"], size: [1B, 3B, 7B, 8B], task: [BoolQ, CB, COPA]}
exclude: [{generation: "2", size: [1B, 3B, 8B]}, {generation: ["3", "3.1"], size: [1B, 3B, 7B]},
          {generation: "3.2", size: [7B, 8B]}]
repetitions: 30
engine: {kind: command, run: [echo, $generation, $size, $task]}
"""


def test_check_names_aliases(bench):
    path = bench.write("greenlab.yaml", GREENLAB)
    text = bench.run("check", "--cv", "2%", path).stdout.decode()
    alias = [line for line in text.splitlines() if line.startswith("alias")]
    check(len(alias) == 1 and alias[0].startswith("alias: generation ~ size ("), text)
    check("2+7B, 3+8B, 3.1+8B, 3.2+1B, 3.2+3B" in alias[0], alias[0])
    for words in ("test       task: 2 of 2 df", "residual df 406", "within 30 blocks: 1.5 %"):
        check(words in text, "'%s' is not in\n%s" % (words, text))
    check("power: not available" in bench.run("check", path).stdout.decode(), "power of nothing")
    path = bench.write("odd.yaml", 'study: odd\nfactors: {a: ["x\\ny", "\\e[2J"]}\nrepetitions: 1\n'
                                   'engine: {kind: command, run: [echo, $a]}\n')
    text = bench.run("check", path).stdout.decode()
    check("\x1b" not in text and "factor     a: x\\ny, \\x1b[2J\n" in text, repr(text))
    # half of a 2 x 2 x 2 design: no two factors are aliased, each with the interaction of the others
    path = bench.write("half.yaml", """study: half
factors: {a: [0, 1], b: [0, 1], c: [0, 1]}
exclude: [{a: 0, b: 0, c: 1}, {a: 0, b: 1, c: 0}, {a: 1, b: 0, c: 0}, {a: 1, b: 1, c: 1}]
repetitions: 3
engine: {kind: command, run: [echo, "${a}${b}${c}"]}
analysis: {response: energy_j, factors: [a, b, c], blocks: block}
""")
    text = bench.run("check", path).stdout.decode()
    check("test       a * b * c, as planned with all interactions: 4 of 8 combinations are in the plan, so "
          "effects of it are aliased with others; residual df 6\n" in text, text)
    model = json.loads(bench.run("check", "--json", path).stdout)["model"]
    check(model == {"factors": ["a", "b", "c"], "columns": 8, "rank": 4, "residual_df": 6}, repr(model))
    for cv in ("0", "-1%", "2", "x", "", "1e9%"):
        bench.run("check", "--cv", cv, path, want=2)
    bench.run("check", "--pilot", bench.dir, path, want=2)


def test_check_a_million_trials(bench):
    path = bench.write("big.yaml", "study: big\nfactors: {a: [%s]}\nrepetitions: 100000\n"
                       "engine: {kind: command, run: [echo, $a]}\n" % ", ".join("0123456789"))
    lines = bench.run("check", path).stdout.decode().splitlines()
    check(len(lines) < 1100 and any("999000 more" in line for line in lines), lines[-1])
    path = bench.write("big.yaml", "study: big\nfactors: {a: [%s]}\nrepetitions: 100000\n"
                       "engine: {kind: command, run: [echo, $a]}\n" % ", ".join("0123456789x"))
    check(b"not 1 to 1000000 trials" in bench.run("check", path, want=2).stderr, "no clear refusal")


def test_check_names_every_problem(bench):
    path = bench.write("bad.yaml", GOOD.replace("code: 3, name", "cod: 3, name")
                       .replace("seed: 11", "seed: x").replace("trial: 20s", "trial: 20"))
    lines = bench.run("check", path, want=2).stderr.decode().splitlines()
    check(len(lines) == 3, "\n".join(lines))
    for line, words in zip(lines, ("did you mean 'code'?", "'x'", "20s")):
        check(line.startswith("perjoule: " + path + ":") and words in line, line)


def test_examples_of_the_manual(bench):
    root = os.environ.get("PERJOULE_SOURCE_ROOT", os.path.join(os.path.dirname(__file__), "../.."))
    with open(os.path.join(root, "docs", "study-file.md"), encoding="utf-8") as file:
        blocks = file.read().split("```yaml\n")[1:]
    check(len(blocks) >= 2, "the manual has no examples")
    for name in ("energy.jsonl", "accuracy.jsonl"):
        bench.write(name, '{"question": "Is it?", "answer": "yes"}\n')
    for block in blocks:
        path = bench.write("example.yaml", block.split("```")[0])
        plan = json.loads(bench.run("check", "--json", path).stdout)
        check(plan["trials"] > 1 and plan["errors"] == [], block)


# ---- status and export ----

def finished(bench):
    path = bench.write("good.yaml", GOOD)
    bench.run("run", path, "--out", bench.path("out"), want=1)
    return bench.path("out")


def test_finished_study(bench):
    out = finished(bench)
    status = json.loads(bench.run("status", "--json", out).stdout)
    check(status["study"] == "exits" and status["trials"] == 8, "study")
    states = status["states"]
    check(states["failed"] == 2, "two trials exit with 3: %r" % states)
    check(states["done"] + states["invalid"] == 6, "six exit with 0: %r" % states)
    check(status["runner"] == {"alive": False}, "nobody runs")
    failed = [t for t in status["unsuccessful"] if t["state"] == "failed"]
    check([t["reason"] for t in failed] == ["command_exit_3"] * 2, "reasons: %r" % failed)
    text = bench.run("status", out).stdout.decode()
    check("command_exit_3, after 1 attempt" in text and 'name=a, "b"' in text, text)

    plan = json.loads(bench.run("check", "--json", "good.yaml").stdout)["order"]
    csv_text = bench.run("export", out).stdout.decode()
    rows = list(csv.DictReader(io.StringIO(csv_text, newline="")))
    check(csv_text.endswith("\r\n") and len(rows) == 8, "rows")
    for row, trial in zip(rows, plan):
        check(row["trial"] == str(trial["trial"]), "planned order")
        check(row["code"] == trial["factors"]["code"] and row["name"] == trial["factors"]["name"],
              "levels as written")
        check(row["state"] == "failed" if row["code"] == "3" else row["state"] != "failed", "state")
        check(row["attempt"] == "1" and row["block"] == str(trial["block"]), "attempt and block")
        check(None not in row and None not in row.values(), "a row of another length")
    table = json.loads(bench.run("export", "--format", "json", out).stdout)
    names = {name for trial in table["trials"] for name in trial["results"]}
    check(names and all(set(t["results"]) == names for t in table["trials"]), "one set of results")
    check(names <= set(rows[0]), "JSON and CSV name the same results")
    for trial, row in zip(table["trials"], rows):
        for name, result in trial["results"].items():
            if result["value"] is None:
                check(row[name] == "" and result["reason"], "%s: missing has a reason" % name)
            else:
                check(float(row[name]) == result["value"], "%s differs" % name)
    check(bench.run("export", "-f", "csv", out).stdout.decode() == csv_text, "same table twice")
    check(bench.run("export", out, LC_ALL="de_DE.UTF-8").stdout.decode() == csv_text, "locale")


SHORT = """\
study: short
factors: {size: [1, "2.0"]}
repetitions: 2
engine: {kind: command, run: [echo, $size]}
"""


def test_pilot(bench):
    """Scatter, time, energy and disk of a study that was run, worked out here from its records."""
    out = finished(bench)
    database = os.path.join(out, "study.sqlite")
    with contextlib.closing(sqlite3.connect(database)) as db:
        done = db.execute("SELECT a.id, t.cell, (a.end_ns - a.start_ns) / 1e9 FROM attempt a JOIN trial t ON"
                          " t.id = a.trial WHERE a.state = 'done'").fetchall()
        energies = dict(db.execute("SELECT attempt, value FROM metric WHERE name = 'energy_j'"))
        totals = dict(db.execute("SELECT attempt, value_j FROM energy WHERE name = 'total' AND phase = 'trial'"))
        files = db.execute("SELECT sum(size_b) FROM artefact f JOIN attempt a ON a.id = f.attempt WHERE"
                           " a.state = 'done'").fetchone()[0]
    cells = {}
    for attempt, cell, _ in done:
        cells.setdefault(cell, []).append(energies[attempt])
    many = [values for values in cells.values() if len(values) > 1]
    check(many, "no cell has two done trials")
    squares = sum(sum((v / (sum(c) / len(c)) - 1) ** 2 for v in c) for c in many)
    cv = math.sqrt(squares / sum(len(c) - 1 for c in many))
    plan = json.loads(bench.run("check", "--json", "--pilot", out, "good.yaml").stdout)
    check(math.isclose(plan["detectable"][0]["cv"], cv, rel_tol=1e-9), "%r: %r" % (cv, plan["detectable"]))
    trials = {c: plan["trials"] / plan["cells"] for c in range(plan["cells"])}
    mean = {c: [v for v in done if v[1] == c] or done for c in trials}
    for key, value in (("dur_s", lambda c: sum(v[2] for v in mean[c]) / len(mean[c])),
                       ("energy_j", lambda c: sum(totals[v[0]] for v in mean[c]) / len(mean[c]))):
        want = sum(trials[c] * value(c) for c in trials)
        check(math.isclose(plan["pilot"][key], want, rel_tol=1e-9), "%s: %r, not %r" % (key, plan["pilot"], want))
    least = plan["trials"] / len(done) * os.path.getsize(database)
    check(least < plan["pilot"]["disk_b"] < least + 4 * files, "disk: %r" % plan["pilot"])
    check(plan["pilot"]["cells_matched"] == len(cells) and plan["pilot"]["same_tasks"], repr(plan["pilot"]))


def test_extend(bench):
    bench.write("short.yaml", SHORT)
    bench.run("run", "--out", "more", "short.yaml")
    before = rows(bench.path("more"))
    longer = SHORT.replace("2.0", "2.0\", \"2").replace("repetitions: 2", "repetitions: 3")
    bench.write("longer.yaml", longer)
    for wrong, words in ((SHORT, "adds nothing"), (SHORT.replace("1, ", ""), "lacks level '1'"),
                         (longer.replace("echo", "true"), "'engine' differs"),
                         (longer.replace("repetitions: 3", "repetitions: 1"), "has 1 repetitions"),
                         (longer + "exclude: [{size: 1}]\n", "leaves out size=1"),
                         (longer.replace("{size:", "{other: [x], size:"), "other factors"),
                         (longer.replace("study: short", "study: other"), "is study 'other'")):
        bench.write("wrong.yaml", wrong)
        said = bench.run("extend", "more", "wrong.yaml", want=2).stderr.decode()
        check(words in said, said)
    check(rows(bench.path("more")) == before, "a refused extension wrote something")
    check("5 new trials" in bench.run("extend", "more", "longer.yaml").stdout.decode(), "count")
    bench.run("resume", "more")
    after = rows(bench.path("more"))
    for table, old in before.items():
        check(old <= after[table], "rows of %s changed: %r" % (table, old - after[table]))
    table = list(csv.DictReader(io.StringIO(bench.run("export", "more").stdout.decode())))
    check([t["state"] for t in table] == ["done"] * 9, "not all done")
    count = {size: [t["repetition"] for t in table if t["size"] == size] for size in ("1", "2.0", "2")}
    check(all(sorted(r) == ["1", "2", "3"] for r in count.values()), repr(count))
    check(sorted(t["size"] for t in table if t["block"] == "3") == ["1", "2", "2.0"], "no common block")
    meta = {row for row in after["meta"] if "plan_sha256" in row}
    check(len(meta) == 2, "the digests of plan and extension: %r" % meta)
    report = " ".join(bench.run("report", "--no-files", "more", want=3).stdout.decode().split())
    digests = [row.split("'")[3] for row in meta]
    for digest in digests:
        check(report.count(digest) == 2, "%s is not in the report: %s" % (digest, report))
    check("extension 1: " in report, report)
    said = bench.run("extend", "more", "longer.yaml", want=2).stderr.decode()
    check("adds nothing" in said, said)


GREENLAB_PLAN = "2e3f0734858ec7022c21ea7406996525abc790426b51884fdda00d323a7d2565"


def test_greenlab_plan(bench):
    """The published plan: one line names both factors, with the cells; a warning, not an error. The
    order is the same everywhere."""
    root = os.environ["PERJOULE_SOURCE_ROOT"]
    study = os.path.join(root, "examples", "greenlab-mini", "full.yaml")
    said = bench.run("check", study, "--cv", "1%").stdout.decode()
    check(re.search(r"^alias: generation ~ size \(rank 5 of 7: .*; cells 2\+7B, 3\+8B, 3.1\+8B, "
                    r"3.2\+1B, 3.2\+3B\)$", said, re.M), said)
    # 3 and 3.1 are both 8B: that contrast alone is free of size
    check(re.search(r"^test +generation: 1 of 3 df apart .* residual df 116 \(", said, re.M), said)
    check(re.search(r"^test +size: 1 of 3 df apart", said, re.M), said)
    check(re.search(r"two treatments within 30 blocks: 0\.\d+ %", said), said)
    check("trials     150 = 5 cells x 30 repetitions, in 30 blocks" in said, said)
    check("power: not available" in bench.run("check", study).stdout.decode(), "no CV, and yet a power")
    plan = json.loads(bench.run("check", "--json", study).stdout)
    check(plan["plan_sha256"] == GREENLAB_PLAN, "another order: " + plan["plan_sha256"])
    check(plan["factors"] == {"generation": ["2", "3", "3.1", "3.2"], "size": ["7B", "8B", "1B", "3B"]},
          "levels are text: %r" % plan["factors"])


def run_table_rows(text, factors, repetitions):
    """What Experiment Runner's reader and restart ask of a table, by its rules."""
    check(text.count("\r\n") == text.count("\n"), "line ends")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    combinations = list(itertools.product(*factors.values()))
    wanted = {"run_%d_repetition_%d" % (i, j): levels for i, levels in enumerate(combinations)
              for j in range(repetitions)}
    check(len(rows) == len(wanted) == len({r["__run_id"] for r in rows}), "rows")
    for row in rows:
        check(None not in row and None not in row.values(), "a row with other columns")
        check(row["__done"] in ("DONE", "TODO"), row["__done"])
        check(tuple(row[f] for f in factors) == wanted[row["__run_id"]], "levels of %r" % row)
        for name, value in row.items():
            check(name.startswith("__") or name in factors or value == " " or float(value) is not None,
                  "%s: '%s'" % (name, value))
    return rows


def test_run_table_there_and_back(bench):
    text = GOOD.replace('exclude: [{code: 3, name: ["2.0", \'2\']}]\n', "")
    bench.write("good.yaml", text)
    bench.run("run", "--out", "there", "good.yaml", want=1)
    os.mkdir(bench.path("er"))
    table = bench.run("export", "there", "--format", "run-table").stdout.decode()
    rows_there = run_table_rows(table, {"code": ["0", "3"], "name": ["2.0", "2", 'a, "b"']}, 2)
    check(sorted(r["__done"] for r in rows_there) == ["DONE"] * 6 + ["TODO"] * 6, "done and to do")
    check(all((r["__done"] == "DONE") == (r["code"] == "0") for r in rows_there), "which are done")
    with open(bench.path("er/run_table.csv"), "w", encoding="utf-8", newline="") as file:
        file.write(table)
    done = bench.run("import", "experiment-runner", "er", "--out", "back")
    check(b"6 done, 6 to do; factors code,name" in done.stdout, done.stdout.decode())
    again = bench.run("export", "back", "--format", "run-table").stdout.decode()
    for a, b in zip(rows_there, csv.DictReader(io.StringIO(again, newline=""))):
        check(all(b[k] == v for k, v in a.items()), "%r became %r" % (a, b))
    bench.run("import", "experiment-runner", "er", "--out", "back", want=2)
    for wrong, words in (("a,b\n1,2\n", "needs the columns __run_id"),
                         ("__run_id,__done,f\nrun_0_repetition_0,MAYBE,x\n", "not DONE or TODO"),
                         ("__run_id,__done,f\n../../x,DONE,x\n", "is not run_I"),
                         ("__run_id,__done,f\nrun_0,DONE\n", "2 fields below 3 columns"),
                         ("__run_id,__done,f,e\nrun_0,DONE,x,\"198,88\"\n", "--decimal-comma")):
        bench.write("er/run_table.csv", wrong)
        said = bench.run("import", "experiment-runner", "er", "--out", "wrong", want=2).stderr.decode()
        check(words in said, said)
    check(not [n for n in os.listdir(bench.dir) if n.startswith("wrong")], "something was left")
    bench.run("import", "experiment-runner", "er", "--out", "comma", "--decimal-comma")
    check("198.88" in bench.run("export", "comma").stdout.decode(), "the decimal comma")


def test_run_table_as_it_comes(bench):
    """What Experiment Runner's own code leaves when a result was not declared, factors named like columns of
    ours, files in folders, a table in another encoding."""
    os.makedirs(bench.path("odd/run_0_repetition_0/deep"))
    bench.write("odd/run_0_repetition_0/raw.csv", "x")
    bench.write("odd/run_0_repetition_0/two words", "x")
    bench.write("odd/run_table.csv", '__run_id,__done,State,v,\r\nrun_0_repetition_0,DONE,a,1,7\r\n'
                                     'run_1_repetition_0,TODO,b," ",\r\nrun_2_repetition_0,DONE,c,3,\r\n')
    os.makedirs(bench.path("elsewhere"))
    bench.write("elsewhere/secret", "x")
    os.symlink(bench.path("elsewhere"), bench.path("odd/run_2_repetition_0"))
    said = bench.run("import", "experiment-runner", "odd", "--out", "odd-study").stderr.decode()
    check("1 run is DONE" in said and not os.path.exists(bench.path("odd-study/artefacts/2/secret")), said)
    check("1 column without a name" in said and "State as factor_State" in said, said)
    check("2 folders or files with" in said, said)
    check(json.loads(bench.run("status", "--json", "odd-study").stdout)["next"] == "perjoule report odd-study",
          "runs of others cannot be resumed")
    check(b"was imported" in bench.run("resume", "odd-study", want=2).stderr, "resume")
    table = list(csv.DictReader(io.StringIO(bench.run("export", "odd-study").stdout.decode())))
    check([(t["factor_State"], t["v"], t["column_5"]) for t in table] ==
          [("a", "1", "7"), ("b", "", ""), ("c", "3", "")], repr(table))
    for wrong, words in ((b"__run_id,__done,f\nrun_0,DONE,\xe9\n", "run_table.csv:2: field 3 is not UTF-8"),
                         (b'__run_id,__done,f,v\nrun_0,DONE,a,"1.234,5"\n', "is no number")):
        with open(bench.path("odd/run_table.csv"), "wb") as file:
            file.write(wrong)
        said = bench.run("import", "experiment-runner", "odd", "--out", "wrong", "--decimal-comma",
                         want=2).stderr.decode()
        check(words in said, said)


def test_judge_scores(bench):
    bench.write("short.yaml", SHORT)
    bench.run("run", "--out", "judged", "short.yaml")
    before = rows(bench.path("judged"))
    for wrong, words in (("trial\n1\n", "columns trial and score"), ("trial,score\n9,1\n", "no trial 9"),
                         ("trial,score\n1,good\n", "'good' is not a score"),
                         ("trial,score\n1,0.5\n2\n", "judge.csv:3"),
                         ("trial,task,score\n1,boolq,1\n", "no task 'boolq'"),
                         ("trial,score\n", "holds no score")):
        bench.write("judge.csv", wrong)
        said = bench.run("import", "judge", "judge.csv", "judged", want=2).stderr.decode()
        check(words in said, said)
    bench.write("judge.csv", "trial,score,score\n1,1,1\n")
    check(b"two columns 'score'" in bench.run("import", "judge", "judge.csv", "judged", want=2).stderr, "twins")
    check(rows(bench.path("judged")) == before, "refused scores were written")
    bench.write("judge.csv", "trial,score,why\n1,0.5,x\n1,1,y\n3,0,z\n")
    bench.run("import", "judge", "judge.csv", "judged")
    table = list(csv.DictReader(io.StringIO(bench.run("export", "judged").stdout.decode())))
    check([t["judge_score"] for t in table] == ["0.75", "", "0", ""], repr(table))
    check(not any("accuracy" in name for name in table[0]), "a judge is no accuracy")
    said = bench.run("import", "judge", "judge.csv", "judged", want=2).stderr.decode()
    check("not written over" in said, said)


def test_read_only_copy(bench):
    out = finished(bench)
    copy = bench.path("copy")
    shutil.copytree(out, copy)
    before = tree(copy)
    for folder, _, _ in os.walk(copy):
        os.chmod(folder, 0o555)
    try:
        os.chmod(bench.dir, 0o755)
        here, there = bench.run("export", out).stdout, bench.run_as_stranger("export", copy).stdout
        check(here == there, "the copy exports something else")
        bench.run_as_stranger("status", copy)
        check(tree(copy) == before, "reading changed the copy")
    finally:
        for folder, _, _ in os.walk(copy):
            os.chmod(folder, 0o755)


def wait_for(words, test, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = test()
        if value:
            return value
        time.sleep(0.05)
    raise Failed("waited %d s for %s" % (seconds, words))


def started_by(pid):
    """The meter and the keeper that a runner has started: name -> peak resident memory in KiB."""
    peak = {}
    for child in open("/proc/%d/task/%d/children" % (pid, pid)).read().split():
        with open("/proc/%s/status" % child) as status:
            fields = dict(line.split(":", 1) for line in status)
        peak[fields["Name"].strip()] = int(fields["VmHWM"].split()[0])
    return peak


def test_running_and_cut_off(bench):
    path, out = bench.write("slow.yaml", SLOW), bench.path("slow")
    runner = bench.start("run", path, "--out", out)
    try:
        def running():
            if not os.path.exists(out):
                return None
            status = json.loads(bench.run("status", "--json", out).stdout)
            slow = [t for t in status["running"] if t["treatment"] == "wait=60"]
            return status if slow else None
        status = wait_for("the slow trial", running)
        check(status["runner"]["alive"] and status["runner"]["pid"] == runner.pid, "%r" % status)
        check("resume" not in status["next"], "advice to resume what runs")
        def settled():  # a child has its parent's name until it execs
            peak = started_by(runner.pid)
            return peak if sorted(peak) == ["perjoule", "perjoule-keeper"] else None
        peak = wait_for("the meter and the keeper beside the engine", settled)
        if "ASAN_OPTIONS" not in os.environ:  # instrumented code takes more
            check(max(peak.values()) <= 4096, "more than 4 MiB beside the engine: %r" % peak)
        text = bench.run("status", out).stdout.decode()
        check("process %d" % runner.pid in text and "running    trial" in text, text)
        refused = bench.run("resume", out, want=None)
        check(refused.returncode != 0 and b"process %d" % runner.pid in refused.stderr,
              "a second runner: %r" % refused.stderr)
        rows = list(csv.DictReader(io.StringIO(bench.run("export", out).stdout.decode())))
        check({r["state"] for r in rows} <= {"running", "planned", "done", "invalid"}, "states")
    finally:
        runner.send_signal(signal.SIGKILL)
        runner.wait()
    status = json.loads(bench.run("status", "--json", out).stdout)
    check(not status["runner"]["alive"] and len(status["running"]) == 1, "%r" % status)
    check(status["next"] == "perjoule resume " + out, status["next"])
    text = bench.run("status", out).stdout.decode()
    check("cut off" in text, text)
    copy = bench.path("cut-copy")
    shutil.copytree(out, copy)
    os.chmod(copy, 0o555)
    try:
        os.chmod(bench.dir, 0o755)
        there = json.loads(bench.run_as_stranger("status", "--json", copy).stdout)
        check(there["states"] == status["states"] and not there["runner"]["alive"],
              "the copy says something else")
    finally:
        os.chmod(copy, 0o755)


def test_progress_on_a_terminal(bench):
    """A redrawn line with power, energy so far and ETA; a power nobody measured is not 0 W."""
    path = bench.write("bar.yaml", SLOW.replace("['0', 60]", "['1.2', '1.3']"))
    done = subprocess.run(["script", "-qec", "stty cols 70; %s run %s --out %s" %
                           (bench.perjoule, path, bench.path("bar")), bench.path("screen")],
                          stdin=subprocess.DEVNULL, capture_output=True, env=bench.env(), timeout=120,
                          check=False)
    screen = done.stdout.decode()
    check(done.returncode == 0, screen)
    lines = [line.split("\033[K")[0] for line in screen.split("\r") if "\033[K" in line]
    check(any("2/2" in l and "ETA" in l and " J" in l for l in lines), screen)
    powers = [l for l in lines if " W" in l]
    check(powers and not any("  0.0 W" in l for l in powers), screen)
    check(all(len(l) < 70 for l in lines), "wider than the terminal: " + screen)


MIXED = """\
study: mixed
factors: {wait: ['0.4', '0.8']}
repetitions: 2
engine: {kind: command, run: [sleep, $wait]}
gates: {cpu_thief: 1, steal_time: 1}
"""


def test_measured_and_modelled(bench):
    """A GPU that is measured beside a processor that is modelled: what the instruments say is kept apart."""
    out = bench.path("out")
    fake = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(bench.perjoule))), "tests",
                        "fakes", "fake_nvml.so")
    bench.write("s.yaml", MIXED)
    bench.run("run", "s.yaml", "--out", out, PERJOULE_NVML=fake)
    for row in csv.DictReader(io.StringIO(bench.run("export", out).stdout.decode())):
        check(row["energy_j_origin"] == "modelled", "mixed total: %r" % row)
        check(row["energy_measured_j_origin"] in ("counter", "integrated"), "%r" % row)
        check(0 < float(row["energy_measured_j"]) < float(row["energy_j"]), "%r" % row)
        check(float(row["energy_measured_j_u"]) < float(row["energy_j_u"]), "%r" % row)
    words = " ".join(bench.run("report", out).stdout.decode().split())
    check("of this energy is modelled. What instruments measured, alone:" in words or
          "depending on the treatment, is modelled" in words, words)
    check("measured energy of the window is " in words, words)
    check("ratio of times" not in words, "a GPU was measured, this is no ratio of times: " + words)
    check("Every energy here is modelled" not in words, words)


def test_no_study(bench):
    bench.write("file", "x")
    os.mkdir(bench.path("empty"))
    for command in ("status", "export"):
        for words in ([], ["none"], ["empty"], ["file"], ["a", "b"]):
            done = bench.run(command, *words, want=2)
            check(done.stderr.startswith(b"perjoule: ") and done.stdout == b"",
                  "%s %r: %r" % (command, words, done.stderr))
    bench.run("export", "--format", "xml", "empty", want=2)
    check(os.listdir(bench.path("empty")) == [], "reading made files")


def test_full_pipe(bench):
    out = finished(bench)
    for words in (["check", "good.yaml"], ["status", out], ["export", out]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([bench.perjoule, *words], stdout=full, stderr=subprocess.PIPE,
                                  cwd=bench.dir, env=bench.env(), timeout=60, check=False)
        check(done.returncode == 1 and b"standard output" in done.stderr, "%r: %d %r" %
              (words, done.returncode, done.stderr))


TESTS = [test_check_prints_the_plan, test_check_is_the_same_every_time, test_check_json,
         test_check_refuses, test_check_names_aliases, test_check_a_million_trials,
         test_check_names_every_problem, test_examples_of_the_manual,
         test_finished_study, test_pilot,
         test_extend, test_greenlab_plan, test_run_table_there_and_back, test_run_table_as_it_comes,
         test_judge_scores, test_read_only_copy, test_running_and_cut_off, test_progress_on_a_terminal,
         test_measured_and_modelled,
         test_no_study, test_full_pipe]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    build = os.path.abspath(parser.parse_args().build)
    bad = 0
    print("1..%d" % len(TESTS))
    for number, test in enumerate(TESTS, 1):
        bench = Bench(build)
        name = test.__name__[5:].replace("_", " ")
        try:
            test(bench)
            print("ok %d - %s" % (number, name), flush=True)
        except (Failed, subprocess.TimeoutExpired, OSError, ValueError, KeyError) as error:
            bad += 1
            print("not ok %d - %s" % (number, name))
            for line in (type(error).__name__ + ": " + str(error)).splitlines():
                print("# " + line, flush=True)
        finally:
            shutil.rmtree(bench.dir, ignore_errors=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
