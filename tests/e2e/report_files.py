#!/usr/bin/python3
"""report and verify as a user meets them: a study on the stub engine, its report twice, changed
digits, no gnuplot.

    report_files.py --build BUILD
Output is TAP. Nothing outside a temporary folder is touched.
"""
import argparse
import html.parser
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

STUDY = """\
study: report <of> files & 50%
question: Is it less?
factors: {{concurrency: [1, 2]}}
repetitions: 2
order: {{seed: 7}}
engine:
  kind: llamacpp
  server: [{server}, --ttft-ms, "5", --itl-ms, "2", --echo-after, "Answer: "]
  model: {model}
  slots: 2
  context: 256
  threads: 1
load: {{kind: closed, concurrency: "${{concurrency}}"}}
task:
  - {{name: energy, items: items.jsonl, prompt: "{{text}}", max_tokens: 20, ignore_eos: true}}
  - {{name: quiz, items: quiz.jsonl, prompt: "{{text}}", max_tokens: 8, gold: answer, choices: [yes, no],
     scorer: binary, positive: yes}}
phases: {{warmup: 0s, idle: 0s, cooldown: 0s}}
limits: {{engine_start: 10s, request: 5s, trial: 30s, engine_stop: 500ms, meter: 1s}}
gates: {{cpu_thief: 1, steal_time: 1, send_lag: 1}}
"""


class Failed(Exception):
    pass


def check(condition, words):
    if not condition:
        raise Failed(words)


