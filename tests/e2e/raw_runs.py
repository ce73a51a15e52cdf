#!/usr/bin/python3
"""Raw runs as strangers send them, through the whole program: other units, cells without a value,
quotes as characters, a clock that jumps, an import killed at any point.

    raw_runs.py --build BUILD
Output is TAP. Nothing outside a temporary folder is touched; only children of this test are ended.
"""
import argparse
import math
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

SAMPLES = 300
START_MS = 1760581919000
SUMMARY = "Energy consumption in joules: 3000.5 for 59.8 sec of execution."


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

    def command(self, *words):
        return [self.perjoule, *words]

    def run(self, *words, want=None):
        done = subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, capture_output=True,
                              cwd=self.dir, timeout=120, check=False)
        if want is not None and done.returncode != want:
            raise Failed("%s: exit code %d, not %d\n%s%s" %
                         (" ".join(words), done.returncode, want, done.stdout.decode(),
                          done.stderr.decode()))
        return done

    def study(self, name="study"):
        """run_id → (state, reason, metrics, gates)"""
        out = {}
        base = sqlite3.connect("file:%s?mode=ro" % self.path(name + "/study.sqlite"), uri=True)
        for attempt, state, reason, run in base.execute(
                "SELECT a.id, a.state, a.reason, f.value FROM attempt a JOIN fact f ON"
                " f.attempt = a.id AND f.key = 'run_id'"):
            metrics = dict(base.execute("SELECT name, value FROM metric WHERE attempt = ?",
                                        (attempt,)))
            gates = dict(base.execute("SELECT code, detail FROM gate WHERE attempt = ?",
                                      (attempt,)))
            out[run] = (state, reason, metrics, gates)
        base.close()
        return out


