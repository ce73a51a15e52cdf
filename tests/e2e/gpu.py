#!/usr/bin/python3
"""NVIDIA GPUs, the whole program over the fake libnvidia-ml: which are metered, what a run costs,
what is said when one fails, and a recorded H200 by both ways (played live, and as a trace)."""
import json
import math
import os
import subprocess
import time
import unittest

import lean

FAKES = os.path.join(lean.BUILD, "tests/fakes")
SOURCE = os.environ.get("PERJOULE_SOURCE_ROOT", ".")
SHARED = os.environ.get("PERJOULE_SHARED") or os.path.join(SOURCE, "../shared")
RECORDING = os.path.join(SHARED, "nvml-traces/h200-counter-20ms.csv")
PHASES = os.path.join(SHARED, "nvml-traces/h200-counter-20ms.phases.csv")


class Gpu(lean.Case):
    def gpu(self, library="fake_nvml.so", **variables):
        """An environment in which the fake library is the machine's NVML."""
        fake = {"FAKE_NVML_" + k.upper(): v for k, v in variables.items() if k.islower()}
        plain = {k: v for k, v in variables.items() if not k.islower()}
        env = self.environment(PERJOULE_NVML=os.path.join(FAKES, library), **fake, **plain)
        if "CUDA_VISIBLE_DEVICES" not in plain:
            env.pop("CUDA_VISIBLE_DEVICES", None)
        return env

    def channels(self, result):
        return {c["name"]: c["energy_j"] for c in result["channels"]}

    def devices(self, **variables):
        done = self.run_perjoule("devices", "--json", "--root", self.root,
                                 env=self.gpu(**variables))
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)


class Selection(Gpu):
    UUIDS = "GPU-aaaa1111-0000,GPU-aaaa2222-0000,GPU-bbbb3333-0000"

    def domains(self, visible):
        found = self.devices(count="3", uuids=self.UUIDS, CUDA_VISIBLE_DEVICES=visible)
        return [(c["domain"], c["device"].split()[0]) for c in found["channels"]
                if c["role"] == "power"], found["missing"]

    def test_cuda_visible_devices(self):
        a, b, c = (("gpu-%d" % i, uuid) for i, uuid in enumerate(self.UUIDS.split(",")))
        for visible, expected in ((None, [a, b, c]), ("", []), ("1", [b]), ("2,0", [c, a]),
                                  ("0,7,1", [a]), ("GPU-b", [c]), ("GPU-aaaa2222-0000", [b])):
            got, missing = self.domains(visible)
            self.assertEqual(got, expected, visible)
            self.assertFalse([m for m in missing if m["source"] == "nvml"])

    def test_a_mig_slice_is_refused(self):
        got, missing = self.domains("MIG-11112222-3333")
        self.assertEqual(got, [])
        row, = (m for m in missing if m["source"] == "nvml")
        self.assertIn("MIG-11112222-3333", row["reason"])
        self.assertIn("CUDA_VISIBLE_DEVICES", row["fix"])

    def test_a_gpu_that_cannot_be_read_forbids_the_name_machine(self):
        self.zone("intel-rapl:0", "package-0")
        for errors, label in (("", True), ("handle:1=4", False)):
            result = self.measure("sleep", "0.05", env=self.gpu(count="2", errors=errors))
            self.assertEqual(result["total"]["label"] == "machine", label, result["total"])


