#!/usr/bin/python3
"""perjoule analyse as a user meets it: tables, exit codes, JSON, and the reference values through the
command line where the shared folder is there.

    analyse_command.py --build BUILD
Output is TAP. Nothing outside a temporary folder is touched.
"""
import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile

TABLE = """\
machine,mode,joules,tokens
a,fast,10.5,100
a,slow,14.25,101
b,fast,11,99
b,slow,15.5,103
c,fast,9.75,
c,slow,13,98
d,fast,12,102
d,slow,16.25,100
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

    def run(self, *words, want=0):
        done = subprocess.run([self.perjoule, "analyse", *words], capture_output=True,
                              cwd=self.dir, timeout=60, check=False)
        check(done.returncode == want, "%r: exit %d, %r" % (words, done.returncode, done.stderr))
        return done

    def json(self, *words, want=0):
        return json.loads(self.run(*words, "--json", "-", want=want).stdout)


def test_text_and_json(bench):
    bench.write("t.csv", TABLE)
    words = ["t.csv", "--response", "joules", "--by", "mode", "--tests", "oneway,wilcoxon"]
    text = bench.run(*words).stdout.decode()
    check("oneway" in text and "fast - slow" in text and "kruskal" not in text, text)
    got = bench.json(*words)
    check(sorted(got) == ["checks", "oneway", "rows", "wilcoxon"], "%r" % sorted(got))
    check(got["wilcoxon"]["fast - slow"]["W"] == 0, "W")
    bench.run(*words, "--json", "out.json")
    with open(bench.path("out.json"), encoding="utf-8") as file:
        check(json.load(file) == got, "the file says something else")


def test_missing_rows(bench):
    bench.write("t.csv", TABLE)
    got = bench.json("t.csv", "--model", "log(joules) ~ mode + tokens")
    check(got["rows"] == {"used": 7, "left_out": 1}, "%r" % got["rows"])
    got = bench.json("t.csv", "--model", "joules ~ mode + (1|machine)", "--where", "machine != 'd'")
    check(got["rows"]["used"] == 6 and got["lmm"]["groups"] == 3, "%r" % got["rows"])


def test_paired(bench):
    bench.write("t.csv", TABLE)
    got = bench.json("t.csv", "--response", "joules", "--by", "mode", "--paired-by", "machine")
    check(got["signedrank"]["V"] == 0 and got["friedman"]["blocks"] == 4, "%r" % got)


def test_usage(bench):
    bench.write("t.csv", TABLE)
    for words in ([], ["t.csv"], ["none.csv", "--model", "y ~ x"], ["t.csv", "--model", "joules ~"],
                  ["t.csv", "--response", "joules", "--by", "nobody"], ["t.csv", "--separator", "ab"],
                  ["t.csv", "t.csv", "--model", "joules ~ mode"], ["t.csv", "--modle", "y ~ x"]):
        done = bench.run(*words, want=2)
        check(done.stderr.startswith(b"perjoule: ") and done.stdout == b"", "%r: %r" %
              (words, done.stderr))


def test_no_conclusion(bench):
    bench.write("flat.csv", "g,y\na,1\na,1\nb,2\nb,2\n")
    got = bench.json("flat.csv", "--response", "y", "--by", "g", want=3)
    check(got["findings"][0]["forbids_conclusion"], "%r" % got["findings"])
    check(b"forbid" in bench.run("flat.csv", "--response", "y", "--by", "g", want=3).stdout,
          "the text does not say it")


def test_decimal_comma(bench):
    bench.write("c.csv", "g;y\na;1,5\na;2,5\nb;4,5\nb;6\n")
    words = ["c.csv", "--separator", ";", "--response", "y", "--by", "g", "--tests", "descriptive"]
    check(b"decimal comma" in bench.run(*words, want=2).stderr, "not refused")
    check(bench.json(*words, "--decimal-comma")["descriptive"]["a"]["mean"] == 2, "mean")


def test_full_pipe(bench):
    bench.write("t.csv", TABLE)
    for words in ([], ["--json", "-"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([bench.perjoule, "analyse", "t.csv", "--model", "joules ~ mode",
                                   *words], stdout=full, stderr=subprocess.PIPE, cwd=bench.dir,
                                  timeout=60, check=False)
        check(done.returncode == 1 and b"standard output" in done.stderr, "%r" % done.stderr)


def leaves(value, path=""):
    if isinstance(value, dict):
        for key, below in value.items():
            yield from leaves(below, path + "/" + key if path else key)
    elif not isinstance(value, str) and value is not None:
        yield path, float(value)


def number_at(value, path):
    for key in path.split("/"):
        value = value[key]
    return float(value)


def test_reference(bench):
    shared = os.environ.get("PERJOULE_SHARED") or os.path.join(
        os.environ.get("PERJOULE_SOURCE_ROOT", "."), "..", "shared")
    oracle = os.path.abspath(os.path.join(shared, "oracle"))
    if not os.path.exists(os.path.join(oracle, "greenlab-golden.json")):
        return "the reference values are not here"
    table = os.path.join(oracle, "greenlab-run-table.csv")
    with open(os.path.join(oracle, "greenlab-golden.json"), encoding="utf-8") as file:
        golden = {e["id"]: e["values"] for e in json.load(file)["entries"]}
    tolerance = {}
    with open(os.path.join(oracle, "greenlab-golden.tsv"), encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            tolerance[row["id"], row["key"]] = float(row["rtol"]), float(row["atol"])
    by = bench.json(table, "--response", "energy", "--by", "generation", want=3)
    mixed = bench.json(table, "--model", "log(energy) ~ generation*task + (1|run)", "--factor",
                       "generation", "--emmeans", "generation|task", want=3)
    plain = bench.json(table, "--model", "energy ~ generation*task", "--factor", "generation",
                       "--emmeans", "generation|task", want=3)
    pairs = [("%s/rep/energy/generation" % g, by[g]) for g in (
        "descriptive", "shapiro", "levene", "oneway", "kruskal", "dunn", "wilcoxon", "cliff",
        "ttest")]
    model = "rep/log_energy~generation*task"
    pairs += [("lmm/" + model, mixed["lmm"]), ("lmm_type3/" + model, mixed["lmm_type3"])]
    for ddf in ("satterthwaite", "kenward-roger"):
        for spec in ("generation", "generation|task"):
            pairs.append(("lmm_emmeans/%s/%s/%s" % (model, spec, ddf),
                          mixed["lmm_emmeans"][spec][ddf]))
    pairs += [("factorial/rep/energy~generation*task", plain["factorial"]),
              ("contrast/rep/energy~generation*task|task", plain["contrast"]["generation|task"]),
              ("art/rep/energy~generation*task", plain["art"]),
              ("art_contrast/rep/energy~generation*task/generation",
               plain["art_contrast"]["generation"])]
    total = 0
    for name, got in pairs:
        for path, value in leaves(golden[name]):
            if path.startswith("lme4_default"):
                continue
            rtol, atol = tolerance[name, path]
            here = number_at(got, path)
            check(abs(here - value) <= atol + rtol * abs(value), "%s %s: %r, not %r" %
                  (name, path, here, value))
            total += 1
    check(total > 2000, "only %d values compared" % total)
    return None


STUDY = """\
study: declared
factors: {wait: [a, b]}
repetitions: 3
engine: {kind: command, run: ["true", $wait]}
analysis: {response: dur_s, factors: [wait], tests: [descriptive, kruskal], adjust: Holm}
"""


def test_declared(bench):
    bench.write("s.yaml", STUDY)
    for wrong, words in ((STUDY.replace("kruskal", "kruskel"), b"did you mean 'kruskal'"),
                         (STUDY.replace("[wait], tests", "[weight], tests"), b"unknown factor"),
                         (STUDY.replace("Holm", "holms"), b"analysis adjust is one of"),
                         (STUDY.replace("response: dur_s, ", ""), b"needs a response")):
        bench.write("bad.yaml", wrong)
        done = subprocess.run([bench.perjoule, "check", "bad.yaml"], capture_output=True,
                              cwd=bench.dir, timeout=60, check=False)
        check(done.returncode == 2 and words in done.stderr, "%r" % done.stderr)
    done = subprocess.run([bench.perjoule, "run", "s.yaml", "--out", "out"], capture_output=True,
                          cwd=bench.dir, timeout=120, check=False)
    check(done.returncode in (0, 3), "%r" % done.stderr)
    got = json.loads(subprocess.run([bench.perjoule, "analyse", "out", "--json", "-"],
                                    capture_output=True, cwd=bench.dir, timeout=60,
                                    check=False).stdout)
    check(got["plan"]["status"] == "planned" and len(got["plan"]["sha256"]) == 64, got["plan"])
    check("kruskal" in got and "oneway" not in got, sorted(got))
    for words in (["--response", "dur_s", "--by", "wait"],
                  ["--response", "dur_s", "--by", "wait", "--tests", "descriptive,kruskal",
                   "--where", "repetition < 3"]):
        done = subprocess.run([bench.perjoule, "analyse", "out", *words], capture_output=True,
                              cwd=bench.dir, timeout=60, check=False)
        check(done.stdout.startswith(b"exploratory analysis"), "%r" % done.stdout[:99])
    text = subprocess.run([bench.perjoule, "analyse", "out", "--response", "dur_s", "--by", "wait",
                           "--tests", "descriptive,kruskal"], capture_output=True, cwd=bench.dir,
                          timeout=60, check=False).stdout
    check(text.startswith(b"planned analysis"), "%r" % text[:99])


PROTOCOL = """\
protocol: own
columns:
  run: {from: [wait, block]}
  wait: {}
  block: {}
  seconds: {number: true, aliases: [dur_s]}
  energy: {number: true, aliases: [repetition]}
