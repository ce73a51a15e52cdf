#!/usr/bin/python3
"""perjoule measure, the whole program: energies of children that spend known amounts, exit codes,
streams, signals, results."""
import json
import os
import resource
import signal
import subprocess
import time

import lean
from lean import PERJOULE, RANGE_61, SPENDER


def energies(result):
    """Channel -> energy in uJ, as exact as the JSON says."""
    return {c["name"]: c["energy_j"]["value"] * 1e6 for c in result["channels"]
            if c["energy_j"]["value"] is not None}


class Exact(lean.Case):
    """The child itself advances the counters: nothing may be lost at either end."""

    def spend(self, duration_ms, steps, options=()):
        zones = [("intel-rapl:0", "package-0", 123456789, RANGE_61, 3000001),
                 ("intel-rapl:0:0", "dram", 5, 65532610987, 500003),
                 ("intel-rapl:1", "package-1", 77, RANGE_61, 2000003)]
        spends = []
        for zone, name, start_uj, range_uj, energy_uj in zones:
            spends.append("%s=%d" % (self.zone(zone, name, start_uj, range_uj), energy_uj))
        result = self.measure(SPENDER, str(duration_ms), str(steps), *spends, options=options)
        got = energies(result)
        self.assertLessEqual(abs(got["rapl:package-0"] - 3000001), 1)
        self.assertLessEqual(abs(got["rapl:dram-0"] - 500003), 1)
        self.assertLessEqual(abs(got["rapl:package-1"] - 2000003), 1)
        total = result["total"]
        self.assertEqual(total["set"], ["rapl:package-0", "rapl:dram-0", "rapl:package-1"])
        self.assertLessEqual(abs(total["energy_j"]["value"] * 1e6 - 5500007), 1)
        self.assertEqual(total["energy_j"]["origin"], "counter")
        self.assertEqual(total["energy_j"]["quality"], [])
        self.assertGreaterEqual(result["wall_s"], duration_ms / 1e3)
        return result

    def test_5_ms(self):
        self.spend(5, 1)

    def test_50_ms(self):
        self.spend(50, 5)

    def test_500_ms(self):
        result = self.spend(500, 20)
        self.assertGreaterEqual(result["samples"], 5)

    def test_10_s(self):
        result = self.spend(10000, 100)
        self.assertGreaterEqual(result["samples"], 50)

    def test_500_ms_at_1_kHz(self):
        result = self.spend(500, 100, options=["--interval", "1"])
        self.assertGreater(result["samples"] + result["late_ticks"], 300)

    def test_interval_longer_than_the_child(self):
        self.assertEqual(self.spend(50, 3, options=["--interval", "10000"])["samples"], 2)

    def test_each_zone_wraps_by_its_own_range(self):
        first = self.zone("intel-rapl:0", "package-0", 999999000, 999999999)
        second = self.zone("intel-rapl:1", "package-1", 499999000, 499999999)
        third = self.zone("intel-rapl:2", "package-2", 499999000, RANGE_61)
        for zone in range(3):  # so that nobody has to fear a second wrap within a tick
            self.put("/sys/class/powercap/intel-rapl:%d/constraint_0_max_power_uw" % zone,
                     "150000000\n")
        result = self.measure(SPENDER, "300", "30", first + "=3000000/1000000000",
                              second + "=2000000/500000000", third + "=1000000")
        got = energies(result)
        self.assertLessEqual(abs(got["rapl:package-0"] - 3000000), 1)
        self.assertLessEqual(abs(got["rapl:package-1"] - 2000000), 1)
        self.assertLessEqual(abs(got["rapl:package-2"] - 1000000), 1)
        quality = {c["name"]: c["energy_j"]["quality"] for c in result["channels"]}
        self.assertEqual(quality["rapl:package-0"], ["wrap"])
        self.assertEqual(quality["rapl:package-2"], [])

    def test_twins_and_parts_are_not_added(self):
        package = self.zone("intel-rapl:0", "package-0")
        core = self.zone("intel-rapl:0:0", "core")
        twin = self.zone("intel-rapl-mmio:0", "package-0")
        psys = self.zone("intel-rapl:1", "psys")
        result = self.measure(SPENDER, "20", "2", package + "=1000000", core + "=600000",
                              twin + "=1000000", psys + "=5000000")
        self.assertEqual(result["total"]["set"], ["rapl:package-0"])
        self.assertLessEqual(abs(result["total"]["energy_j"]["value"] * 1e6 - 1000000), 1)
        self.assertEqual(len(energies(result)), 4)

    def test_measured_comes_before_modelled(self):
        package = self.zone("intel-rapl:0", "package-0")
        self.put("/proc/stat", "cpu  100 0 0 100 0 0 0 0 0 0\n")
        result = self.measure(SPENDER, "20", "2", package + "=1000000")
        self.assertEqual(result["total"]["set"], ["rapl:package-0"])
        self.assertIn("model_cpu:energy", [c["name"] for c in result["channels"]])

    def test_a_trace_replays_to_the_same_totals(self):
        package = self.zone("intel-rapl:0", "package-0", 999999000, 999999999)
        self.put("/proc/stat", "cpu  100 0 0 100 0 0 0 0 0 0\n")
        trace = self.path("trace.jsonl")
        live = self.measure(SPENDER, "250", "10", package + "=3000000/1000000000",
                            options=["--trace", trace, "--interval", "10"])
        done = self.run_perjoule("replay", "--json", trace)
        self.assertEqual(done.returncode, 0, done.stderr)
        again = json.loads(done.stdout)
        for key in ("total", "channels", "missing", "samples", "late_ticks"):
            self.assertEqual(again[key], live[key], key)
        self.assertTrue(again["complete"])


