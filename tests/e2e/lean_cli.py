#!/usr/bin/python3
"""devices, record, replay, model, help and the way to perjoule-lab, as a user meets them."""
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import time

import lean
from lean import PERJOULE, SPENDER

STAT = "cpu  100 0 0 100 0 0 0 0 0 0\n"


class Program(lean.Case):
    def test_it_links_libc_libm_and_jansson_alone(self):
        shown = subprocess.run(["ldd", PERJOULE], stdout=subprocess.PIPE, check=True).stdout.decode()
        if "san.so" in shown:
            self.skipTest("built with a sanitizer")
        names = {re.split(r"[\s(]", line.strip())[0] for line in shown.splitlines()}
        names = {os.path.basename(n).split(".so")[0] for n in names}
        self.assertLessEqual(names, {"linux-vdso", "ld-linux-x86-64", "ld-linux-aarch64", "libc",
                                     "libm", "libjansson"})
        self.assertTrue({"libc", "libm", "libjansson"} <= names)

    def test_version_and_help(self):
        done = self.run_perjoule("--version")
        self.assertRegex(done.stdout.decode(), r"^perjoule \d+\.\d+\.\d+\n$")
        for args in (["help"], ["--help"], ["-h"]):
            done = self.run_perjoule(*args)
            self.assertEqual(done.returncode, 0)
            for name in (b"measure", b"devices", b"doctor", b"record", b"replay", b"model", b"run", b"report"):
                self.assertIn(b"  " + name, done.stdout)
        for name in ("measure", "devices", "doctor", "record", "replay", "model"):
            told = self.run_perjoule("help", name)
            self.assertEqual(told.returncode, 0)
            self.assertEqual(told.stdout, self.run_perjoule(name, "--help").stdout)
            self.assertIn(b"usage: perjoule " + name.encode(), told.stdout)
            self.assertLessEqual(max(map(len, told.stdout.decode().splitlines())), 79)

    def test_the_man_page_has_every_option(self):
        page = self.run_perjoule("help", "--man").stdout.decode()
        for name in ("measure", "devices", "doctor", "record", "replay", "model"):
            self.assertIn(".Ss perjoule " + name, page)
            for option in re.findall(r"--([a-z-]+)", self.run_perjoule(name, "--help").stdout.decode()
                                     .split("options:")[1]):
                if option != "help":
                    self.assertIn(".It Fl \\-" + option, page)
        if shutil.which("mandoc"):
            lint = subprocess.run(["mandoc", "-T", "lint", "-W", "error"], input=page.encode(),
                                  stdout=subprocess.PIPE, check=False)
            self.assertEqual(lint.returncode, 0, lint.stdout)

    def test_help_lists_what_the_lab_can_do(self):
        lab = os.path.join(os.environ.get("PERJOULE_BUILD_ROOT", "."), "src/cli/perjoule-lab")
        if not os.path.exists(lab):
            self.skipTest("perjoule-lab is not built")
        told = subprocess.run([lab, "help"], stdout=subprocess.PIPE, check=True).stdout.decode()
        names = re.findall(r"(?m)^  ([a-z-]+)  +", told)
        self.assertTrue(names)
        shown = self.run_perjoule("help").stdout.decode()
        for name in names:
            self.assertRegex(shown, r"(?m)^  %s  +" % name)

    def test_unknown_words(self):
        for args, text in (([], "usage:"), (["mesure"], "did you mean 'measure'"),
                           (["xyzzy"], "perjoule help"), (["reprot"], "did you mean 'report'"),
                           (["devices", "extra"], "unexpected argument 'extra'"),
                           (["devices", "--jsn"], "did you mean '--json'"),
                           (["devices", "--json=3"], "takes no value"),
                           (["help", "mesure"], "did you mean 'measure'")):
            done = self.run_perjoule(*args)
            self.assertEqual((done.returncode, done.stdout), (2, b""), args)
            self.assertIn(text, done.stderr.decode())

    def test_a_closed_standard_output_is_said(self):
        with open("/dev/full", "wb") as full:
            for args in (["help"], ["--version"], ["devices"], ["measure", "--help"]):
                done = subprocess.run([PERJOULE, *args], stdout=full, stderr=subprocess.PIPE,
                                      check=False)
                self.assertEqual(done.returncode, 1, args)
                self.assertIn(b"No space left", done.stderr)

    def test_the_lab_is_found_and_becomes_the_process(self):
        libexec = self.path("libexec")
        os.mkdir(libexec)
        lab = os.path.join(libexec, "perjoule-lab")
        with open(lab, "w", encoding="utf-8") as file:
            file.write('#!/bin/sh\necho "$$:$*"\nexit 6\n')
        os.chmod(lab, 0o755)
        env = self.environment(PERJOULE_LIBEXEC=libexec)
        for name in ("run", "resume", "check", "status", "export", "report"):
            running = subprocess.Popen([PERJOULE, name, "a b", "--x"], env=env,
                                       stdout=subprocess.PIPE)
            out = running.communicate()[0].decode()
            self.assertEqual(out, "%d:%s a b --x\n" % (running.pid, name))
            self.assertEqual(running.returncode, 6)
        done = self.run_perjoule("help", "run", env=env)
        self.assertTrue(done.stdout.decode().endswith(":run --help\n"))

    def test_a_lab_that_is_missing_is_said(self):
        done = self.run_perjoule("run", "x.yaml", env=self.environment(PERJOULE_LIBEXEC=self.dir))
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"PERJOULE_LIBEXEC", done.stderr)


