#!/usr/bin/python3
"""perjoule energibridge, the whole program, read the way its users' tools read it: Experiment
Runner's plugin (two numbers by pattern, columns by name), its self-measurement (SIGTERM, the seventh
word) and its validation probe."""
import csv
import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import time

import lean
from lean import BUILD, PERJOULE, RANGE_61, SPENDER

PACKAGE = "PACKAGE_ENERGY (J)"
MODULUS = RANGE_61 + 61
INTEL = "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n"
AMD = "vendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\n"


# Tells which signals it got, and ends after the first.
TELLER = """
import signal, time
seen = []
for n in (signal.SIGINT, signal.SIGTERM):
    signal.signal(n, lambda number, frame: seen.append(int(number)))
print("ready", flush=True)
end = time.monotonic() + 30
while not seen and time.monotonic() < end: time.sleep(0.01)
time.sleep(0.3)
print("seen", seen, flush=True)
"""


class Bridge(lean.Case):
    def setUp(self):
        super().setUp()
        self.machine(INTEL)

    def machine(self, vendor, cpus=2):
        blocks = ["processor\t: %d\n%smodel name\t: A CPU\nphysical id\t: 0\nsiblings\t: %d\n"
                  "core id\t\t: %d\ncpu cores\t: %d\ncpu MHz\t\t: %d.5\n" %
                  (i, vendor, cpus, i, cpus, 1000 + i) for i in range(cpus)]
        self.put("/proc/cpuinfo", "\n".join(blocks))
        self.put("/proc/meminfo", "MemTotal:    1000 kB\nMemFree:     100 kB\n"
                 "MemAvailable: 400 kB\nSwapTotal:    50 kB\nSwapFree:     20 kB\n")
        self.stat(0, cpus)

    def stat(self, busy, cpus=2):
        """Writes /proc/stat: CPU i has been busy for busy * (i + 1) of 1000 ticks more."""
        lines = ["cpu  1 1 1 1 0 0 0 0 0 0"]
        for i in range(cpus):
            work = busy * (i + 1)
            lines.append("cpu%d %d 0 0 %d 0 0 0 0 0 0" % (i, 100 + work, 900 + (1000 - work) *
                                                          (busy > 0)))
        return self.put("/proc/stat", "\n".join(lines) + "\nintr 1 2 3\n")

    def bridge(self, *command, options=(), code=0, root=True, **how):
        """Runs it; returns what subprocess gave, with text."""
        words = ["energibridge", *(["--root", self.root] if root else []), *options, "--", *command]
        done = self.run_perjoule(*words, **how)
        done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def table(self, *command, options=(), **how):
        out = self.path("energibridge.csv")
        done = self.bridge(*command, options=["-o", out, *options], **how)
        with open(out, encoding="utf-8") as file:
            return done, list(csv.DictReader(file))

    def start(self, *words):
        """Starts it in the background; returns when its first row is written."""
        out = self.path("started.csv")
        bridge = subprocess.Popen([PERJOULE, "energibridge", "--root", self.root, "-o", out, *words],
                                  text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  env=self.environment())
        self.addCleanup(bridge.wait)
        self.addCleanup(bridge.kill)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if os.path.exists(out):
                with open(out, encoding="utf-8") as file:
                    if file.read().count("\n") >= 2:
                        break
            time.sleep(0.02)
        return bridge, out

    @staticmethod
    def plugin_summary(stdout):
        """The last line, and exactly two numbers in it, as the plugin takes them."""
        last = stdout.splitlines()[-1]
        assert last.startswith("Energy consumption"), stdout
        values = re.findall("[0-9]+[.]?[0-9]*", last)
        assert len(values) == 2, last
        return float(values[0]), float(values[1])


