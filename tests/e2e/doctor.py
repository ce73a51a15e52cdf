#!/usr/bin/python3
"""doctor, as a user meets it: on trees that stand for machines."""
import json
import os
import shutil
import signal
import subprocess
import threading
import time

import lean

FAKE = os.path.join(lean.BUILD, "tests/fakes/fake_nvml.so")
CPUINFO = ("processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n"
           "model name\t: Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz\nstepping\t: 7\n"
           "microcode\t: 0x5003604\nphysical id\t: 0\nsiblings\t: 2\ncore id\t\t: 0\n"
           "cpu cores\t: 1\nflags\t\t: fpu%s\n\n")


class Spending(threading.Thread):
    """Advances counters of the tree as long as a process runs: more while it has several threads."""

    def __init__(self, files, pid, idle_w, busy_w):
        super().__init__()
        self.files, self.pid, self.idle_w, self.busy_w = files, pid, idle_w, busy_w
        self.done = False

    def run(self):
        energy_uj = [1e6 * (i + 1) for i in range(len(self.files))]
        before = time.monotonic()
        while not self.done:
            time.sleep(0.002)
            try:
                busy = len(os.listdir("/proc/%d/task" % self.pid)) > 1
            except OSError:
                return
            now = time.monotonic()
            for i, file in enumerate(self.files):
                energy_uj[i] += (now - before) * 1e6 * (self.busy_w if busy else self.idle_w)
                with open(file, "r+", encoding="utf-8") as out:
                    out.write("%020d\n" % energy_uj[i])
            before = now


