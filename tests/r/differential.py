#!/usr/bin/python3
"""perjoule analyse against R on data sets that nobody has seen.

    differential.py --perjoule PROGRAM --golden GOLDEN_LIB.R [--first SEED] [--seeds N]
                    [--shape NAME]… [--all] [--keep FOLDER]

Every shape of shapes.py is made with N seeds; R computes each table with the functions of golden-lib.R in
one process, perjoule analyse its own, and every number is compared within the tolerance that golden-lib.R
gives its key. A disagreement names shape and seed: `--shape NAME --first SEED --seeds 1 --keep FOLDER`
makes it again and leaves table, R's values and ours in FOLDER. Exit 0 when all agree.
"""
import argparse
import collections
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile

import shapes

HERE = os.path.dirname(os.path.abspath(__file__))
OPTIONS = {"response": "--response", "by": "--by", "paired_by": "--paired-by", "correlate": "--correlate",
           "model": "--model", "where": "--where"}


def asked(case):
    """the marginal means of factors that the model has"""
    return [e for e in case.more.get("emmeans", []) if all(f in case.more["model"] for f in e.replace("*", "|").split("|"))]


def words_of(case, table):
    words = [table]
    for key, option in OPTIONS.items():
        if key in case.more:
            words += [option, case.more[key]]
    for column, order in case.more.get("levels", {}).items():
        words += ["--levels", column + "=" + ",".join(order)]
    for name in asked(case):
        words += ["--emmeans", name]
    if case.route == "model":
        for name in case.factors:
            words += ["--factor", name]
    return words


def request_of(case, name, table):
    """the case as reference.R reads it"""
    m = case.more
    used = case.columns
    if case.route != "model":
        used = [c for c in case.columns if c in (m["response"], m.get("by"), m.get("paired_by"), m.get("correlate"))]
    else:
        used = [c for c in case.columns if c in m["model"]]
    wanted = {"id": name, "route": case.route, "csv": table, "columns": used,
              "factors": [f for f in case.factors if f in used]}
    for key in ("response", "by", "paired_by", "correlate", "model", "random", "levels"):
        if m.get(key):
            wanted[key] = m[key]
    if asked(case):
        wanted["emmeans"] = asked(case)
    if "r_where" in m:
        wanted["where"] = m["r_where"]
    return wanted


def numbers(value, path=""):
    if isinstance(value, dict):
        for key, below in value.items():
            yield from numbers(below, path + "/" + key if path else key)
    elif isinstance(value, list):
        for i, below in enumerate(value):
            yield from numbers(below, "%s[%d]" % (path, i + 1))
    elif isinstance(value, bool) or isinstance(value, (int, float)):
        yield path, float(value)


class Tally:
    def __init__(self):
        self.agreed = collections.Counter()
        self.total = collections.Counter()
        self.lines = []
        self.extra = []

    def count(self, group, good):
        self.total[group] += 1
        self.agreed[group] += good


# R states these beside a statistic that is not a number (no spread, a group of one)
EMPTY = ("df", "p", "df1", "welch_df1", "var_ratio_p")


def compare(name, rows, ours, tally):
    """rows: (group, key, value, rtol, atol) of R"""
    flat = dict(numbers(ours))
    void = {(group, os.path.dirname(key)) for group, key, value, _, _ in rows if value == "none"}
    for group, key, value, rtol, atol in rows:
        top = group.split("/")[0]
        at = ("lmm" if group == "lmm_singular_df" else group) + "/" + key
        got = flat.get(at)
        if value == "none":
            if got is not None:
                tally.extra.append("%s %s: R has no number, we have %.17g" % (name, at, got))
            continue
        if got is None and (group, os.path.dirname(key)) in void and os.path.basename(key) in EMPTY:
            continue
        want = float(value)
        good = got is not None and abs(got - want) <= float(atol) + float(rtol) * abs(want)
        good = good or (got is not None and abs(want) < 1e-300 and abs(got) < 1e-290)
        tally.count(top, good)
        if not good:
            shown = "nothing" if got is None else "%.17g (%.2g off)" % (got, abs(got - want) / max(abs(want), 1e-300))
            tally.lines.append((name, at, "R %.17g, ours %s" % (want, shown)))