class Plugin(Bridge):
    def test_summary_and_columns(self):
        package = self.zone("intel-rapl:0", "package-0", 5000000)
        cores = self.zone("intel-rapl:0:0", "core", 7000000)
        uncore = self.zone("intel-rapl:0:1", "uncore", 1000000)
        dram = self.zone("intel-rapl:0:2", "dram", 2000000)
        done, rows = self.table(SPENDER, "450", "45", package + "=3000000", cores + "=2000000",
                                uncore + "=500000", dram + "=1000000",
                                options=["-i", "100", "--summary"])
        joules, seconds = self.plugin_summary(done.stdout)
        self.assertAlmostEqual(joules, 3.0, places=6)
        self.assertGreaterEqual(seconds, 0.45)
        self.assertEqual(done.stderr, "")
        for name, first, used in [(PACKAGE, 5, 3), ("PP0_ENERGY (J)", 7, 2),
                                  ("PP1_ENERGY (J)", 1, 0.5), ("DRAM_ENERGY (J)", 2, 1)]:
            self.assertAlmostEqual(float(rows[0][name]), first, places=6)
            self.assertAlmostEqual(float(rows[-1][name]) - float(rows[0][name]), used, places=5)
        self.assertEqual(float(rows[0]["USED_MEMORY"]), 600 * 1024)
        times = [int(row["Time"]) for row in rows]
        self.assertEqual(times, sorted(times))
        self.assertLess(abs(times[-1] / 1e3 - time.time()), 60)
        self.assertAlmostEqual((times[-1] - times[0]) / 1e3, seconds, delta=0.1)

    def test_validation_probe(self):
        package = self.zone("intel-rapl:0", "package-0", 5000000)
        with subprocess.Popen([SPENDER, "20000", "2000", package + "=200000000"]) as other:
            done = self.bridge("sleep", "0.5", options=["--summary", "-o", "/dev/null"], timeout=5)
            other.kill()
        self.assertEqual(done.stderr, "")
        self.assertIn("joules", done.stdout)
        self.assertGreater(self.plugin_summary(done.stdout)[0], 0)

    def test_a_socket_that_cannot_be_read_is_said(self):
        package = self.zone("intel-rapl:0", "package-0", 1)
        self.put("/sys/class/powercap/intel-rapl:1/name", "package-1\n")
        self.put("/sys/class/powercap/intel-rapl:1/energy_uj", "nonsense\n")
        done = self.bridge(SPENDER, "1", "1", package + "=1000000",
                           options=["--summary", "-o", "/dev/null"])
        self.assertIn("lacks", done.stderr)
        self.assertAlmostEqual(self.plugin_summary(done.stdout)[0], 1.0, places=5)

    def test_self_measurement_by_sigterm(self):
        package = self.zone("intel-rapl:0", "package-0", 5000000)
        with subprocess.Popen([SPENDER, "20000", "2000", package + "=200000000"]) as other:
            bridge, out = self.start("--summary", "sleep", "1000")
            time.sleep(0.5)
            bridge.send_signal(signal.SIGTERM)
            stdout, stderr = bridge.communicate(timeout=20)
            other.kill()
        self.assertEqual(stdout.split("\n")[:2], ["", "Received Ctrl+C, stopping..."])
        self.assertGreater(float(stdout.split(" ")[6]), 0)
        self.assertEqual(bridge.returncode, 1)
        self.assertEqual(stderr, "")
        with open(out, encoding="utf-8") as file:
            self.assertGreaterEqual(len(list(csv.DictReader(file))), 2)

    def test_spelling_of_the_plugin_for_the_output_of_the_command(self):
        package = self.zone("intel-rapl:0", "package-0", 1)
        for number, option in enumerate(["-c", "--command-output", "--output-command"]):
            out = self.path("child%d.txt" % number)
            done, rows = self.table("sh", "-c", "echo out; echo err >&2; exec \"$@\"", "sh",
                                    SPENDER, "1", "1", package + "=1000000",
                                    options=[option, out, "--summary"])
            with open(out, encoding="utf-8") as file:
                self.assertEqual(file.read(), "out\n")
            self.assertEqual(done.stderr, "err\n")
            self.assertAlmostEqual(self.plugin_summary(done.stdout)[0], 1.0, places=5)
            self.assertEqual(len(rows), 2)

    def test_called_by_its_name(self):
        package = self.zone("intel-rapl:0", "package-0", 1)
        link = self.path("energibridge")
        os.symlink(os.path.abspath(PERJOULE), link)
        done = subprocess.run([link, "--summary", "-o", "/dev/null", SPENDER, "20", "2",
                               package + "=1500000"], stdout=subprocess.PIPE, text=True, check=True,
                              env=self.environment(PERJOULE_ROOT=self.root), timeout=30)
        self.assertAlmostEqual(self.plugin_summary(done.stdout)[0], 1.5, places=5)
        done = subprocess.run([link], stderr=subprocess.PIPE, text=True, check=False, timeout=30)
        self.assertEqual(done.returncode, 1)
        self.assertIn("usage:", done.stderr)