class Calibration(lean.Case):
    def setUp(self):
        super().setUp()
        self.put("/proc/cpuinfo", CPUINFO % "")
        self.stat = self.put("/proc/stat", "cpu  100 0 0 100 0 0 0 0 0 0\n")
        self.cache = self.path("cache")
        self.env = self.environment(XDG_CACHE_HOME=self.cache)

    def calibrate(self, idle_w, busy_w, *args, stop_after=None, seconds="0.6"):
        files = [self.zone("intel-rapl:0", "package-0"), self.zone("intel-rapl:1", "package-1")]
        child = subprocess.Popen([lean.PERJOULE, "doctor", "--calibrate-model", "--seconds",
                                  seconds, "--root", self.root, "--json", *args], env=self.env,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        spending = Spending(files, child.pid, idle_w, busy_w)
        spending.start()
        if stop_after:
            time.sleep(stop_after)
            child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
        spending.done = True
        spending.join()
        for zone in ("intel-rapl:0", "intel-rapl:1"):
            shutil.rmtree(os.path.join(self.root, "sys/class/powercap", zone))
        return child.returncode, out, err.decode()

    def model(self):
        done = self.run_perjoule("doctor", "--json", "--root", self.root, env=self.env)
        return json.loads(done.stdout)["worth"]["cpu_model"]

    def test_what_was_measured_once_is_used_when_the_counters_are_gone(self):
        before = self.model()
        self.assertFalse(before["calibrated"])
        code, out, err = self.calibrate(10, 60)
        self.assertEqual(code, 0, err)
        self.assertIn("Ctrl-C", err)
        told = json.loads(out)
        self.assertAlmostEqual(told["idle_w"], 20, delta=8)  # the spender may be starved
        self.assertAlmostEqual(told["full_w"], 120, delta=40)
        self.assertEqual(told["source"], "rapl_powercap")
        self.assertTrue(os.path.samefile(told["stored"],
                                         os.path.join(self.cache, "perjoule/cpu-model.json")))
        after = self.model()
        self.assertTrue(after["calibrated"])
        self.assertIn("calibrated", after["of"])
        for at, value in (("idle", told["idle_w"]), ("full_load", told["full_w"])):
            power = after[at]
            self.assertAlmostEqual(power["value_w"], value, delta=1e-6 * value)
            self.assertLess(power["ci95_w"][0], value)
            self.assertGreater(power["ci95_w"][1], value)
        shown = self.run_perjoule("devices", "--root", self.root, env=self.env).stdout.decode()
        self.assertRegex(shown, r"model_cpu:energy.*modelled.*calibrated: ")
        # another processor, another microcode, another machine than the tree: not theirs
        self.put("/proc/cpuinfo", (CPUINFO % "").replace("0x5003604", "0x5003605"))
        self.assertFalse(self.model()["calibrated"])
        # measured again: the new figures take the place of the old ones
        self.put("/proc/cpuinfo", CPUINFO % "")
        code, out, err = self.calibrate(20, 80)
        self.assertEqual(code, 0, err)
        with open(told["stored"], encoding="utf-8") as file:
            self.assertEqual(len(json.load(file)["entries"]), 1)
        self.assertAlmostEqual(self.model()["idle"]["value_w"], 40, delta=15)

    def test_stopped_it_stores_nothing(self):
        code, out, err = self.calibrate(10, 60, stop_after=0.4, seconds="30")
        self.assertEqual((code, out), (1, b""), err)
        self.assertIn("stopped; nothing was stored", err)
        self.assertFalse(os.path.exists(self.cache))

    def test_counters_that_stand_or_a_busy_machine_are_no_calibration(self):
        code, out, err = self.calibrate(10, 10, seconds="0.2")
        self.assertEqual((code, out), (3, b""), err)
        self.assertIn("do not tell idle", err)
        self.assertFalse(os.path.exists(self.cache))

    def test_without_counters_nothing_is_loaded(self):
        done = self.run_perjoule("doctor", "--calibrate-model", "--root", self.root, env=self.env)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"no energy counter", done.stderr)
        for wrong in ("0", "61", "x", "nan"):
            done = self.run_perjoule("doctor", "--calibrate-model", "--seconds", wrong,
                                     env=self.env)
            self.assertEqual(done.returncode, 2, wrong)
        done = self.run_perjoule("doctor", "--calibrate-model", "--root", self.root,
                                 env=self.environment(HOME="", XDG_CACHE_HOME="relative"))
        self.assertIn(b"cache folder", done.stderr)

    def test_a_spoiled_cache_counts_as_absent(self):
        path = self.path("cache/perjoule/cpu-model.json")
        os.makedirs(os.path.dirname(path))
        for text in ("", "{", "[]", '{"version": 1}', '{"version": 2, "entries": []}',
                     '{"version": 1, "entries": [7, {}, {"cpu": "x", "idle_w": -1}]}'):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            self.assertFalse(self.model()["calibrated"], text)