class Devices(lean.Case):
    def devices(self, *args):
        done = self.run_perjoule("devices", "--root", self.root, *args)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()

    def test_json(self):
        self.zone("intel-rapl:0", "package-0")
        self.zone("intel-rapl:0:0", "core")
        self.put("/proc/stat", STAT)
        result = json.loads(self.devices("--json"))
        names = [c["name"] for c in result["channels"]]
        self.assertEqual(names[:2], ["rapl:package-0", "rapl:package-0/core"])
        self.assertEqual(result["set"], ["rapl:package-0"])
        for channel in result["channels"]:
            for key in ("domain", "origin", "unit", "refresh_ns"):
                self.assertIn(key, channel)

    def test_text(self):
        self.zone("intel-rapl:0", "package-0")
        text = self.devices()
        self.assertRegex(text, r"(?m)^\* rapl:package-0 +package-0 +counter +uJ +1 ms +intel-rapl:0$")

    def test_what_cannot_be_measured_comes_with_a_remedy(self):
        self.put("/proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\n"
                 "model name\t: Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz\n")
        result = json.loads(self.devices("--json"))
        row = [m for m in result["missing"] if m["source"] == "rapl_powercap"][0]
        self.assertTrue(row["reason"] and row["fix"])
        self.assertIn("fix: " + row["fix"], self.devices())

    def test_an_empty_machine(self):
        self.assertIn("Nothing can be measured here.", self.devices())

    def test_a_root_that_does_not_exist(self):
        done = self.run_perjoule("devices", "--root", self.path("nowhere"))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("nowhere", done.stderr.decode())