class Totals(Bridge):
    def two_sockets(self, options):
        first = self.zone("intel-rapl:0", "package-0", MODULUS - 1000000)
        second = self.zone("intel-rapl:1", "package-1", 5000000)
        for number in range(2):
            self.put("/sys/class/powercap/intel-rapl:%d/constraint_0_max_power_uw" % number,
                     "150000000\n")
        return self.table(SPENDER, "450", "45", "%s=3000000/%d" % (first, MODULUS),
                          second + "=2000000", options=["--summary", "-i", "50", *options])

    def test_corrected(self):
        done, rows = self.two_sockets([])
        self.assertAlmostEqual(self.plugin_summary(done.stdout)[0], 5.0, places=4)
        column = [float(row[PACKAGE]) for row in rows]
        self.assertEqual(column, sorted(column))
        self.assertAlmostEqual(column[-1] - column[0], 5.0, places=4)

    def test_literal_does_not_repair_a_wrap(self):
        done, rows = self.two_sockets(["--compat"])
        self.assertEqual(done.stdout, "")
        self.assertIn("wrap", done.stderr)
        column = [float(row[PACKAGE]) for row in rows]
        self.assertLess(column[-1], column[0])
        self.assertAlmostEqual(column[-1], 2.0, places=4)

    def test_literal_loses_the_last_interval_and_the_second_socket(self):
        first = self.zone("intel-rapl:0", "package-0", 1000000)
        second = self.zone("intel-rapl:1", "package-1", 5000000)
        trace = self.path("run.trace")
        spend = "%s 20 5 %s=1000000" % (SPENDER, first)
        spend += "; until grep -q 2000000 %s; do sleep 0.02; done" % trace
        spend += "; %s 1 1 %s=3000000 %s=4000000" % (SPENDER, second, first)
        done, rows = self.table("sh", "-c", spend, options=["--compat", "--summary", "-i", "1000",
                                                            "--trace", trace])
        # a row has seen the first joule; what came between it and the end is not in the sum
        self.assertAlmostEqual(self.plugin_summary(done.stdout)[0], 1.0, places=4)
        self.assertAlmostEqual(float(rows[-1][PACKAGE]), 6.0, places=4)

    def test_literal_says_nothing_of_a_short_run(self):
        package = self.zone("intel-rapl:0", "package-0", 1)
        done, _ = self.table(SPENDER, "1", "1", package + "=1000000",
                             options=["--compat", "--summary"])
        self.assertEqual(done.stdout, "")

    def test_dram_is_no_part_of_the_total(self):
        package = self.zone("intel-rapl:0", "package-0", 1)
        dram = self.zone("intel-rapl:0:0", "dram", 1)
        done = self.bridge(SPENDER, "1", "1", package + "=1000000", dram + "=7000000",
                           options=["--summary", "-o", "/dev/null"])
        self.assertAlmostEqual(self.plugin_summary(done.stdout)[0], 1.0, places=5)

    def test_small_energies_have_no_exponent(self):
        package = self.zone("intel-rapl:0", "package-0", 1)
        done, _ = self.table(SPENDER, "1", "1", package + "=3", options=["--summary"])
        self.assertAlmostEqual(self.plugin_summary(done.stdout)[0], 3e-6, places=9)

    def test_missing_is_not_zero(self):
        done, rows = self.table("sh", "-c", "exit 4", options=["--summary"], code=4)
        self.assertEqual(done.stdout, "")
        self.assertIn("missing", done.stderr)
        self.assertEqual([name for name in rows[0] if "ENERGY" in name], [])
        self.assertIn("TOTAL_MEMORY", rows[0])

    def test_extra_file(self):
        package = self.zone("intel-rapl:0", "package-0", 1)
        extra, trace = self.path("extra.json"), self.path("run.trace")
        self.bridge(SPENDER, "20", "2", package + "=1500000",
                    options=["--json", extra, "--trace", trace, "-o", "/dev/null"])
        with open(extra, encoding="utf-8") as file:
            energy = json.load(file)["total"]["energy_j"]
        self.assertAlmostEqual(energy["value"], 1.5, places=5)
        self.assertEqual(energy["origin"], "counter")
        self.assertGreater(energy["u"], 0)
        replay = json.loads(self.run_perjoule("replay", trace, "--json").stdout)
        self.assertEqual(replay["total"]["energy_j"]["value"], energy["value"])