class Page(html.parser.HTMLParser):
    """Ids, links and sources of a page."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.sources, self.open = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if "id" in attrs:
            self.ids.append(attrs["id"])
        if "href" in attrs:
            self.links.append(attrs["href"])
        if "src" in attrs:
            self.sources.append(attrs["src"])
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        check(self.open and self.open[-1] == tag, "</%s> closes %s" % (tag, self.open[-3:]))
        self.open.pop()


class Numbers(html.parser.HTMLParser):
    """Numbers of the tables that are not in a link."""

    def __init__(self, text):
        super().__init__()
        self.table, self.depth, self.cell, self.found, self.linked = "", 0, False, [], {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.table = attrs.get("id", "") if tag == "table" else self.table
        self.cell = True if tag == "td" else self.cell
        self.depth += tag == "a"
        if tag == "a" and self.cell:
            self.linked[self.table] = self.linked.get(self.table, 0) + 1

    def handle_endtag(self, tag):
        self.cell = False if tag == "td" else self.cell
        self.depth -= tag == "a"

    def handle_data(self, data):
        if self.cell and not self.depth and self.table != "sources":
            self.found += [(self.table, data) for _ in
                           re.finditer(r"(?<![\w=.\-])[0-9]+(\.[0-9]+)?(?![\w])", data)]


class Bench:
    def __init__(self, build):
        self.perjoule = os.path.join(build, "src", "cli", "perjoule")
        self.dir = tempfile.mkdtemp(prefix="perjoule-report-")
        self.write("items.jsonl", "".join(
            json.dumps({"id": str(i), "text": "item %d goes" % i}) + "\n" for i in range(4)))
        self.write("quiz.jsonl", "".join(
            json.dumps({"id": "q%d" % i, "text": "Is it %d? Answer: %s" % (i, a), "answer": a}) + "\n"
            for i, a in enumerate(["yes", "no", "yes"])))
        self.write("study.yaml", STUDY.format(
            server=json.dumps(os.path.join(build, "tests", "stub", "stub_server")),
            model=json.dumps(self.write("model.gguf", "a model that the stub does not read"))))
        self.study = self.path("study")
        self.run("run", "study.yaml", "--out", self.study, want=None)
        self.run("report", self.study, "--out", self.path("report"), want=None)
        self.report = self.path("report")
        self.pictures = os.path.exists(os.path.join(self.report, "trace.svg"))

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def read(self, name):
        with open(os.path.join(self.report, name), encoding="utf-8", newline="") as file:
            return file.read()

    def run(self, *words, want=0, cwd=None, **env):
        all_env = dict(os.environ, PERJOULE_LIBEXEC=os.path.dirname(self.perjoule))
        all_env.update(env)
        done = subprocess.run([self.perjoule, *words], stdin=subprocess.DEVNULL, capture_output=True,
                              cwd=cwd or self.dir, env=all_env, timeout=120, check=False)
        done.text = done.stdout.decode() + done.stderr.decode()
        if want is not None and done.returncode != want:
            raise Failed("%r: exit code %d, not %d\n%s" % (words, done.returncode, want, done.text))
        return done


def tree(path):
    found = {}
    for folder, _, names in os.walk(path):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                found[os.path.relpath(os.path.join(folder, name), path)] = file.read()
    return found


def test_the_same_bytes_anywhere(bench):
    first = tree(bench.report)
    check(len(first) > 15, "files: %r" % sorted(first))
    moved = bench.path("moved")
    shutil.copytree(bench.study, os.path.join(moved, "elsewhere"))
    bench.run("report", "elsewhere", "--out", "r", want=None, cwd=moved, TZ="Asia/Kathmandu",
              LC_ALL="de_DE.UTF-8", LANG="tr_TR.UTF-8", COLUMNS="40")
    second = tree(os.path.join(moved, "r"))
    check(sorted(first) == sorted(second), "other files")
    for name, text in first.items():
        check(second[name] == text, "%s differs" % name)


def test_verify_agrees(bench):
    text = bench.run("verify", bench.report, bench.study).text
    check("all as recomputed" in text, text)


def test_changed_digits_are_found(bench):
    rng = random.Random(4)
    copy = bench.path("changed")
    for name in ["report.html", "report.md", "figures.csv", "comparisons.tex", "methods.tex",
                 "values.csv"] + (["distribution.svg"] if bench.pictures else []):
        text = bench.read(name)
        places = [m.start() for m in re.finditer("[0-9]", text)]
        for place in rng.sample(places, 3):
            shutil.rmtree(copy, ignore_errors=True)
            os.mkdir(copy)
            digit = str((int(text[place]) + 1 + rng.randrange(9)) % 10)
            with open(os.path.join(copy, name), "w", encoding="utf-8", newline="") as file:
                file.write(text[:place] + digit + text[place + 1:])
            done = bench.run("verify", os.path.join(copy, name), bench.study, want=3)
            check("printed" in done.text and "recomputed" in done.text and name in done.text,
                  done.text)


def test_a_changed_picture_is_found(bench):
    if not bench.pictures:
        return
    for suffix in ("png", "pdf"):
        path = os.path.join(bench.report, "trace." + suffix)
        with open(path, "rb") as file:
            good = file.read()
        with open(path, "wb") as file:
            file.write(good[:500] + bytes([good[500] ^ 1]) + good[501:])
        text = bench.run("verify", bench.report, bench.study, want=3).text
        with open(path, "wb") as file:
            file.write(good)
        check("trace." + suffix in text and "1 difference in 1 of" in text, text)


def test_another_study_is_found(bench):
    """The report of a study whose records say something else."""
    other = bench.path("other")
    shutil.copytree(bench.study, other)
    base = sqlite3.connect(os.path.join(other, "study.sqlite"))
    base.execute("UPDATE metric SET value = value * 1.001 WHERE name = 'dur_s'")
    base.commit()
    base.close()
    text = bench.run("verify", os.path.join(bench.report, "figures.csv"), other, want=3).text
    check("dur_s" in text and "trials" in text, text)


def change_record(bench, statement, name="tampered", rows=1):
    other = bench.path(name)
    shutil.rmtree(other, ignore_errors=True)
    shutil.copytree(bench.study, other)
    if statement:
        base = sqlite3.connect(os.path.join(other, "study.sqlite"))
        check(base.execute(statement).rowcount == rows, "%s changes other rows" % statement)
        base.commit()
        base.close()
    return other


def test_every_task_has_its_answer(bench):
    """Which task a sentence is about is said when there are several; accuracy goes with its own energy."""
    text = " ".join(bench.run("report", bench.study, "--out", bench.path("tasks"), want=None).stdout.decode().split())
    answer = text[:text.index("Every energy here")]
    for task in ("energy", "quiz"):
        check(len(re.findall(r"\b%s: (With|Undecided: with) concurrency=2, (modelled )?energy " % task, answer)) == 1, answer)
    page = open(os.path.join(bench.path("tasks"), "report.md"), encoding="utf-8").read()
    for words in ("energy: Ratio of energy per output token", "quiz: Accuracy against energy",
                  "energy: Mean energy of the window by domain"):
        check(words in page, words)


def test_no_answer_says_why(bench):
    """Where no trial of a treatment is done, how they ended takes the place of an answer."""
    other = change_record(bench, "UPDATE trial SET state = 'invalid', reason = 'host_bound' WHERE id IN"
                          " (SELECT trial FROM trial_level WHERE level = 1)", "invalid", 2)
    text = " ".join(bench.run("report", other, "--out", bench.path("why"), want=None).text.split())
    check("against concurrency=1: no trial of concurrency=2 is done (2 invalid; host_bound)." in text, text[-3000:])


def test_changed_records_are_found(bench):
    """The report agrees with the database; the database does not with the files."""
    text = bench.run("verify", os.path.join(bench.report, "figures.csv"), bench.study).text
    check("made again from the files of the study; 16 files" in text, text)
    check("Not made again" in text and "steal_share" in text and "recall_share" not in text, text)
    one = "attempt = 3 AND task = 'energy'"
    for statement, words in (
            ("UPDATE metric SET value = value * 1.0000001 WHERE name = 'ttft_p99_s' AND " + one,
             "trial 3, energy.ttft_p99_s: stored"),
            ("UPDATE metric SET u_com = u_com / 2 WHERE name = 'j_per_token' AND " + one,
             "trial 3, energy.j_per_token, u_com: stored"),
            ("UPDATE metric SET value = 4.5 WHERE name = 'accuracy_share' AND attempt = 3",
             "trial 3, quiz.accuracy_share: stored 4.5, recomputed 1;"),
            ("DELETE FROM metric WHERE name = 'power_w' AND " + one,
             "trial 3, energy.power_w: stored no row, recomputed one"),
            ("UPDATE energy SET value_j = value_j + 0.001 WHERE name = 'total' AND phase = 'measure'"
             " AND " + one, "trial 3, energy of measure energy, total, J: stored"),
            ("UPDATE request SET output_tokens = 21 WHERE sequence = 2 AND " + one,
             "output_tokens: stored 21, recomputed 20"),
            ("UPDATE request SET text = 'another' WHERE sequence = 2 AND " + one, ", text: stored"),
            ("UPDATE request SET last_token_ns = last_token_ns + 1 WHERE sequence = 1 AND " + one,
             "last_token_ns: stored"),
            ("DELETE FROM request WHERE sequence = 3 AND " + one,
             "this request is not in the database"),
            ("UPDATE phase SET end_ns = end_ns + 1000000 WHERE name = 'measure' AND " + one,
             "energy.dur_s: stored"),
            ("UPDATE metric SET value = 0.5 WHERE name = 'positive_share' AND attempt = 3",
             "trial 3, quiz.positive_share: stored 0.5, recomputed 0.66"),
            ("UPDATE answer SET answer = 'yes', correct = 0 WHERE attempt = 3 AND item = 'q1'",
             "answer 'yes' to item q1 of quiz: stored a row, recomputed none"),
            ("UPDATE answer SET correct = 0 WHERE attempt = 3 AND item = 'q1'",
             "answer 'no' to item q1 of quiz, right or not: stored 0, recomputed 1")):
        other = change_record(bench, statement)
        text = bench.run("verify", "--all", os.path.join(bench.report, "methods.tex"), other,
                         want=None).text
        check("study.sqlite: " in text or "artefacts/3: " in text, "%s: %s" % (statement, text))
        check(words in text, "%s: %s" % (statement, text))
    again = bench.path("again")  # a report of changed records agrees with them, not with the files
    bench.run("report", other, "--out", again, want=None)
    text = bench.run("verify", again, other, want=3).text
    check("in 0 of" in text and words in text, text)


def test_changed_files_are_found(bench):
    for name, old, new, words in (
            ("trace.jsonl", None, None, "trial 2, energy of"),
            ("requests.jsonl", b'"output_tokens":20', b'"output_tokens":19',
             "output_tokens: stored 20, recomputed 19"),
            ("requests.jsonl", b'"spec":1', b'"spec":9', "this request is not in the database"),
            ("engine.log", b"", b"more", "is not the file that was recorded")):
        other = change_record(bench, None)
        path = os.path.join(other, "artefacts", "2", name)
        with open(path, "rb") as file:
            text = file.read()
        if name == "trace.jsonl":  # one digit of the last counter reading
            lines = text.splitlines(keepends=True)
            at = max(i for i, line in enumerate(lines) if b'"r":[[0,' in line)
            place = lines[at].index(b'"r":[[0,') + 10
            digit = b"%d" % ((int(lines[at][place:place + 1]) + 1) % 10)
            lines[at] = lines[at][:place] + digit + lines[at][place + 1:]
            text = b"".join(lines)
        else:
            text = new + text if name == "engine.log" else text.replace(old, new, 1)
        with open(path, "wb") as file:
            file.write(text)
        done = bench.run("verify", "--all", os.path.join(bench.report, "figures.csv"), other, want=3)
        check("artefacts/2/%s: is not the file that was recorded" % name in done.text, done.text)
        check(words in done.text, done.text)
    other = change_record(bench, None)
    os.unlink(os.path.join(other, "artefacts", "2", "trace.jsonl"))
    done = bench.run("verify", os.path.join(bench.report, "figures.csv"), other, want=3)
    check("artefacts/2/trace.jsonl: is missing" in done.text, done.text)


def test_usage(bench):
    for words in ([], [bench.report], [bench.report, "none"], ["none", bench.study],
                  [bench.dir + "/study.yaml", bench.study], [bench.study, bench.study]):
        done = bench.run("verify", *words, want=2)
        check(done.stderr.startswith(b"perjoule: "), done.text)


def test_the_page_is_whole(bench):
    text = bench.read("report.html")
    page = Page(text)
    check(not page.open, "not closed: %r" % page.open)
    check(len(page.ids) == len(set(page.ids)), "an id twice")
    check(all(link.startswith("#") and link[1:] in page.ids for link in page.links), "a dead link")
    check(all(src.startswith("data:") for src in page.sources), "a file outside the page")
    check("http:" not in text and "https:" not in text and "//" not in
          re.sub(r"data:[^\"]*|<style>.*?</style>|<script>.*?</script>|<td>.*?</td>", "", text,
                 flags=re.S), "an address outside the page")
    for table in ("comparisons", "records", "sources"):
        check(table in page.ids, "no table " + table)
    check("t1" in page.ids and "s1" in page.ids and "def-mean" in page.ids, "records and definitions")
    numbers = Numbers(re.sub(r"data:[^\"]*|<style>.*?</style>|<script>.*?</script>", "", text,
                             flags=re.S))
    check(not numbers.found, "numbers that lead nowhere: %r" % numbers.found)
    for table in ("facts", "sensors", "records", "comparisons"):
        check(numbers.linked.get(table, 0) > 2, "no links in %s: %r" % (table, numbers.linked))
    row = re.search(r'<tr><td>J/token</td>.*</tr>', text).group(0)
    check(row.count('class="n"') == 6, "a number without its record: " + row)


def test_latex_is_balanced(bench):
    names = [name for name in os.listdir(bench.report) if name.endswith(".tex")]
    check("methods.tex" in names and "comparisons.tex" in names, "%r" % names)
    for name in names:
        text = "\n".join(l for l in bench.read(name).splitlines() if not l.startswith("%"))
        text = text.replace("\\\\", "").replace("\\{", "").replace("\\}", "")
        depth = 0
        for char in text:
            depth += {"{": 1, "}": -1}.get(char, 0)
            check(depth >= 0, name + ": a brace closes nothing")
        check(depth == 0, name + ": a brace stays open")
        check(not re.search(r"(?<!\\)[#$%^~]", text), name + ": a character of TeX is not escaped")
        for line in text.splitlines():
            if " & " in line:
                check(line.rstrip().endswith("\\") or line.count("&") > 0, line)
        body = bench.read(name)
        if "tabular" in body:
            columns = re.search(r"\\begin\{tabular\}\{(.*)\}", body).group(1)
            n = len(re.sub(r"p\{[^}]*\}", "p", columns))
            for line in body.split("\\toprule")[1].splitlines():
                if line.endswith("\\\\"):
                    cells = len(re.findall(r"(?<!\\)&", line)) + 1
                    check(cells == n, "%s: %d cells in %d columns: %s" % (name, cells, n, line))


def test_without_gnuplot(bench):
    bin_dir = bench.path("bin")
    os.makedirs(bin_dir, exist_ok=True)
    if not os.path.exists(os.path.join(bin_dir, "env")):
        os.symlink(shutil.which("env"), os.path.join(bin_dir, "env"))
    bare = bench.path("bare")
    done = bench.run("report", bench.study, "--out", bare, want=None, PATH=bin_dir)
    check(done.returncode in (0, 3) and b"gnuplot" in done.stderr, done.text)
    files = os.listdir(bare)
    check("report.html" in files and not [f for f in files if f.endswith((".svg", ".png", ".pdf"))],
          "%r" % files)
    with open(os.path.join(bare, "report.html"), encoding="utf-8") as file:
        check("No pictures: gnuplot is missing" in file.read(), "the page does not say it")
    bench.run("verify", bare, bench.study)
    bench.run("verify", bare, bench.study, PATH=bin_dir)
    if bench.pictures:  # drawn there, verified here without gnuplot: said, and not called valid
        text = bench.run("verify", bench.report, bench.study, want=3, PATH=bin_dir).text
        check("cannot be drawn again: gnuplot is missing" in text and "printed" not in text, text)
        bench.run("verify", os.path.join(bench.report, "figures.csv"), bench.study, PATH=bin_dir)


TESTS = [test_verify_agrees, test_the_same_bytes_anywhere, test_changed_digits_are_found,
         test_a_changed_picture_is_found, test_another_study_is_found,
         test_changed_records_are_found, test_changed_files_are_found, test_usage,
         test_every_task_has_its_answer, test_no_answer_says_why,
         test_the_page_is_whole, test_latex_is_balanced, test_without_gnuplot]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    bench = Bench(os.path.abspath(parser.parse_args().build))
    bad = 0
    print("1..%d" % len(TESTS), flush=True)
    try:
        for number, test in enumerate(TESTS, 1):
            name = test.__name__[5:].replace("_", " ")
            try:
                test(bench)
                print("ok %d - %s" % (number, name), flush=True)
            except (Failed, OSError, subprocess.TimeoutExpired, AttributeError) as error:
                bad += 1
                print("not ok %d - %s" % (number, name))
                for line in str(error).splitlines()[:30]:
                    print("# " + line, flush=True)
    finally:
        shutil.rmtree(bench.dir, ignore_errors=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