class Record(lean.Case):
    def setUp(self):
        super().setUp()
        self.counter = self.zone("intel-rapl:0", "package-0")

    def start(self, *args, **how):
        return subprocess.Popen([PERJOULE, "record", "--root", self.root, *args],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **how)

    def lines(self, running):
        out, err = running.communicate(timeout=30)
        self.assertEqual(running.returncode, 0, err)
        return [json.loads(line) for line in out.splitlines()]

    def test_it_ends_with_its_standard_input(self):
        running = self.start("--interval", "10")
        time.sleep(0.3)
        lines = self.lines(running)
        self.assertEqual(lines[0]["type"], "header")
        self.assertEqual(lines[0]["channels"][0]["name"], "rapl:package-0")
        self.assertEqual(lines[0]["interval_ns"], 10000000)
        self.assertEqual(lines[-1]["type"], "footer")
        self.assertEqual(lines[-1]["samples"], len(lines) - 2)
        times = [line["t_ns"] for line in lines[1:-1]]
        self.assertEqual(times, sorted(times))
        self.assertGreater(len(times), 5)

    def test_signals_end_it_cleanly(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            running = self.start()
            self.assertIn(b"header", running.stdout.readline())
            running.stdout.readline()
            running.send_signal(number)
            lines = self.lines(running)
            self.assertEqual(lines[-1]["type"], "footer")
            self.assertIn("r", lines[-2])

    def test_a_byte_takes_a_reading_at_once(self):
        running = self.start("--interval", "3600000")
        running.stdout.readline()
        before = json.loads(running.stdout.readline())
        with open(self.counter, "r+", encoding="utf-8") as file:
            file.write("%020d\n" % 4711)
        running.stdin.write(b"\n")
        running.stdin.flush()
        after = json.loads(running.stdout.readline())
        self.assertEqual(before["r"], [[0, 0]])
        self.assertEqual(after["r"], [[0, 4711]])
        self.assertEqual(self.lines(running)[-1]["samples"], 3)

    def test_a_reader_that_leaves_ends_it(self):
        running = self.start("--interval", "10")
        running.stdout.readline()
        running.stdout.close()
        self.assertEqual(running.wait(timeout=30), 0)
        self.assertEqual(running.stderr.read(), b"")

    def test_a_parent_that_dies_ends_it(self):
        read, write = os.pipe()
        code = ("import subprocess, sys, os\n"
                "p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, "
                "stdout=subprocess.PIPE)\nprint(p.pid, flush=True)\nos.kill(os.getpid(), 9)\n")
        done = subprocess.run(["/usr/bin/python3", "-c", code, PERJOULE, "record", "--root",
                               self.root], stdout=subprocess.PIPE, check=False)
        os.close(read)
        os.close(write)
        pid = int(done.stdout)
        end = time.monotonic() + 20
        while os.path.exists("/proc/%d" % pid) and time.monotonic() < end:
            with open("/proc/%d/stat" % pid, encoding="utf-8") as file:
                if file.read().rsplit(")", 1)[1].split()[0] == "Z":
                    break
            time.sleep(0.01)
        self.assertLess(time.monotonic(), end)

    def test_to_a_file(self):
        out = self.path("trace.jsonl")
        running = self.start("--out", out)
        running.communicate(timeout=30)
        done = self.run_perjoule("replay", out)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, b"")

    def test_a_wrong_option_costs_no_file(self):
        out = self.path("precious")
        with open(out, "w", encoding="utf-8") as file:
            file.write("precious")
        self.assertEqual(self.run_perjoule("record", "--out", out, "--interval", "0").returncode, 2)
        self.assertEqual(self.run_perjoule("record", "--out", out, "--root", "/nonexistent")
                         .returncode, 1)
        with open(out, encoding="utf-8") as file:
            self.assertEqual(file.read(), "precious")

    def test_a_trace_can_be_played_as_an_instrument(self):
        first = self.path("first.jsonl")
        self.run_perjoule("measure", "--root", self.root, "--trace", first, "--interval", "10", "--",
                          SPENDER, "100", "10", self.counter + "=1000000")
        running = self.start("--replay", first, "--interval", "10")
        time.sleep(0.6)
        second = self.path("second.jsonl")
        with open(second, "wb") as file:
            file.write(running.communicate(timeout=30)[0])
        totals = [json.loads(self.run_perjoule("replay", "--json", path).stdout)["total"]
                  for path in (first, second)]
        self.assertEqual(totals[0]["energy_j"]["value"], totals[1]["energy_j"]["value"])
        self.assertEqual(totals[0]["set"], totals[1]["set"])