class Codes(Bridge):
    def test_of_the_command(self):
        self.zone("intel-rapl:0", "package-0", 1)
        for code in (0, 7, 255):
            self.bridge("sh", "-c", "exit %d" % code, code=code, options=["-o", "/dev/null"])
        self.bridge("sh", "-c", "kill -KILL $$", code=137, options=["-o", "/dev/null"])
        self.bridge(self.path("nothing"), code=127, options=["-o", "/dev/null"])
        self.bridge(self.root, code=126, options=["-o", "/dev/null"])

    def test_max_execution(self):
        package = self.zone("intel-rapl:0", "package-0", 1)
        start = time.monotonic()
        done = self.bridge("sh", "-c", "%s 100 10 %s=1000000; exec sleep 100" % (SPENDER, package),
                           options=["-m", "2", "--summary", "-o", "/dev/null"])
        self.assertLess(time.monotonic() - start, 30)
        joules, seconds = self.plugin_summary(done.stdout)
        self.assertAlmostEqual(joules, 1.0, places=5)
        self.assertGreaterEqual(seconds, 2)

    def test_interrupt(self):
        bridge, _ = self.start("sleep", "1000")
        bridge.send_signal(signal.SIGINT)
        stdout, _ = bridge.communicate(timeout=20)
        self.assertEqual(stdout, "\nReceived Ctrl+C, stopping...\n")
        self.assertEqual(bridge.returncode, 1)

    def test_ctrl_c_reaches_the_command_once_and_it_may_finish(self):
        pid, master = pty.fork()
        if pid == 0:
            try:
                os.execv(PERJOULE, [PERJOULE, "energibridge", "--root", self.root, "-o",
                                    "/dev/null", "python3", "-c", TELLER])
            finally:
                os._exit(99)
        text, deadline = b"", time.monotonic() + 30
        pressed = False
        while time.monotonic() < deadline:
            if not select.select([master], [], [], 1)[0]:
                continue
            try:
                got = os.read(master, 4096)
            except OSError:  # EIO: everybody has left the terminal
                break
            if not got:
                break
            text += got
            if b"ready" in text and not pressed:
                os.write(master, b"\x03")
                pressed = True
        status = os.waitpid(pid, 0)[1]
        os.close(master)
        self.assertIn(b"Received Ctrl+C, stopping...", text)
        self.assertIn(b"seen [2]", text)
        self.assertEqual(os.waitstatus_to_exitcode(status), 1)

    def test_usage(self):
        self.assertIn("usage:", self.bridge(code=1).stderr)
        self.bridge("true", options=["--nothing"], code=2)
        self.bridge("true", options=["-i", "x"], code=2)
        self.bridge("true", options=["-m", "-1"], code=2)
        self.bridge("true", options=["-s", ""], code=2)
        self.assertIn("0.0.7", self.bridge(options=["-V"]).stdout)
        self.assertIn("--output-command", self.bridge(options=["-h"]).stdout)

    def test_files_that_cannot_be_written(self):
        done = self.bridge("touch", self.path("ran"), options=["-o", self.path("no/where")],
                           code=125)
        self.assertIn("no/where", done.stderr)
        self.assertFalse(os.path.exists(self.path("ran")))
        done = self.bridge("touch", self.path("ran"), options=["-o", "/dev/full"], code=125)
        self.assertTrue(os.path.exists(self.path("ran")))
        self.assertIn("table", done.stderr)


