#!/usr/bin/python3
"""tools/count-tests must count what happened and never call nothing a success. Output is TAP."""
import json
import os
import subprocess
import sys
import tempfile

TOOL = os.path.join(os.environ["PERJOULE_SOURCE_ROOT"], "tools", "count-tests")

# name, stdout of the program, what meson made of it, what must be counted (None: it must fail)
CASES = [
    ("cases are counted", "1..3\nok 1 - a\nnot ok 2 - b\nok 3 - c # SKIP why\n", "FAIL", "1 1 1"),
    ("diagnostics are no cases", "1..1\n# not ok 1\n# ok - group\nok 1 - a\n", "OK", "1 0 0"),
    ("a skipped program", "1..0 # SKIP no data\n", "SKIP", "0 0 1"),
    ("a crash without a failed case", "1..2\nok 1 - a\n", "ERROR", "1 1 0"),
    ("a timeout", "", "TIMEOUT", "0 1 0"),
    ("a program that says nothing", "", "SKIP", "0 1 0"),
    ("no program at all", None, None, None),
]


def count(stdout, result):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as log:
        if stdout is not None:
            log.write(json.dumps({"name": "room / subject", "stdout": stdout, "result": result,
                                  "returncode": 0}) + "\n")
            log.flush()
        return subprocess.run([TOOL, log.name], check=False, capture_output=True, text=True)


def main():
    print("1..%d" % (len(CASES) + 1))
    bad = 0
    for number, (name, stdout, result, wanted) in enumerate(CASES, 1):
        done = count(stdout, result)
        fine = done.returncode != 0 if wanted is None else done.stdout.strip() == wanted
        bad += not fine
        print("%s %d - %s" % ("ok" if fine else "not ok", number, name))
        if not fine:
            print("# counted %r, %r" % (done.stdout, done.stderr))
    shown = count(CASES[0][1], CASES[0][2]).stderr
    fine = "FAILED room / subject" in shown and "not ok 2 - b" in shown and "why" in shown
    bad += not fine
    print("%s %d - output of a failure and the reason of a skip are shown" % (
        "ok" if fine else "not ok", len(CASES) + 1))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
