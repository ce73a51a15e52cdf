"""What the tests of the lean program share: a TAP runner, a fake machine, and perjoule itself."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
import unittest

BUILD = os.environ.get("PERJOULE_BUILD_ROOT", ".")
PERJOULE = os.path.join(BUILD, "src/cli/perjoule")
SPENDER = os.path.join(BUILD, "tests/e2e/spender")
RANGE_61 = 262143328850  # (2^32 - 1) units of 61.035 uJ, as the kernel shows it


class Tap(unittest.TestResult):
    """Prints one line for each test as it ends."""

    def __init__(self):
        super().__init__()
        self.number = 0

    def line(self, good, test, text=""):
        self.number += 1
        print("%s %d - %s%s" % ("ok" if good else "not ok", self.number, test.id().split(".", 1)[1],
                                text), flush=True)

    def addSuccess(self, test):
        self.line(True, test)

    def addSkip(self, test, reason):
        self.line(True, test, " # SKIP " + reason)

    def say(self, test, err):
        self.line(False, test)
        for row in "".join(traceback.format_exception(*err)).splitlines():
            print("# " + row, flush=True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.say(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self.say(test, err)


def main():
    for program in (PERJOULE, SPENDER):
        if not os.path.exists(program):
            sys.exit("Bail out! there is no %s: build, and set PERJOULE_BUILD_ROOT" % program)
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    print("1..%d" % suite.countTestCases(), flush=True)
    result = Tap()
    suite.run(result)
    sys.exit(not result.wasSuccessful())


class Case(unittest.TestCase):
    """A test with a folder of its own and a fake machine in it."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="perjoule-e2e-")
        self.root = os.path.join(self.dir, "root")
        os.mkdir(self.root)

    def tearDown(self):
        shutil.rmtree(self.dir)

    def path(self, name):
        return os.path.join(self.dir, name)

    def put(self, path, text):
        """Writes a file below the fake root."""
        full = os.path.join(self.root, path.lstrip("/"))
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)
        return full

    def zone(self, zone, name, energy_uj=0, max_range_uj=RANGE_61):
        """A RAPL zone; returns the path of its counter."""
        folder = "/sys/class/powercap/" + zone
        self.put(folder + "/name", name + "\n")
        self.put(folder + "/max_energy_range_uj", "%d\n" % max_range_uj)
        return self.put(folder + "/energy_uj", "%020d\n" % energy_uj)

    def environment(self, **more):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("PERJOULE", "LC_"))}
        env["XDG_CACHE_HOME"] = self.path("cache")  # not what the user's machine has found out
        env.update({k: v for k, v in more.items() if v is not None})
        return env

    def run_perjoule(self, *args, env=None, stdin=subprocess.DEVNULL, timeout=60, **how):
        return subprocess.run([PERJOULE, *args], env=env or self.environment(), stdin=stdin,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
                              check=False, **how)

    def measure(self, *command, options=(), code=0, **how):
        """Measures a command on the fake machine; returns the JSON result."""
        out = self.path("result.json")
        done = self.run_perjoule("measure", "--root", self.root, "--json", out, *options, "--",
                                 *command, **how)
        self.assertEqual(done.returncode, code, done.stderr.decode())
        with open(out, encoding="utf-8") as file:
            return json.load(file)