class Probe(lean.Case):
    GPU = {"PERJOULE_NVML": FAKE, "FAKE_NVML_SQUARE": "100000,400000,1500",
           "FAKE_NVML_LATENCY_MS": "energy=3"}

    def devices(self, **env):
        done = self.run_perjoule("devices", "--json", "--root", self.root,
                                 env=self.environment(**self.GPU, **env))
        return {c["name"]: c for c in json.loads(done.stdout)["channels"]}

    def test_what_a_gpu_shows_is_kept_by_gpu_vbios_and_driver(self):
        if not os.path.exists(FAKE):
            self.skipTest("the fake NVML is not built")
        assumed = self.devices()["nvml:0:energy"]
        done = self.run_perjoule("doctor", "--probe", "--json", "--root", self.root,
                                 env=self.environment(**self.GPU))
        self.assertEqual(done.returncode, 0, done.stderr)
        told = json.loads(done.stdout)["gpus"][0]
        self.assertTrue(told["kept"])
        self.assertEqual(told["gpu"], "GPU-fa4e0000-0000-4000-8000-000000000000|96.00.fake|"
                         "580.00.fake")
        self.assertGreaterEqual(told["counter_call"]["p50_ns"], 3e6)
        self.assertGreaterEqual(told["counter_call"]["p99_ns"], told["counter_call"]["p50_ns"])
        self.assertEqual(told["sample_spacing_ns"], 20000000)
        self.assertAlmostEqual(told["counter_refresh_ns"], 100e6, delta=30e6)
        self.assertIn(told["usage_average_ns"], (0, 25000000, None))
        path = self.path("cache/perjoule/nvml-probe.json")
        with open(path, encoding="utf-8") as file:
            stored = json.load(file)
        self.assertEqual(os.listdir(os.path.dirname(path)), ["nvml-probe.json"])
        # later sessions use it, for this GPU alone
        stored["entries"][0]["counter_refresh_ns"] = 40000000
        with open(path, "w", encoding="utf-8") as file:
            json.dump(stored, file)
        used = self.devices()["nvml:0:energy"]
        self.assertEqual(used["refresh_ns"], 40000000)
        self.assertLess(used["lag_ns"], assumed["lag_ns"])
        self.assertEqual(self.devices(FAKE_NVML_UUIDS="GPU-other")["nvml:0:energy"], {
            **assumed, **{k: v for k, v in self.devices(FAKE_NVML_UUIDS="GPU-other")
                          ["nvml:0:energy"].items() if k in ("com_id", "device")}})
        # figures that no GPU shows are not believed
        stored["entries"][0]["counter_refresh_ns"] = 10**12
        with open(path, "w", encoding="utf-8") as file:
            json.dump(stored, file)
        self.assertEqual(self.devices()["nvml:0:energy"], assumed)

    def test_counters_that_stand_are_said_to_stand(self):
        self.zone("intel-rapl:0", "package-0", 1000)
        done = self.run_perjoule("doctor", "--probe", "--root", self.root)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout.decode(), r"rapl:package-0 .*p50 .*p99 .*did not move")
        self.assertFalse(os.path.exists(self.path("cache")))

    def test_nothing_to_probe(self):
        done = self.run_perjoule("doctor", "--probe", "--root", self.root)
        self.assertEqual(done.returncode, 3)
        self.assertIn(b"no instrument", done.stderr)
        done = self.run_perjoule("doctor", "--probe", "--calibrate-model")
        self.assertEqual(done.returncode, 2)