class Outcome(lean.Case):
    """Exit codes and what is said."""

    def setUp(self):
        super().setUp()
        self.package = self.zone("intel-rapl:0", "package-0")

    def code(self, *args, **how):
        done = self.run_perjoule("measure", "--root", self.root, *args, **how)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def test_the_childs_status_is_handed_through(self):
        for status in (0, 1, 2, 7, 255):
            self.assertEqual(self.code("--", "sh", "-c", "exit %d" % status)[0], status)

    def test_a_signal_is_128_and_its_number(self):
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT):
            self.assertEqual(self.code("--", "sh", "-c", "kill -%d $$" % number)[0], 128 + number)

    def test_not_found_is_127(self):
        code, out, err = self.code("--", "no-such-program-here")
        self.assertEqual((code, out), (127, ""))
        self.assertIn("no-such-program-here", err)

    def test_not_executable_is_126(self):
        for path in (self.put("/data", "x"), self.root):
            code, _, err = self.code("--", path)
            self.assertEqual(code, 126)
            self.assertIn(path, err)

    def test_no_instrument_is_3(self):
        result = self.path("r.json")
        code, _, err = self.code("--root", self.path("."), "--json", result, "--", "true")
        self.assertEqual(code, 3)
        self.assertIn("no energy", err)
        with open(result, encoding="utf-8") as file:
            result = json.load(file)
        self.assertIsNone(result["total"]["energy_j"]["value"])
        self.assertTrue(result["total"]["energy_j"]["reason"])
        self.assertFalse(result["validity"]["valid"])
        self.assertTrue(result["validity"]["reasons"])
        self.assertEqual(self.code("--root", self.path("."), "--", "false")[0], 1)

    def test_usage_is_2(self):
        for args, expected in (([], "no command given"), (["--interval", "0", "--", "true"], "interval"),
                               (["--interval", "x", "--", "true"], "'x'"),
                               (["--interval", "0,5", "--", "true"], "comma"),
                               (["--interval", "-1", "--", "true"], "interval"),
                               (["--intervall", "5", "--", "true"], "did you mean '--interval'"),
                               (["--trace", "-", "--", "true"], "standard output"),
                               (["--json"], "needs a value")):
            code, out, err = self.code(*args)
            self.assertEqual((code, out), (2, ""), args)
            self.assertIn(expected, err)

    def test_our_own_failure_is_125_and_comes_before_the_child(self):
        mark = self.path("mark")
        for option in ("--json", "--trace"):
            code, _, err = self.code(option, "/nonexistent/file", "--", "touch", mark)
            self.assertEqual(code, 125)
            self.assertIn("/nonexistent/file", err)
            self.assertFalse(os.path.exists(mark))
        self.assertEqual(self.code("--root", "/nonexistent", "--", "touch", mark)[0], 125)
        self.assertFalse(os.path.exists(mark))

    def test_a_full_disk_is_said(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("there is no /dev/full")
        mark = self.path("mark")
        code, _, err = self.code("--trace", "/dev/full", "--", "touch", mark)
        self.assertEqual(code, 125)
        self.assertFalse(os.path.exists(mark))  # said before anything was spent
        code, _, err = self.code("--json", "/dev/full", "--", "touch", mark)
        self.assertEqual(code, 125)
        self.assertTrue(os.path.exists(mark))
        self.assertIn("No space left", err)
        self.assertIn(" J ", err)
        self.assertEqual(self.code("--json", "/dev/full", "--", "sh", "-c", "exit 4")[0], 4)

    def test_a_command_without_dashes(self):
        self.assertEqual(self.code("sh", "-c", "exit 5")[0], 5)

    def test_the_result_as_specified(self):
        result = self.measure(SPENDER, "20", "2", self.package + "=1000000")
        self.assertEqual(set(result) - {"missing"}, {
            "total", "channels", "wall_s", "samples", "late_ticks", "lateness_ns", "own_cpu_s",
            "child_status", "validity"})
        for energy in [result["total"]["energy_j"]] + [c["energy_j"] for c in result["channels"]]:
            self.assertTrue({"value", "u", "u_ind", "u_com", "origin", "quality"} <= set(energy))
            self.assertAlmostEqual(energy["u"] ** 2, energy["u_ind"] ** 2 + energy["u_com"] ** 2)
        self.assertEqual(result["channels"][0]["domain"], "package-0")
        self.assertEqual(result["child_status"], 0)
        self.assertEqual(result["validity"], {"valid": True, "reasons": [], "flags": []})
        self.assertGreater(result["own_cpu_s"], 0)

    def test_modelled_alone_is_headed_so(self):
        root = self.path("model")
        os.makedirs(root + "/proc")
        with open(root + "/proc/stat", "w", encoding="utf-8") as file:
            file.write("cpu  100 0 0 100 0 0 0 0 0 0\n")
        code, _, err = self.code("--root", root, "--", "sleep", "0.05")
        self.assertEqual(code, 0)
        self.assertTrue(err.startswith("perjoule: modelled, not measured: "), err)
        code, _, err = self.code("--root", root, "--measured-only", "--", "sleep", "0.05")
        self.assertEqual(code, 3)

    def test_the_summary_is_one_block_on_standard_error(self):
        code, out, err = self.code("--", "sh", "-c", "echo out; echo err >&2")
        self.assertEqual((code, out), (0, "out\n"))
        self.assertTrue(err.startswith("err\nperjoule: "), err)
        self.assertTrue(all(line.startswith("perjoule: ") for line in err.splitlines()[1:]))

    def test_json_to_standard_output_comes_last(self):
        code, out, _ = self.code("--json", "-", "--", "echo", "hello")
        self.assertEqual(code, 0)
        self.assertTrue(out.startswith("hello\n{"))
        json.loads(out[len("hello\n"):])

    def test_an_old_result_is_replaced_whole(self):
        path = self.path("old.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write("x" * 100000)
        self.assertEqual(self.code("--json", path, "--", "true")[0], 0)
        with open(path, encoding="utf-8") as file:
            json.load(file)

    def test_perjoule_root_is_read_from_the_environment(self):
        done = self.run_perjoule("measure", "--json", "-", "--", "true",
                                 env=self.environment(PERJOULE_ROOT=self.root))
        self.assertEqual(json.loads(done.stdout)["total"]["set"], ["rapl:package-0"])


class Child(lean.Case):
    """What the child sees of us: nothing."""

    def setUp(self):
        super().setUp()
        self.zone("intel-rapl:0", "package-0")

    def child(self, code, **how):
        done = self.run_perjoule("measure", "--root", self.root, "--trace", self.path("t"), "--json",
                                 self.path("j"), "--", "/usr/bin/python3", "-c", code, **how)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout.decode().strip()

    def test_standard_input_is_its_own(self):
        done = subprocess.run([PERJOULE, "measure", "--root", self.root, "--", "cat"],
                              input=b"a\0b\n", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              check=True)
        self.assertEqual(done.stdout, b"a\0b\n")

    def test_no_descriptor_of_ours_leaks(self):
        code = "import os; print(sorted(int(f) for f in os.listdir('/proc/self/fd')))"
        # one more: the listing itself
        self.assertEqual(eval(self.child(code)), [0, 1, 2, 3])

    def test_a_descriptor_of_the_caller_arrives(self):
        read, write = os.pipe()
        os.set_inheritable(write, True)
        self.child("import os; os.write(%d, b'hello')" % write, pass_fds=[write])
        os.close(write)
        self.assertEqual(os.read(read, 10), b"hello")
        os.close(read)

    def test_signal_state_is_the_callers(self):
        code = ("print([l.split()[1] for l in open('/proc/self/status') "
                "if l.startswith(('SigBlk', 'SigIgn'))])")
        plain = subprocess.run(["/usr/bin/python3", "-c", code], stdout=subprocess.PIPE, check=True)
        self.assertEqual(self.child(code), plain.stdout.decode().strip())

    def test_process_group_and_session_are_the_callers(self):
        code = "import os; print(os.getpgid(0) == os.getpgid(os.getppid()), os.getsid(0))"
        self.assertEqual(self.child(code), "True %d" % os.getsid(0))

    def test_limits_are_the_callers(self):
        code = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE))"
        self.assertEqual(self.child(code), str(resource.getrlimit(resource.RLIMIT_NOFILE)))