def sound(name, done, tally):
    """whatever the data are: a documented exit code, one sentence or JSON without anything that is not a number"""
    good = done.returncode in (0, 2, 3)
    good = good and (done.returncode != 2 or (done.stdout == "" and done.stderr.startswith("perjoule: ")))
    ours = None
    if good and done.returncode != 2:
        ours = json.loads(done.stdout)
        good = all(math.isfinite(v) for _, v in numbers(ours)) and "nan" not in done.stdout.lower().replace("finance", "")
    tally.count("sound", good)
    if not good:
        tally.lines.append((name, "sound", "exit %d, %s" % (done.returncode, done.stderr.strip()[:200])))
    return ours


def make_cases(options, folder):
    cases = {}
    for shape in options.shape or sorted(shapes.SHAPES):
        for seed in range(options.first, options.first + options.seeds):
            name = "%s:%d" % (shape, seed)
            case = shapes.SHAPES[shape](random.Random(name))
            table = os.path.join(folder, name.replace(":", "-") + ".csv")
            with open(table, "w", encoding="utf-8") as file:
                file.write(case.csv())
            cases[name] = (case, table)
    return cases


def reference(options, cases, folder):
    wanted, out = os.path.join(folder, "cases.json"), os.path.join(folder, "reference.tsv")
    with open(wanted, "w", encoding="utf-8") as file:
        json.dump([request_of(c, name, table) for name, (c, table) in cases.items()], file, indent=1)
    done = subprocess.run(["Rscript", os.path.join(HERE, "reference.R"), options.golden, wanted, out],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit("R failed: " + done.stderr[-2000:])
    rows, unable = collections.defaultdict(list), collections.defaultdict(dict)
    with open(out, encoding="utf-8") as file:
        for line in file:
            case, group, key, value, rtol, atol = line.rstrip("\n").split("\t")
            if key:
                rows[case].append((group, key, value, rtol, atol))
            else:
                unable[case][group] = value
    return rows, unable


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--perjoule", required=True)
    parser.add_argument("--golden", required=True)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--shape", action="append", choices=sorted(shapes.SHAPES))
    parser.add_argument("--all", action="store_true", help="print every disagreement, and what R has no number for")
    parser.add_argument("--keep")
    options = parser.parse_args()
    folder = options.keep or tempfile.mkdtemp(prefix="perjoule-r-")
    os.makedirs(folder, exist_ok=True)
    cases = make_cases(options, folder)
    rows, unable = reference(options, cases, folder)
    tally = Tally()
    for name, (case, table) in cases.items():
        words = words_of(case, table)
        done = subprocess.run([options.perjoule, "analyse", *words, "--json", "-"], capture_output=True, text=True,
                              timeout=120, check=False)
        ours = sound(name, done, tally)
        if options.keep:
            with open(table[:-4] + ".json", "w", encoding="utf-8") as file:
                file.write(done.stdout or done.stderr)
        if ours is None and rows[name]:
            tally.lines.append((name, "-", "R has numbers, we have: " + done.stderr.strip()))
            tally.count("refused", False)
        elif ours is not None:
            compare(name, rows[name], ours, tally)
        if options.all:
            for group, why in unable[name].items():
                print("# %s %s: R: %s" % (name, group, why))
    report(tally, cases, options, folder)


def report(tally, cases, options, folder):
    shown = collections.Counter()
    for name, at, what in tally.lines:
        shown[name] += 1
        if options.all or shown[name] <= 3:
            print("%s  %s: %s" % (name, at, what))
    for name, count in shown.items():
        if count > 3 and not options.all:
            print("%s  … %d in all" % (name, count))
    if options.all:
        print("\n".join(tally.extra))
    for group in sorted(tally.total):
        print("%-20s %8d of %8d agree" % (group, tally.agreed[group], tally.total[group]))
    total, agreed = sum(tally.total.values()), sum(tally.agreed.values())
    print("%d data sets, %d of %d numbers agree" % (len(cases), agreed, total))
    if not options.keep:
        shutil.rmtree(folder)
    sys.exit(0 if agreed == total and total > len(cases) else 1)


if __name__ == "__main__":
    main()