class Run:
    """Columns as lists of text; the truth beside them, in J."""

    def __init__(self, seed):
        rng = random.Random(seed)
        joules = [1000.0 + seed]
        for _ in range(SAMPLES - 1):
            joules.append(joules[-1] + round(rng.uniform(5, 15) * 16384) / 16384)
        watts = [round(rng.uniform(80, 350), 3) for _ in range(SAMPLES)]
        self.time = [START_MS + 200 * i for i in range(SAMPLES)]
        self.joules, self.watts = joules, watts
        self.cpu_j = joules[-1] - joules[0]
        self.gpu_j = math.fsum((a + b) / 2 * 0.2 for a, b in zip(watts, watts[1:]))
        self.energy_name, self.energy_factor = "PACKAGE_ENERGY (J)", 1
        self.power_name, self.power_factor = "GPU0_POWER (mWatts)", 1000
        self.cells = {}  # (row, column) → text
        self.quote = ""
        self.tail = "\n"

    def write(self, folder):
        os.makedirs(folder)
        lines = ["Delta,Time,%s,%s,USED_SWAP" % (self.energy_name, self.power_name)]
        for i in range(SAMPLES):
            row = ["200", str(self.time[i]), "%.17g" % (self.joules[i] * self.energy_factor),
                   "%.17g" % (self.watts[i] * self.power_factor), "0"]
            for c in range(5):
                row[c] = self.cells.get((i, c), row[c])
            lines.append(",".join(row))
        with open(os.path.join(folder, "energibridge.csv"), "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + self.tail)
        with open(os.path.join(folder, "energibridge-summary.txt"), "w", encoding="utf-8") as file:
            file.write(SUMMARY)
        first = START_MS // 1000 + 11
        with open(os.path.join(folder, "prompts_out.tsv"), "w", encoding="utf-8") as file:
            file.write("start\tend\tprompt\tresponse\tresponse_tokens\taccuracy\n")
            for i in range(8):
                file.write("%d\t%d\t%sDoes the word %d have the same meaning?\tanswer\t%d\t\n" %
                           (first + 5 * i, first + 5 * i + 5, self.quote, i, 100 + i))


def near(got, want, share):
    return got is not None and abs(got - want) <= share * want


def test_forms(bench):
    """each is read to the truth, or fails with a reason that names it"""
    good, bad, flagged = {}, {}, {}

    def make(name, into, **how):
        run = Run(len(good) + len(bad) + len(flagged))
        for key, value in how.items():
            setattr(run, key, value)
        run.write(bench.path("runs/" + name))
        into[name] = run

    for unit, factor in (("mJ", 1e3), ("uJ", 1e6), ("kJ", 1e-3), ("Wh", 1 / 3600)):
        make(unit, good, energy_name="PACKAGE_ENERGY (%s)" % unit, energy_factor=factor)
    for unit, factor in (("W", 1), ("Watts", 1), ("kW", 1e-3), ("uW", 1e6)):
        make(unit, good, power_name="GPU0_POWER (%s)" % unit, power_factor=factor)
    make("quotes", good, quote='"Stop" he said: ')
    make("quote-inside", good, quote='The "word": ')
    make("no-last-line-end", good, tail="")
    make("empty-lines-behind", good, tail="\n\n\n")
    for number, word in enumerate(("NaN", "NA", "null", "", "n/a")):
        make("cpu-%d" % number, flagged, cells={(100, 2): word})
        make("gpu-%d" % number, flagged, cells={(100, 3): word})
    make("no-unit-cpu", bad, energy_name="PACKAGE_ENERGY")
    make("no-unit-gpu", bad, power_name="GPU0_POWER (horses)")
    make("word", bad, cells={(100, 3): "high"})
    make("infinite", bad, cells={(100, 3): "inf"})
    make("no-time", bad, cells={(100, 1): ""})
    jump = [START_MS + 200 * i + (3600000 if i > 150 else 0) for i in range(SAMPLES)]
    make("clock-jumps", bad, time=jump)
    back = [START_MS + 200 * i - (3600000 if i > 150 else 0) for i in range(SAMPLES)]
    make("clock-goes-back", bad, time=back)
    done = bench.run("import", "greenlab", "runs", "--out", "study", want=3)
    said = done.stderr.decode()
    got = bench.study()
    for name, run in good.items():
        state, reason, metrics, _ = got[name]
        check(state == "done", "%s: %s %s\n%s" % (name, state, reason, said))
        check(near(metrics["cpu_package_j"], run.cpu_j, 1e-6),
              "%s: %r J, not %r" % (name, metrics["cpu_package_j"], run.cpu_j))
        check(near(metrics["gpu_j_trapezoid"], run.gpu_j, 1e-5),
              "%s: %r J, not %r" % (name, metrics["gpu_j_trapezoid"], run.gpu_j))
        check(metrics["output_tokens"] == 828, metrics)
    for name, run in flagged.items():
        state, reason, metrics, gates = got[name]
        check(state == "done" and "1 of 300 readings" in gates.get("cells_unread", ""),
              "%s: %s %s %r" % (name, state, reason, gates))
        check(near(metrics["cpu_package_j"], run.cpu_j, 1e-6), name)
        check(near(metrics["gpu_j_trapezoid"], run.gpu_j, 5e-3), name)
    reasons = {"no-unit-cpu": "unknown_unit", "no-unit-gpu": "unknown_unit", "word": "bad_number",
               "infinite": "bad_number", "no-time": "bad_time",
               "clock-goes-back": "window_not_recorded", "clock-jumps": "sample_gap"}
    for name, want in reasons.items():
        state, reason, _, _ = got[name]
        check(state in ("failed", "invalid") and reason == want, "%s: %s %s" %
              (name, state, reason))
        check(name in said, "%s is not named: %s" % (name, said))
    check("149 rows are left out" in said, said)


def test_killed(bench):
    """kill -9 anywhere: the study is whole or not there, and the next import clears the rest"""
    for seed in range(12):
        Run(seed).write(bench.path("runs/run_0_repetition_%d" % seed))
    begun = time.monotonic()
    bench.run("import", "greenlab", "runs", "--out", "whole")
    whole_s = time.monotonic() - begun
    want = bench.study("whole")
    rng = random.Random(7)
    left = set()
    for number in range(24):
        child = subprocess.Popen(bench.command("import", "greenlab", "runs", "--out", "study"),
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                 cwd=bench.dir)
        time.sleep(rng.uniform(0, 1.2) * whole_s)
        child.send_signal(signal.SIGKILL)
        child.wait(timeout=60)
        names = sorted(os.listdir(bench.dir))
        left = left | {name for name in names if ".building-" in name}
        if "study" in names:
            check(bench.study() == want, "killed import %d left a study that is not whole" % number)
            shutil.rmtree(bench.path("study"))
    begun = [n for n in os.listdir(bench.dir) if ".building-" in n]
    for name in begun:  # killed where nobody's lock tells: left alone for some seconds
        for path in (bench.path(name), bench.path(name + "/lock")):
            if os.path.exists(path):
                os.utime(path, (time.time() - 60, time.time() - 60))
    folder = bench.path("study.building-%d" % os.getpid())  # a living process: this one
    os.mkdir(folder)
    done = bench.run("import", "greenlab", "runs", "--out", "study")
    check(b"its process is still there" in done.stderr and os.path.isdir(folder),
          "a living import was touched: %r" % done.stderr)
    os.rmdir(folder)
    check(bench.study() == want, "the import after the kills is another one")
    still = [n for n in os.listdir(bench.dir) if ".building-" in n]
    check(not still, "%r are left: %r" % (still, done.stderr))
    check(left, "no kill hit an import that was being built")
    print("# %d of 24 kills left a folder, %d until the last import" % (len(left), len(begun)))


def test_verified(bench):
    """the records of an import are made again from the raw files that the study keeps"""
    for seed in range(3):
        Run(seed).write(bench.path("runs/run_0_repetition_%d" % seed))
    bench.run("import", "greenlab", "runs", "--out", "study")
    bench.run("report", "study", "--out", "report")
    with open(bench.path("report/report.html"), encoding="utf-8") as file:
        page = file.read()
    check("trace.jsonl" not in page and "perjoule replay" not in page, "a trace that is not there")
    check("energibridge.csv, energibridge-summary.txt, prompts_out.tsv" in page, "no files named")
    done = bench.run("verify", "report/values.csv", "study", want=0)
    check(b"of 3 trials made again" in done.stdout, "%r" % done.stdout)
    base = sqlite3.connect(bench.path("study/study.sqlite"))
    base.execute("UPDATE metric SET value = value + 1 WHERE name = 'output_tokens' AND attempt = 2")
    base.commit()
    base.close()
    done = bench.run("verify", "report/methods.tex", "study", want=3)
    check(b"trial 2, output_tokens: stored 829, recomputed 828" in done.stdout, "%r" % done.stdout)
    path = bench.path("study/artefacts/3/energibridge.csv")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:  # a digit of the last reading
        file.write(text[:-9] + ("1" if text[-9] != "1" else "2") + text[-8:])
    done = bench.run("verify", "report/methods.tex", "study", want=3)
    check(b"artefacts/3/energibridge.csv: is not the file that was recorded" in done.stdout and
          b"trial 3, energy of" in done.stdout, "%r" % done.stdout)


TESTS = [test_forms, test_verified, test_killed]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    build = os.path.abspath(parser.parse_args().build)
    os.environ["PERJOULE_LIBEXEC"] = os.path.join(build, "src", "cli")
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