class Columns(Bridge):
    def test_order_and_separator(self):
        self.machine(INTEL, cpus=11)
        self.zone("intel-rapl:0", "package-0", 1)
        done = self.bridge("true", options=["-s", ";"])
        header = done.stdout.splitlines()[0].split(";")
        self.assertEqual(header[:2], ["Delta", "Time"])
        self.assertEqual(header[2:], sorted(header[2:], key=str.encode))
        self.assertLess(header.index("CPU_USAGE_10"), header.index("CPU_USAGE_2"))
        self.assertEqual(len(header), 2 + 11 + 11 + 1 + 4)
        for row in csv.reader(io.StringIO(done.stdout), delimiter=";"):
            self.assertEqual(len(row), len(header))

    def test_usage_and_frequency(self):
        self.put("/sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "2600000\n")
        new = self.path("stat")
        stat = self.stat(250)
        os.rename(stat, new)
        self.stat(0)
        _, rows = self.table("sh", "-c", "cat %s > %s" % (new, stat))
        self.assertEqual(rows[0]["CPU_USAGE_0"], "")  # nothing to compare with yet
        self.assertAlmostEqual(float(rows[-1]["CPU_USAGE_0"]), 25)
        self.assertAlmostEqual(float(rows[-1]["CPU_USAGE_1"]), 50)
        self.assertEqual(rows[0]["CPU_FREQUENCY_0"], "1000.5")
        self.assertEqual(rows[0]["CPU_FREQUENCY_1"], "2600")
        self.assertEqual(rows[0]["TOTAL_SWAP"], "51200")
        self.assertEqual(rows[0]["USED_SWAP"], "30720")

    def test_delta_is_the_wait_behind_a_sample(self):
        _, rows = self.table("sleep", "0.7", options=["-i", "200"])
        self.assertGreaterEqual(len(rows), 3)
        self.assertLess(int(rows[0]["Delta"]), 190)
        for row, later in zip(rows[1:-1], rows[2:]):
            self.assertAlmostEqual(int(later["Time"]) - int(row["Time"]), int(row["Delta"]),
                                   delta=100)

    def test_amd(self):
        self.machine(AMD)
        self.zone("intel-rapl:0", "package-0", 1000000)
        self.zone("intel-rapl:0:0", "core", 1000000)
        self.zone("intel-rapl:1", "package-1", 4000000)
        _, rows = self.table("true")
        self.assertEqual(rows[0]["CPU_ENERGY (J)"], "5")
        self.assertEqual([name for name in rows[0] if "ENERGY" in name], ["CPU_ENERGY (J)"])
        _, rows = self.table("true", options=["--compat"])
        self.assertEqual(rows[0]["CPU_ENERGY (J)"], "4")

    def test_gpu(self):
        library = os.path.abspath(os.path.join(BUILD, "tests/fakes/fake_nvml.so"))
        self.zone("intel-rapl:0", "package-0", 1)
        self.put("/dev/nvidiactl", "")
        env = self.environment(PERJOULE_NVML=library, FAKE_NVML_SQUARE="250000,250000,1000",
                               CUDA_VISIBLE_DEVICES=None)
        _, rows = self.table("sleep", "0.5", options=["-g"], env=env)
        self.assertAlmostEqual(float(rows[-1]["GPU0_POWER (mWatts)"]), 250000, delta=1)
        self.assertGreater(float(rows[-1]["GPU0_TEMPERATURE"]), 0)
        _, rows = self.table("true", env=env)
        self.assertEqual([name for name in rows[0] if name.startswith("GPU")], [])


if __name__ == "__main__":
    lean.main()