class Doctor(lean.Case):
    def machine(self, virtual=False):
        self.put("/proc/cpuinfo", CPUINFO % (" hypervisor" if virtual else ""))
        self.put("/proc/stat", "cpu  100 0 0 100 0 0 0 0 0 0\n")
        self.put("/proc/meminfo", "MemTotal:       16384000 kB\n")

    def ask(self, *args, code=0, **env):
        done = self.run_perjoule("doctor", "--json", "--root", self.root, *args,
                                 env=self.environment(**env))
        self.assertEqual(done.returncode, code, done.stderr.decode())
        return json.loads(done.stdout)

    def say(self, *args, code=0, **env):
        done = self.run_perjoule("doctor", "--root", self.root, *args, env=self.environment(**env))
        self.assertEqual(done.returncode, code, done.stderr.decode())
        text = done.stdout.decode()
        for line in text.splitlines():
            if " " in line.strip():
                self.assertLessEqual(len(line), 100, line)
        return text

    @staticmethod
    def rung(told, name):
        return next(r for r in told["instruments"] if r["name"] == name)

    @staticmethod
    def check(told, name):
        return next(c for c in told["checks"] if c["check"] == name)

    def test_an_empty_tree_can_measure_nothing(self):
        told = self.ask(code=3)
        self.assertFalse(told["can_measure"])
        self.assertEqual(told["worth"]["cpu"], "missing")
        self.assertIsNone(told["other_tools"])
        for check in told["checks"]:
            if check["check"] not in ("container", "power_supply"):
                self.assertEqual(check["level"], "unknown", check)
        self.assertIn("missing", self.say(code=3))

    def test_counters_that_are_read(self):
        self.machine()
        self.zone("intel-rapl:0", "package-0", 1000)
        self.zone("intel-rapl:0:0", "dram", 1000)
        told = self.ask()
        self.assertEqual(told["worth"]["cpu"], "measured")
        self.assertEqual(told["worth"]["memory"], "measured")
        self.assertIsNone(told["worth"]["cpu_model"])
        rung = self.rung(told, "rapl_powercap")
        self.assertEqual(rung["state"], "in use")
        self.assertEqual([c["in_total"] for c in rung["channels"]], [True, True])
        self.assertEqual(self.rung(told, "model_cpu")["state"], "standby")
        self.assertIn("perf events", self.rung(told, "rapl_perf")["note"])
        self.assertRegex(self.check(told, "powercap_mode")["value"], r"^0\d{3} uid \d+ gid \d+, 2 of 2")

    def ask_as_nobody(self):
        """The tree as seen by a user without rights; None where that cannot be tried."""
        if os.geteuid() != 0:
            return self.ask()
        os.chmod(self.dir, 0o755)
        try:
            done = self.run_perjoule("doctor", "--json", "--root", self.root, user=65534,
                                     group=65534, extra_groups=[])
        except OSError:
            return None
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return json.loads(done.stdout)

    def test_a_denied_counter_has_its_ladder(self):
        self.machine()
        os.chmod(self.zone("intel-rapl:0", "package-0", 1000), 0)
        told = self.ask_as_nobody()
        if told is None:
            self.skipTest("no other user can start this build")
        rung = self.rung(told, "rapl_powercap")
        self.assertEqual((rung["state"], rung["denied"]), ("denied", True))
        self.assertEqual([r["step"] for r in rung["remedies"]], ["fix", "and", "or"])
        self.assertIn("udev rule", rung["remedies"][0]["kind"])
        self.assertTrue(rung["remedies"][0]["do"].startswith('SUBSYSTEM=="powercap"'))
        self.assertIn("permission denied", rung["missing"][0]["reason"])
        self.assertEqual(self.rung(told, "model_cpu")["state"], "in use")
        self.assertEqual(told["worth"]["cpu"], "modelled")
        self.assertRegex(self.check(told, "powercap_mode")["value"], "^0000 .* 0 of 1 readable")

    def test_a_virtual_machine_has_a_model_and_says_what_it_is_worth(self):
        self.machine(virtual=True)
        self.put("/sys/class/dmi/id/sys_vendor", "QEMU\n")
        self.put("/sys/class/dmi/id/product_name", "Standard PC\n")
        told = self.ask()
        self.assertEqual(self.check(told, "virtual_machine")["value"], "QEMU Standard PC")
        self.assertEqual(told["worth"]["cpu"], "modelled")
        full = told["worth"]["cpu_model"]["full_load"]
        self.assertTrue(0 < full["ci95_w"][0] < full["value_w"] < full["ci95_w"][1])
        text = self.say()
        self.assertIn("a model of the utilisation, not a measurement", text)
        self.assertIn("measure on the host", text)

    def test_settings_of_the_machine(self):
        self.machine()
        clock = "/sys/devices/system/clocksource/clocksource0/"
        self.put(clock + "current_clocksource", "hpet\n")
        self.put(clock + "available_clocksource", "tsc hpet acpi_pm\n")
        self.put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n")
        self.put("/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance\n")
        self.put("/sys/devices/system/cpu/cpufreq/boost", "1\n")
        self.put("/proc/sys/kernel/perf_event_paranoid", "4\n")
        self.put("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n")
        self.put("/run/.containerenv", "")
        self.put("/sys/class/power_supply/AC/type", "Mains\n")
        self.put("/sys/class/power_supply/AC/online", "0\n")
        told = self.ask()
        got = {c["check"]: (c["level"], c["value"]) for c in told["checks"]}
        self.assertEqual(got["clock_source"], ("warning", "hpet"))
        self.assertIn("tsc", self.check(told, "clock_source")["fix"])
        self.assertEqual(got["governor"], ("warning", "powersave on 1, performance on 1"))
        self.assertEqual(got["turbo"], ("note", "on"))
        self.assertEqual(got["perf_event_paranoid"], ("note", "4"))
        self.assertIn("cap_perfmon", self.check(told, "perf_event_paranoid")["fix"])
        self.assertEqual(got["lockdown"], ("note", "integrity"))
        self.assertEqual(got["container"], ("note", "podman"))
        self.assertEqual(got["power_supply"], ("warning", "battery"))

    def test_other_tools_are_found_in_the_tree_alone(self):
        self.machine()
        for pid, comm, words in ((1, "systemd", ["/sbin/init"]),
                                 (20, "python3", ["python3", "-u", "-m", "codecarbon", "monitor"]),
                                 (21, "zeusd", ["/usr/bin/zeusd", "serve"]),
                                 (22, "vim", ["vim", "codecarbon.py"]),
                                 (23, "nv-hostengine", []),
                                 (24, "scaphandre", ["/opt/scaphandre", "prometheus"])):
            self.put("/proc/%d/comm" % pid, comm + "\n")
            self.put("/proc/%d/cmdline" % pid, "".join(w + "\0" for w in words))
        told = self.ask()
        self.assertEqual({(t["name"], t["pid"]) for t in told["other_tools"]},
                         {("codecarbon", 20), ("zeusd", 21), ("dcgm", 23),
                          ("scaphandre", 24)})
        self.assertIn("codecarbon, pid 20", self.say())

    def test_gpus_and_their_driver(self):
        if not os.path.exists(FAKE):
            self.skipTest("the fake NVML is not built")
        self.machine()
        env = {"PERJOULE_NVML": FAKE, "FAKE_NVML_COUNT": "2", "FAKE_NVML_PERSISTENCE": "1,0",
               "CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
        told = self.ask(**env)["nvidia"]
        self.assertEqual(told["cuda_visible_devices"], "1")
        self.assertEqual([g["selected"] for g in told["gpus"]], [False, True])
        self.assertEqual([g["persistence"] for g in told["gpus"]], [True, False])
        self.assertTrue(all(g["uuid"].startswith("GPU-") and g["pci"] for g in told["gpus"]))
        self.assertIsNone(told["selection_note"])
        tail = self.ask(**dict(env, CUDA_VISIBLE_DEVICES="1,5,0"))["nvidia"]
        self.assertEqual(tail["selection_entry"], "5")
        self.assertIn("ends the list", tail["selection_note"])
        self.assertEqual([g["selected"] for g in tail["gpus"]], [False, True])
        self.assertIn("MIG slice", self.say(**dict(env, CUDA_VISIBLE_DEVICES="MIG-1/2")))
        text = self.say(**env)
        self.assertIn("persistence mode is off", text)
        self.assertIn("CUDA_VISIBLE_DEVICES=1", text)

    def test_amd_gpus_as_rocm_shows_them(self):
        self.machine()
        for number, simds, bus, unique in ((0, 0, 0, 0), (1, 304, 0x43, 0xbb), (2, 304, 3, 0xaa)):
            self.put("/sys/class/kfd/kfd/topology/nodes/%d/properties" % number,
                     "simd_count %d\nlocation_id %d\ndomain 0\nunique_id %d\n"
                     % (simds, bus << 8, unique))
        told = self.ask(ROCR_VISIBLE_DEVICES="1,0", HIP_VISIBLE_DEVICES="0")["amd"]
        self.assertEqual((told["rocr_visible_devices"], told["hip_visible_devices"]), ("1,0", "0"))
        self.assertEqual([(g["pci"], g["uuid"], g["selected"]) for g in told["gpus"]],
                         [("0000:43:00.0", "GPU-00000000000000bb", False),
                          ("0000:03:00.0", "GPU-00000000000000aa", True)])
        self.assertIn("HIP_VISIBLE_DEVICES=0", self.say(HIP_VISIBLE_DEVICES="0"))

    def test_wrong_input(self):
        for args in (["here"], ["--jsn"], ["--root"], ["--root", self.path("nowhere")]):
            done = self.run_perjoule("doctor", *args)
            self.assertIn(done.returncode, (1, 2))
            self.assertEqual(done.stdout, b"")
            self.assertIn(b"perjoule", done.stderr)


if __name__ == "__main__":
    lean.main()
