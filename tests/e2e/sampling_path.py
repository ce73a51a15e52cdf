#!/usr/bin/python3
"""While perjoule samples it takes no memory and opens nothing: the whole program, all its threads, counted
from outside (count_calls.c, preloaded)."""
import os
import subprocess

import lean

COUNTER = os.path.join(lean.BUILD, "tests/e2e/count_calls.so")
FAKE_NVML = os.path.join(lean.BUILD, "tests/fakes/fake_nvml.so")


class SamplingPath(lean.Case):
    def setUp(self):
        super().setUp()
        with open(lean.PERJOULE, "rb") as file:
            if b"__asan_init" in file.read():
                self.skipTest("a sanitizer counts for itself")
        for socket in range(2):
            self.zone("intel-rapl:%d" % socket, "package-%d" % socket)
            self.zone("intel-rapl:%d:0" % socket, "dram")
        for name in ("cpuinfo", "stat", "meminfo"):
            with open("/proc/" + name, encoding="utf-8") as file:
                self.put("/proc/" + name, file.read())

    def counts(self, command, **more):
        """The calls of one second, 300 ms after sampling began."""
        out = self.path("counts")
        env = self.environment(LD_PRELOAD=COUNTER, COUNT_FILE=out, **more)
        done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        with open(out, encoding="utf-8") as file:
            words = file.read().split()
        before = dict(zip(("allocations", "opens"), map(int, words[1:3])))
        during = dict(zip(("allocations", "opens", "reads"), map(int, words[4:])))
        self.assertGreater(before["allocations"], 20)  # the counter does see calls
        self.assertGreater(before["opens"], 5)
        return during

    def command(self, *options):
        return [lean.PERJOULE, "measure", "--root", self.root, "--interval", "10", *options, "--",
                "sleep", "1.6"]

    def quiet(self, during):
        self.assertGreater(during["reads"], 4 * 60)  # four counters at 100 Hz, however busy it is
        self.assertEqual(during["allocations"], 0)
        self.assertEqual(during["opens"], 0)

    def test_measure(self):
        self.quiet(self.counts(self.command()))

    def test_measure_with_a_trace(self):
        self.quiet(self.counts(self.command("--trace", self.path("t.jsonl"))))

    def test_measure_with_a_gpu(self):
        self.quiet(self.counts(self.command("--trace", self.path("t.jsonl")),
                               PERJOULE_NVML=FAKE_NVML))

    def test_a_second_in_which_it_starts_is_not_quiet(self):
        """The check can fail: a GPU's library is loaded after the timer was started."""
        during = self.counts(self.command(), PERJOULE_NVML=FAKE_NVML, COUNT_FROM_MS="0")
        self.assertGreater(during["allocations"], 0)
        self.assertGreater(during["opens"], 0)


if __name__ == "__main__":
    lean.main()