class Replay(lean.Case):
    def setUp(self):
        super().setUp()
        counter = self.zone("intel-rapl:0", "package-0")
        self.trace = self.path("trace.jsonl")
        done = self.run_perjoule("measure", "--root", self.root, "--trace", self.trace,
                                 "--interval", "5", "--", SPENDER, "200", "20", counter + "=4000000")
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.trace, encoding="utf-8") as file:
            self.lines = file.readlines()
        self.times = [json.loads(line)["t_ns"] for line in self.lines[1:-1]]

    def replay(self, *args, code=0):
        done = self.run_perjoule("replay", *args)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def write(self, text):
        path = self.path("other.jsonl")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def test_it_is_deterministic_and_leaves_the_locale_alone(self):
        outputs = {self.replay("--json", self.trace).stdout for _ in range(3)}
        for name in ("de_DE.UTF-8", "de_DE.utf8", "C", "POSIX"):
            done = self.run_perjoule("replay", "--json", self.trace,
                                     env=self.environment(LC_ALL=name, LANG=name))
            outputs.add(done.stdout)
        self.assertEqual(len(outputs), 1)

    def comma_locale(self):
        """An environment whose numbers have a decimal comma: de_DE.UTF-8, or where that is not
        installed the 54 bytes of its LC_NUMERIC (as in support/comma_locale.c)."""
        shown = "import locale as l; l.setlocale(l.LC_NUMERIC, ''); print(l.localeconv()['decimal_point'])"
        folder = self.path("locale/de_DE.UTF-8")
        os.makedirs(folder)
        with open(folder + "/LC_NUMERIC", "wb") as file:
            file.write(struct.pack("<8I2s2s4sII6s", 0x20031115 ^ 1, 6, 32, 34, 36, 40, 44, 48, b",",
                                   b".", b"\3\3", ord(","), ord("."), b"UTF-8"))
        for env in (self.environment(LC_ALL="de_DE.UTF-8"),
                    self.environment(LC_NUMERIC="de_DE.UTF-8", LOCPATH=self.path("locale"))):
            done = subprocess.run(["/usr/bin/python3", "-c", shown], env=env, check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            if done.stdout == b",\n":
                return env
        return self.skipTest("this C library takes no locale with a decimal comma")

    def test_german_output_is_byte_identical(self):
        german = self.comma_locale()
        for args in (["replay", self.trace], ["replay", "--json", self.trace], ["help", "measure"],
                     ["devices", "--json", "--root", self.root],
                     ["model", "cpu", "--cores", "4", "--tdp", "65.5", "--utilisation", "0.5"],
                     ["replay", "/nonexistent"], ["measure", "--interval", "1,5", "--", "true"]):
            here, there = self.run_perjoule(*args), self.run_perjoule(*args, env=german)
            self.assertEqual((here.returncode, here.stdout, here.stderr),
                             (there.returncode, there.stdout, there.stderr))

    def test_windows(self):
        middle = self.times[len(self.times) // 2]
        csv = self.path("windows.csv")
        with open(csv, "w", encoding="utf-8") as file:
            file.write("name,start_ns,end_ns\nfirst,%d,%d\n\"second, half\",%d,%d\nfuture,%d,%d\n"
                       % (self.times[0], middle, middle, self.times[-1], self.times[-1] + 10**10,
                          self.times[-1] + 2 * 10**10))
        result = json.loads(self.replay("--json", "--windows", csv, self.trace).stdout)
        first, second, future = result["windows"]
        self.assertEqual([w["name"] for w in result["windows"]], ["first", "second, half", "future"])
        total = first["energy_j"]["value"] + second["energy_j"]["value"]
        self.assertAlmostEqual(total, result["total"]["energy_j"]["value"], places=9)
        self.assertGreater(first["energy_j"]["u_ind"], 0)
        self.assertEqual(first["energy_j"]["origin"], "counter")
        self.assertEqual(first["set"], ["rapl:package-0"])
        self.assertIsNone(future["energy_j"]["value"])
        self.assertEqual(future["energy_j"]["origin"], "missing")
        text = self.replay("--windows", csv, self.trace).stdout.decode()
        self.assertRegex(text, r"(?m)^second, half: .* J ± .* J \(95 %\), counter$")
        self.assertRegex(text, r"(?m)^future: missing, ")

    def test_bad_windows_are_named(self):
        for text, expected in (("", "empty"), ("a,b\n1,2\n", "'name'"),
                               ("name,start_ns,end_ns\nx,1\n", ":2"),
                               ("name,start_ns,end_ns\nx,1,1.5\n", ":2: end_ns"),
                               ("name,start_ns,end_ns\nx,5,1\n", "ends before"),
                               ("name,start_ns,end_ns\n\"x,5,1\n", "windows.csv")):
            csv = self.path("windows.csv")
            with open(csv, "w", encoding="utf-8") as file:
                file.write(text)
            done = self.replay("--windows", csv, self.trace, code=2)
            self.assertIn(expected, done.stderr.decode())

    def test_a_torn_line_is_tolerated_and_said(self):
        whole = "".join(self.lines[:-1])
        done = self.replay("--json", self.write(whole[:-5]))
        self.assertIn(b"cut off", done.stderr)
        result = json.loads(done.stdout)
        self.assertTrue(result["torn"])
        self.assertFalse(result["complete"])
        self.assertGreater(result["total"]["energy_j"]["value"], 3)
        done = self.replay("--json", self.write(whole))
        self.assertIn(b"no footer", done.stderr)
        self.assertFalse(json.loads(done.stdout)["torn"])

    def test_damage_is_an_error(self):
        damaged = "".join(self.lines[:3]) + "garbage\n" + "".join(self.lines[3:])
        done = self.run_perjoule("replay", self.write(damaged))
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"other.jsonl:4", done.stderr)
        self.replay("/nonexistent", code=1)
        self.assertNotEqual(self.run_perjoule("replay", self.write("")).returncode, 0)
        self.replay(code=2)


class Model(lean.Case):
    def model(self, *args, code=0):
        done = self.run_perjoule("model", "cpu", *args)
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout) if code == 0 and "--json" in args else done

    def test_as_specified(self):
        result = self.model("--tdp", "180", "--sockets", "2", "--cores", "16", "--threads", "32",
                            "--utilisation", "0.5", "--json")
        self.assertEqual(set(result), {"value_w", "u_w", "ci95_w"})
        low, high = result["ci95_w"]
        self.assertTrue(0 < low < result["value_w"] < high < 2 * 2 * 180)
        self.assertAlmostEqual(result["u_w"], (high - low) / 3.92)

    def test_a_known_name_has_its_tdp(self):
        args = ["--cores", "64", "--threads", "128", "--utilisation", "1", "--json"]
        self.assertEqual(self.model("--cpu", "AMD EPYC 7742 64-Core Processor", *args),
                         self.model("--tdp", "225", *args))
        unknown = self.model(*args)
        self.assertGreater(unknown["u_w"], self.model("--tdp", "225", *args)["u_w"])

    def test_nonsense_is_refused(self):
        good = {"--tdp": "100", "--cores": "4", "--utilisation": "0.5"}
        for key, bad in (("--tdp", "0"), ("--tdp", "x"), ("--tdp", "1,5"), ("--cores", "0"),
                         ("--cores", "1.5"), ("--utilisation", "1.5"), ("--utilisation", "-0.1"),
                         ("--threads", "2"), ("--sockets", "0"), ("--cpu", "no such thing")):
            args = dict(good, **{key: bad})
            if key == "--cpu":
                del args["--tdp"]
            self.model(*[word for pair in args.items() for word in pair], code=2)
        self.model("--tdp", "100", "--cores", "4", code=2)
        self.assertEqual(self.run_perjoule("model").returncode, 2)
        self.assertEqual(self.run_perjoule("model", "gpu").returncode, 2)


if __name__ == "__main__":
    lean.main()