class Signals(lean.Case):
    """A signal sent to perjoule reaches the child once, and the result is printed all the same."""

    CHILD = """
import signal, sys, time
seen = []
def got(number, frame): seen.append(number)
for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1):
    signal.signal(n, got)
print("ready", flush=True)
end = time.monotonic() + 20
while not seen and time.monotonic() < end: time.sleep(0.01)
time.sleep(0.2)
print(seen, flush=True)
sys.exit(9)
"""

    def setUp(self):
        super().setUp()
        self.zone("intel-rapl:0", "package-0")

    def start(self, *command):
        # a group of its own, but not a session: a stop is not for groups without a parent
        return subprocess.Popen([PERJOULE, "measure", "--root", self.root, "--", *command],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, preexec_fn=os.setpgrp)

    def test_a_signal_is_passed_on_once(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1):
            running = self.start("/usr/bin/python3", "-c", self.CHILD)
            self.assertEqual(running.stdout.readline(), b"ready\n")
            running.send_signal(number)
            out, err = running.communicate(timeout=30)
            self.assertEqual(out.decode(), "[%d]\n" % number)
            self.assertEqual(running.returncode, 9)
            self.assertIn(b"perjoule: ", err)

    def test_a_signal_from_outside_a_container_is_passed_on(self):
        unshare = ["unshare", "--pid", "--fork", "--kill-child"]
        try:
            subprocess.run(unshare + ["true"], check=True, stderr=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError):
            self.skipTest("this machine makes no PID namespace for us")
        running = subprocess.Popen(
            unshare + [PERJOULE, "measure", "--root", self.root, "--", "/usr/bin/python3", "-c",
                       self.CHILD],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(running.stdout.readline(), b"ready\n")
        with open("/proc/%d/task/%d/children" % (running.pid, running.pid), encoding="utf-8") as f:
            inside = int(f.read().split()[0])
        os.kill(inside, signal.SIGINT)  # its sender has no number in there
        out, _ = running.communicate(timeout=30)
        self.assertEqual(out.decode(), "[%d]\n" % signal.SIGINT)
        self.assertEqual(running.returncode, 9)

    def test_a_child_that_dies_of_it_is_measured(self):
        running = self.start("sleep", "30")
        time.sleep(0.2)
        running.terminate()
        _, err = running.communicate(timeout=30)
        self.assertEqual(running.returncode, 128 + signal.SIGTERM)
        self.assertIn(b" J ", err)

    def test_stop_and_continue_are_passed_on(self):
        running = self.start("/usr/bin/python3", "-c", self.CHILD)
        running.stdout.readline()
        with open("/proc/%d/task/%d/children" % (running.pid, running.pid), encoding="utf-8") as f:
            child = int(f.read().split()[0])
        running.send_signal(signal.SIGTSTP)
        self.await_state(running.pid, "T")
        self.await_state(child, "T")
        running.send_signal(signal.SIGCONT)
        self.await_state(child, "SR")
        running.terminate()
        out, _ = running.communicate(timeout=30)
        self.assertEqual(out.decode(), "[%d]\n" % signal.SIGTERM)

    def await_state(self, pid, states):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with open("/proc/%d/stat" % pid, encoding="utf-8") as file:
                state = file.read().rsplit(")", 1)[1].split()[0]
            if state in states:
                return
            time.sleep(0.01)
        self.fail("process %d is in state %s, not in one of %s" % (pid, state, states))


if __name__ == "__main__":
    lean.main()