runs: {by: run}
questions:
  - {id: Q1, title: As declared, rows: rows, response: seconds, unit: s, by: wait, tests: [kruskal]}
  - {id: Q2, title: Another response, rows: rows, response: energy, unit: s, by: wait, tests: [kruskal]}
  - {id: Q3, title: Another test, rows: rows, response: seconds, unit: s, by: wait, tests: [oneway]}
"""


def test_declared_adjustment(bench):
    """the plan's adjustment is the one that is printed; a protocol's questions are labelled"""
    study = STUDY.replace("[a, b]", "[a, b, c]").replace("kruskal]", "kruskal, dunn, wilcoxon]")
    for wrong, words in ((study.replace("Holm", "Tukey"), b"add contrast to tests"),
                         (study.replace("Holm", "Tukey, blocks: block"), b"not go with blocks")):
        bench.write("bad.yaml", wrong)
        for command in (["check"], ["run", "--out", "never"]):
            done = subprocess.run([bench.perjoule, *command, "bad.yaml"], capture_output=True,
                                  cwd=bench.dir, timeout=60, check=False)
            check(done.returncode == 2 and words in done.stderr, "%r" % done.stderr)
    bench.write("s.yaml", study)
    done = subprocess.run([bench.perjoule, "run", "s.yaml", "--out", "out"], capture_output=True,
                          cwd=bench.dir, timeout=120, check=False)
    check(done.returncode in (0, 3), "%r" % done.stderr)

    def analyse(*words):
        return subprocess.run([bench.perjoule, "analyse", "out", *words], capture_output=True,
                              cwd=bench.dir, timeout=60, check=False).stdout.decode()
    text = analyse("--force")
    check("p adjusted after Holm over 3 comparisons, alpha 0.05" in text, text)
    check("p_holm" in text and "p_bh" not in text and "p_bonferroni" not in text, text)
    got = json.loads(analyse("--json", "-"))
    check(got["conclusion"]["adjust"] == "Holm", got["conclusion"])
    for pair, values in got["conclusion"]["families"]["dunn"].items():
        check(abs(values["p_adjusted"] - got["dunn"][pair]["p_holm"]) < 1e-15, values)
    got = json.loads(analyse("--adjust", "Bonferroni", "--json", "-"))
    check(got["plan"]["status"] == "exploratory", got["plan"])
    check(got["conclusion"]["adjust"] == "Bonferroni", got["conclusion"])
    bench.write("own.yaml", PROTOCOL)
    text = analyse("--protocol", "./own.yaml", "--out", "tables", "--no-plots", "--json", "p.json")
    check("planned, as" not in text and "the tests are not the declared ones" in text, text)
    check("the study declared another analysis before it ran: dur_s by wait" in text, text)
    # declared with the adjustment of a protocol: the first question is the planned one
    bench.write("s.yaml", study.replace("Holm", "BH").replace(", dunn, wilcoxon", ""))
    subprocess.run([bench.perjoule, "run", "s.yaml", "--out", "out2"], capture_output=True,
                   cwd=bench.dir, timeout=120, check=False)
    text = subprocess.run([bench.perjoule, "analyse", "out2", "--protocol", "./own.yaml", "--out",
                           "tables2", "--no-plots", "--json", "p.json"], capture_output=True,
                          cwd=bench.dir, timeout=60, check=False).stdout.decode()
    with open(os.path.join(bench.dir, "p.json"), encoding="utf-8") as file:
        plans = [question["plan"] for question in json.load(file)]
    check([plan["status"] for plan in plans] == ["planned", "exploratory", "exploratory"], plans)
    check("response" in plans[1]["reason"] and "tests" in plans[2]["reason"], plans)
    check("planned, as declared before the run (plan " in text, text)
    check("exploratory: the response is not the declared one" in text, text)


TESTS = [test_declared_adjustment, test_text_and_json, test_missing_rows, test_paired, test_usage, test_no_conclusion,
         test_decimal_comma, test_declared, test_full_pipe, test_reference]


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
            skipped = test(bench)
            print("ok %d - %s%s" % (number, name, " # SKIP " + skipped if skipped else ""),
                  flush=True)
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