class Energy(Gpu):
    def test_a_steady_gpu(self):
        result = self.measure("sleep", "1", env=self.gpu(square="250000,250000,1000"))
        expected_j = 250 * result["wall_s"]
        power, counter = (self.channels(result)["nvml:0:" + k] for k in ("power", "energy"))
        self.assertEqual(result["total"]["set"], ["nvml:0:power"])
        self.assertEqual((power["origin"], counter["origin"]), ("integrated", "counter"))
        self.assertAlmostEqual(power["value"], expected_j, delta=0.01)
        self.assertLess(abs(counter["value"] - expected_j), 2 * counter["u"])
        self.assertAlmostEqual(power["u_gain"], power["value"] * 0.05 / math.sqrt(3), places=6)
        self.assertEqual(power["quality"], [])

    def test_a_run_shorter_than_a_sample_is_no_more_than_itself(self):
        result = self.measure("true", env=self.gpu(square="250000,250000,1000"))
        power, counter = (self.channels(result)["nvml:0:" + k] for k in ("power", "energy"))
        self.assertAlmostEqual(power["value"], 250 * result["wall_s"], delta=0.001)
        # a counter that did not move is missing, or 0 with an interval that has the truth in it
        if counter["value"] is not None:
            self.assertLess(abs(counter["value"] - power["value"]), 2 * counter["u"])

    def test_a_library_that_starts_slowly_holds_up_nothing(self):
        """The child is over long before the library is there: the buffer remembers it."""
        begin = self.path("begin")
        env = self.gpu(square="250000,250000,1000", latency_ms="init=400,energy=5")
        before = time.monotonic()
        result = self.measure("sh", "-c", "cat /proc/uptime > '%s'" % begin, env=env)
        after = time.monotonic()
        self.assertGreater(after - before, 0.4)
        with open(begin, encoding="utf-8") as file:
            child = float(file.read().split()[0])
        boot = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
        self.assertGreater(after + boot - child, 0.35)  # it ran before the library's start ended
        energy = self.channels(result)["nvml:0:power"]
        self.assertLess(result["wall_s"], 0.3)
        self.assertAlmostEqual(energy["value"], 250 * result["wall_s"], delta=0.01)
        self.assertEqual(energy["quality"], [])

    def test_a_changing_gpu_lies_within_its_interval(self):
        outside = 0
        for _ in range(6):
            result = self.measure("sleep", "0.3", env=self.gpu(square="80000,680000,140"))
            # the curve begins low when the library does; its phase at the start is not known
            energy = self.channels(result)["nvml:0:power"]
            mean_j = 380 * result["wall_s"]
            outside += abs(energy["value"] - mean_j) > 300 * 0.070 + 2 * energy["u"]
        self.assertEqual(outside, 0)

    def test_replay_gives_the_same_totals(self):
        trace = self.path("trace")
        result = self.measure("sleep", "0.5", options=["--trace", trace],
                              env=self.gpu(square="80000,680000,150", latency_ms="energy=5"))
        done = self.run_perjoule("replay", "--json", trace)
        again = json.loads(done.stdout)
        for key in ("total", "channels", "wall_s"):
            self.assertEqual(result[key], again[key])

    def test_counter_only(self):
        result = self.measure("sleep", "1", env=self.gpu(square="250000,250000,1000",
                                                         errors="samples=3"))
        energy = self.channels(result)["nvml:0:energy"]
        self.assertEqual(result["total"]["set"], ["nvml:0:energy"])
        self.assertLess(abs(energy["value"] - 250 * result["wall_s"]), 2 * energy["u"])
        self.assertLess(energy["u"], 40)

    def test_power_only(self):
        result = self.measure("sleep", "2", env=self.gpu(library="fake_nvml_old.so",
                                                         square="250000,250000,1000"))
        energy = self.channels(result)["nvml:0:usage"]
        self.assertEqual(energy["origin"], "integrated")
        self.assertLess(abs(energy["value"] - 250 * result["wall_s"]), 2 * energy["u"])

    def test_a_gpu_lost_on_the_way(self):
        result = self.measure("sleep", "1.5", env=self.gpu(errors="samples=15@0.5"))
        energy = self.channels(result)["nvml:0:power"]
        self.assertTrue(energy["value"] is None or "partial" in energy["quality"], energy)

    def test_no_driver(self):
        result = self.measure("true", env=self.gpu(errors="init=9"), code=3)
        row, = (m for m in result["missing"] if m["source"] == "nvml")
        self.assertIn("modprobe", row["fix"])
        self.assertIsNone(result["total"]["energy_j"]["value"])


@unittest.skipUnless(os.path.exists(RECORDING), "there is no " + RECORDING)
class Recording(Gpu):
    def rows(self):
        with open(RECORDING, encoding="utf-8") as file:
            for line in file:
                fields = line.strip().split(",")
                if len(fields) == 5:
                    yield fields[0], *(int(f) for f in fields[1:])

    def counter(self):
        """The counter's steps as (time since the recording's start, J)."""
        steps, start, last = [], None, None
        for kind, before, after, value, _ in self.rows():
            start = before if start is None else start
            middle = (before + after) / 2
            if kind == "counter":
                if last and value != last[1]:
                    steps.append((((middle + last[0]) / 2 - start) / 1e9, value / 1e3))
                last = (middle, value)
        return steps, start

    def between(self, steps, t_s):
        i = next(i for i in range(1, len(steps)) if steps[i][0] >= t_s)
        (t0, e0), (t1, e1) = steps[i - 1], steps[i]
        return e0 + (e1 - e0) * (t_s - t0) / (t1 - t0)

    def test_played_live(self):
        steps, _ = self.counter()
        result = self.measure("sleep", "4", env=self.gpu(trace=RECORDING))
        energy = self.channels(result)["nvml:0:power"]
        # the library was loaded a little before the child began, on a busy machine somewhat more
        expected = [self.between(steps, s / 100 + result["wall_s"]) - self.between(steps, s / 100)
                    for s in range(30)]
        self.assertLess(min(abs(energy["value"] / e - 1) for e in expected), 0.005)

    def test_as_a_trace(self):
        trace = self.path("trace")
        with open(trace, "wb") as file:
            subprocess.run([os.path.join(SOURCE, "tests/tools/recording-to-trace"), RECORDING],
                           stdout=file, check=True, env=dict(os.environ,
                                                             PERJOULE_BUILD_ROOT=lean.BUILD))
        done = self.run_perjoule("replay", "--json", "--windows", PHASES, trace)
        self.assertEqual(done.returncode, 0, done.stderr)
        windows = json.loads(done.stdout)["windows"]
        steps, start = self.counter()
        checked = 0
        for window in windows:
            a, b = ((window[k] - start) / 1e9 for k in ("start_ns", "end_ns"))
            energy = window["energy_j"]
            self.assertIsNotNone(energy["value"], window["name"])
            counter = self.between(steps, b) - self.between(steps, a)
            if window["name"] in ("full", "square_50ms", "square_300ms", "square_1000ms"):
                self.assertLess(abs(energy["value"] / counter - 1), 0.005, window["name"])
                checked += 1
        self.assertEqual(checked, 4)
        with open(PHASES, encoding="utf-8") as file:
            self.assertEqual(len(windows), len(file.readlines()))


if __name__ == "__main__":
    lean.main()
