#!/usr/bin/python3
"""Gates as a user meets them: whole studies, each with one fault that is made to happen inside the
measured window, and each fault is caught; without a fault nothing is said.

    gates.py --build BUILD
"""
import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

STUDY = """\
study: gates
factors: {rest: ["0.3"]}
repetitions: 1
engine: {kind: command, run: [sh, -c, "touch FAULT; sleep ${rest}"]}
meter: {interval: 20ms}
limits: {attempts: 1, trial: 60s}
gates: {cpu_thief: 1, steal_time: 1}
"""


class Failed(Exception):
    pass


def check(condition, words):
    if not condition:
        raise Failed(words)


class Bench:
    def __init__(self, build):
        self.build = build
        self.perjoule = os.path.join(build, "src", "cli", "perjoule")
        self.dir = tempfile.mkdtemp(prefix="perjoule-gates-")
        self.n = 0

    def path(self, name):
        return os.path.join(self.dir, name)

    def study(self, text, want, **env):
        """Runs the study; the gates of its trials as {code: (consequence, detail)}."""
        self.n += 1
        path, out = self.path("s%d.yaml" % self.n), self.path("out%d" % self.n)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        full = dict(os.environ, PERJOULE_LIBEXEC=os.path.dirname(self.perjoule), **env)
        done = subprocess.run([self.perjoule, "run", path, "--out", out], env=full, timeout=120,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        words = done.stdout.decode() + done.stderr.decode()
        check(done.returncode == want, "exit code %d, not %d: %s" % (done.returncode, want, words))
        self.out = out
        return {code: (consequence, detail)
                for code, consequence, detail in self.rows("SELECT code, consequence, detail FROM gate")}

    def rows(self, query, *values):
        db = sqlite3.connect("file:%s/study.sqlite?mode=ro" % self.out, uri=True)
        try:
            return db.execute(query, values).fetchall()
        finally:
            db.close()

    def gpu(self, want, values="", **variables):
        """The study of one command on a machine with one fake GPU; `values` once it runs."""
        fault = self.path("fault%d" % self.n)
        fake = {"FAKE_NVML_" + k.upper(): v
                for k, v in dict({"when": fault, "values": values}, **variables).items()}
        return self.study(STUDY.replace("FAULT", fault), want,
                          PERJOULE_NVML=os.path.join(self.build, "tests/fakes/fake_nvml.so"), **fake)


NOISE = {"short_window", "cpu_foreign", "steal_some", "swap_some", "energy_partial",
         "energy_modelled", "shared_cores"}


def only(gates, *codes):
    check(set(gates) - NOISE == set(codes), "%r, not %r" % (gates, codes))


def test_a_quiet_gpu(bench):
    only(bench.gpu(0))
    check(bench.rows("SELECT state FROM trial") == [("done",)], "not done")


FAULTS = [("throttle=0x40", "throttled", "heat (hardware)"),
          ("throttle=0x20", "throttled", "heat (driver)"),
          ("throttle=0x88", "throttled", "power brake"),
          ("thermal=200000000", "throttled", "for 0.200 s"),
          ("limit=400000", "limit_changed", "from 700000 to 400000 mW"),
          ("appclock=1200", "limit_changed", "from 1980 to 1200 MHz"),
          ("ecc=3", "gpu_ecc", "3 memory errors"),
          ("xid=79", "gpu_xid", "Xid 79")]


def test_faults_that_invalidate(bench):
    for values, code, words in FAULTS:
        gates = bench.gpu(3, values)
        only(gates, code)
        check(gates[code][0] == "invalid" and words in gates[code][1], "%s: %r" % (values, gates))
        check(bench.rows("SELECT state, reason FROM trial") == [("invalid", code)], values)


def test_what_is_only_flagged(bench):
    gates = bench.gpu(0, "powercap=90000000,eccfixed=2,remapped=1")
    only(gates, "gpu_power_cap", "gpu_corrected")
    check("0.090 s" in gates["gpu_power_cap"][1], "%r" % gates)
    check("2 memory errors" in gates["gpu_corrected"][1], "%r" % gates)
    check({g[0] for c, g in gates.items() if c.startswith("gpu")} == {"flag"}, "%r" % gates)
    # what a GPU is set to and an idle one are not faults
    only(bench.gpu(0, "throttle=0x103"))


def test_a_foreign_process(bench):
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        pids = bench.path("pids")
        with open(pids, "w", encoding="utf-8") as file:
            file.write("%d\n" % stranger.pid)
        first = os.readlink("/proc/self/ns/pid") == "pid:[4026531836]"
        gates = bench.gpu(3 if first else 0, pids=pids)
        code = "gpu_foreign" if first else "gpu_owner_unknown"
        only(gates, code)
        check(not first or "sleep (pid %d)" % stranger.pid in gates[code][1], "%r" % gates)
    finally:
        stranger.kill()
        stranger.wait()


def test_a_pid_that_means_nothing_here(bench):
    gates = bench.gpu(0, "pid=4194300")
    only(gates, "gpu_owner_unknown")


def test_what_cannot_be_read_is_said(bench):
    gates = bench.gpu(0, errors="ecc=3,pid=4,xid=3", when="")
    only(gates, "gpu_unread")
    for words in ("ecc_uncorrected (Not Supported)", "processes (Insufficient Permissions)", "xids"):
        check(words in gates["gpu_unread"][1], "%r" % gates)


TESTS = [test_a_quiet_gpu, test_faults_that_invalidate, test_what_is_only_flagged,
         test_a_foreign_process, test_a_pid_that_means_nothing_here,
         test_what_cannot_be_read_is_said]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    build = os.path.abspath(parser.parse_args().build)
    bad = 0
    print("1..%d" % len(TESTS))
    for number, test in enumerate(TESTS, 1):
        bench = Bench(build)
        name = test.__name__[5:].replace("_", " ")
        start = time.monotonic()
        try:
            test(bench)
            print("ok %d - %s # %.1f s" % (number, name, time.monotonic() - start), flush=True)
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
