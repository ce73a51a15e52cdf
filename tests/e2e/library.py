#!/usr/bin/python3
"""libperjoule as a user meets it: installed, compiled against with pkg-config alone, from C, C++ and
Python; and its numbers are those of `perjoule replay --windows` on the trace it wrote."""
import csv
import ctypes
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import unittest

import lean

SOURCE = os.environ["PERJOULE_SOURCE_ROOT"]
EXAMPLES = os.path.join(SOURCE, "examples", "library")
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic"]


class Installed(lean.Case):
    """Installed once, for all tests."""

    @classmethod
    def setUpClass(cls):
        cls.dest = os.path.join(lean.BUILD, "tests", "installed")
        shutil.rmtree(cls.dest, ignore_errors=True)
        subprocess.run(["meson", "install", "-C", lean.BUILD, "--no-rebuild", "--quiet",
                        "--destdir", os.path.abspath(cls.dest)], check=True,
                       stdout=subprocess.DEVNULL)
        found = [folder for folder, _, files in os.walk(cls.dest) if "perjoule.pc" in files]
        cls.env = dict(os.environ, PKG_CONFIG_LIBDIR=found[0] + ":" + cls.system_packages(),
                       PKG_CONFIG_SYSROOT_DIR=os.path.abspath(cls.dest))
        cls.lib = os.path.dirname(found[0])
        with open(os.path.join(cls.lib, "libperjoule.so.0"), "rb") as file:
            cls.sanitize = ["-fsanitize=address,undefined"] if b"__asan_" in file.read() else []
        cls.run_env = dict(os.environ, LD_LIBRARY_PATH=cls.lib)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dest, ignore_errors=True)

    @staticmethod
    def system_packages():
        return subprocess.run(["pkg-config", "--variable", "pc_path", "pkg-config"], check=True,
                              capture_output=True, text=True).stdout.strip()

    def flags(self, *which):
        return subprocess.run(["pkg-config", *which, "perjoule"], env=self.env, check=True,
                              capture_output=True, text=True).stdout.split()

    def compile(self, source, *more, compiler="cc"):
        program = self.path(os.path.basename(source).split(".")[0])
        subprocess.run([compiler, *STRICT, *self.sanitize, source, "-o", program, *self.flags("--cflags", "--libs"),
                        *more], check=True)
        return program

    def run_it(self, *command):
        return subprocess.run(command, env=self.run_env, check=False, capture_output=True,
                              text=True, timeout=60)


class Counting:
    """Lets the two packages of a fake machine count 40 W and 25 W."""

    def __init__(self, case):
        self.files = []
        for zone, name in ((0, "package-0"), (1, "package-1")):
            folder = "sys/class/powercap/intel-rapl:%d/" % zone
            case.put(folder + "name", name + "\n")
            case.put(folder + "max_energy_range_uj", "262143328850\n")
            self.files.append(os.open(case.put(folder + "energy_uj", "100000000000\n"),
                                      os.O_WRONLY))
        self.late_s = 0.0  # how much the counters can be behind the time
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        start = before = time.monotonic()
        while not self.stop.wait(0.002):
            now = time.monotonic()
            for file, power_w in zip(self.files, (40, 25)):
                os.pwrite(file, b"%d\n" % (100000000000 + int(power_w * 1e6 * (now - start))), 0)
            self.late_s = max(self.late_s, time.monotonic() - before)
            before = now

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        for file in self.files:
            os.close(file)


class FromC(Installed):
    def test_an_installed_tree_is_enough(self):
        program = self.compile(os.path.join(EXAMPLES, "window.c"), "-std=c11")
        needed = subprocess.run(["readelf", "-d", program], check=True, capture_output=True,
                                text=True).stdout
        self.assertIn("libperjoule.so.0", needed)
        with Counting(self):
            ran = self.run_it(program, self.root)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertRegex(ran.stdout, r"rapl:package-1 +[0-9.]+ J \+- [0-9.e-]+ J \(95 %\), counter")
        self.assertRegex(ran.stdout, r"\ntotal +[0-9.]+ J")

    def test_missing_is_said_and_never_0(self):
        program = self.compile(os.path.join(EXAMPLES, "window.c"))
        ran = self.run_it(program, self.root)
        self.assertEqual(ran.returncode, 3)
        self.assertIn("not read: cpu (model_cpu): /proc/stat", ran.stdout)
        self.assertRegex(ran.stdout, r"\ntotal +missing: \w")
        self.assertNotRegex(ran.stdout, r"\b0 J")

    def test_a_static_program_needs_no_libperjoule(self):
        program = self.path("window")
        libs = [flag for flag in self.flags("--static", "--libs") if flag != "-lperjoule"]
        subprocess.run(["cc", *self.sanitize, os.path.join(EXAMPLES, "window.c"), "-o", program,
                        *self.flags("--cflags"), os.path.join(self.lib, "libperjoule.a"), *libs],
                       check=True)
        with Counting(self):
            ran = subprocess.run([program, self.root], check=False, capture_output=True, text=True)
        self.assertEqual(ran.returncode, 0, ran.stderr)

    def test_cxx_programs_can_include_the_headers(self):
        if not shutil.which("g++"):
            self.skipTest("g++ is not installed")
        source = self.path("cxx.cc")
        with open(source, "w", encoding="utf-8") as file:
            file.write("""#include <perjoule/perjoule.h>
                #include <cstdio>
                int main() {
                    pj_session_options options{};
                    options.size = sizeof options;
                    options.interval_ns = 1; // refused
                    pj_session *session = nullptr;
                    pj_error err{};
                    pj_status status = pj_session_open(&session, &options, &err);
                    std::puts(err.text);
                    return status == PJ_EINVAL ? 0 : 1;
                }""")
        ran = self.run_it(self.compile(source, compiler="g++"))
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        self.assertIn("interval_ns", ran.stdout)

    def test_a_replay_gives_the_same_numbers(self):
        program = self.compile(os.path.join(EXAMPLES, "threads.c"), "-pthread")
        trace, windows = self.path("trace.jsonl"), self.path("windows.csv")
        with Counting(self):
            ran = self.run_it(program, trace, self.root)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        with open(windows, "w", encoding="utf-8") as file:
            file.write(ran.stdout)
        replayed = json.loads(self.run_it(lean.PERJOULE, "replay", trace, "--windows", windows,
                                          "--json").stdout)["windows"]
        said = list(csv.DictReader(ran.stdout.splitlines()))
        self.assertEqual(len(said), 37)
        for mine, theirs in zip(said, replayed, strict=True):
            self.assertEqual(mine["name"], theirs["name"])
            self.assertEqual(float(mine["energy_j"]), theirs["energy_j"]["value"])
            self.assertEqual(float(mine["u_j"]), theirs["energy_j"]["u"])
            self.assertEqual(mine["origin"], theirs["energy_j"]["origin"])
        with open(trace, encoding="utf-8") as file:
            events = [json.loads(line) for line in file if '"window"' in line]
        self.assertEqual(sorted((row["name"], int(row["start_ns"]), int(row["end_ns"]))
                                for row in said),
                         sorted((row["window"], row["start_ns"], row["end_ns"]) for row in events))


class FromPython(Installed):
    def setUp(self):
        super().setUp()
        if self.sanitize:
            self.skipTest("a sanitized library cannot be loaded into this interpreter")
        os.environ["PERJOULE_LIBRARY"] = os.path.join(self.lib, "libperjoule.so.0")
        folder, = (folder for folder, _, files in os.walk(self.dest) if "perjoule.py" in files)
        sys.path.insert(0, folder)
        import perjoule
        self.perjoule = perjoule

    def test_the_structs_are_those_of_the_headers(self):
        structs = {"pj_error": self.perjoule._Error, "pj_session_options": self.perjoule._Options,
                   "pj_energy": self.perjoule._Energy, "pj_source": self.perjoule._Source,
                   "pj_missing": self.perjoule._Missing, "pj_part": self.perjoule._Part,
                   "pj_result": self.perjoule._Result}
        wanted, lines = [], []
        for name, struct in structs.items():
            wanted.append("%s %d" % (name, ctypes.sizeof(struct)))
            lines.append('printf("%s %%zu\\n", sizeof(struct %s));' % (name, name))
            for field, _ in struct._fields_:
                wanted.append("%s.%s %d %d" % (name, field, getattr(struct, field).offset,
                                               getattr(struct, field).size))
                lines.append('printf("%s.%s %%zu %%zu\\n", offsetof(struct %s, %s), '
                             "sizeof(((struct %s *)0)->%s));" % (name, field, name, field, name,
                                                                field))
        source = self.path("layout.c")
        with open(source, "w", encoding="utf-8") as file:
            file.write("#include <perjoule/perjoule.h>\n#include <stdio.h>\n"
                       "int main(void) { %s return 0; }" % "\n".join(lines))
        self.assertEqual(self.run_it(self.compile(source)).stdout.splitlines(), wanted)

    def test_windows(self):
        with Counting(self) as counting, self.perjoule.Session(
                interval_ms=5, root=self.root, measured_only=True) as session:
            self.assertIn("rapl:package-0", [source.name for source in session.sources])
            with session.window("outer") as outer:
                with session.window("inner") as inner:
                    time.sleep(0.1)
                time.sleep(0.1)
            self.assertEqual(outer.energy.origin, "counter")
            dur_s = (outer.end_ns - outer.start_ns) / 1e9
            self.assertLess(abs(outer.energy.value_j - 65 * dur_s),
                            2 * 65 * counting.late_s + 4 * outer.energy.u_j)
            self.assertGreater(outer.energy.value_j, inner.energy.value_j)
            self.assertEqual({part.name: part.in_total for part in inner.parts},
                             {"rapl:package-0": True, "rapl:package-1": True})
            self.assertIn("J ± ", str(outer.energy))
            with self.assertRaisesRegex(self.perjoule.Error, "never began, or was freed"):
                outer.end()
        self.assertGreater(outer.energy.value_j, 0)  # what was read is kept

    def test_missing_is_none(self):
        said = []
        with self.perjoule.Session(root=self.root, log=said.append) as session:
            with session.window("w") as window:
                pass
            self.assertIsNone(window.energy.value_j)
            self.assertIsNone(window.energy.u_j)
            self.assertTrue(window.energy.reason)
            self.assertFalse(window.energy.valid)
            self.assertTrue(str(window.energy).startswith("missing: "))
            self.assertTrue(session.missing[0].reason)
            late = session.window("late")
        with self.assertRaisesRegex(self.perjoule.Error, "closed"):
            late.end()

    def test_the_default_session(self):
        with self.perjoule.window("decode") as decode:
            time.sleep(0.05)
        self.assertEqual(decode.energy.valid, decode.energy.value_j is not None)
        self.assertTrue(decode.energy.valid or decode.energy.reason)

    def test_a_slow_gpu_is_not_waited_for_where_its_samples_suffice(self):
        trace, windows = self.path("trace.jsonl"), self.path("windows.csv")
        fake = os.path.join(lean.BUILD, "tests/fakes/fake_nvml.so")
        # 25 ms for the counter: by its ration it is not read again for half a minute
        script = """import sys, time, perjoule
with perjoule.Session(interval_ms=20, nvml=%r, root=%r, trace=%r) as session:
    rows = []
    for i in range(4):
        with session.window("w%%d" %% i) as window:
            time.sleep(0.15)
        began = time.monotonic()
        whole = window.read()
        assert whole and time.monotonic() - began < 3, time.monotonic() - began
        rows.append((window, window.energy))
    for window, energy in rows:
        print(window.name, window.start_ns, window.end_ns, repr(energy.value_j), energy.origin,
              sep=",")
""" % (fake, self.root, trace)
        env = dict(os.environ, FAKE_NVML_SQUARE="100000,400000,170", PYTHONPATH=sys.path[0],
                   FAKE_NVML_LATENCY_MS="energy=25,samples=5")
        env.pop("CUDA_VISIBLE_DEVICES", None)
        self.put("dev/nvidia0", "")
        ran = subprocess.run([sys.executable, "-c", script], env=env, check=False, text=True,
                             capture_output=True, timeout=60)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        with open(windows, "w", encoding="utf-8") as file:
            file.write("name,start_ns,end_ns,energy_j,origin\n" + ran.stdout)
        replayed = json.loads(self.run_it(lean.PERJOULE, "replay", trace, "--windows", windows,
                                          "--json").stdout)["windows"]
        for mine, theirs in zip(ran.stdout.splitlines(), replayed, strict=True):
            self.assertEqual(float(mine.split(",")[3]), theirs["energy_j"]["value"])
            self.assertEqual(mine.split(",")[4], "integrated")
            self.assertIn("nvml:0:power", theirs["set"])

    def test_a_library_that_is_not_there_is_said(self):
        env = dict(os.environ, PERJOULE_LIBRARY="/nonexistent.so", PYTHONPATH=sys.path[0])
        ran = subprocess.run([sys.executable, "-c", "import perjoule; perjoule.window()"], env=env,
                             check=False, capture_output=True, text=True)
        self.assertRegex(ran.stderr, r"Error: libperjoule cannot be loaded \(/nonexistent.so.*"
                                     r"PERJOULE_LIBRARY")

    def test_wrong_options_are_refused(self):
        with self.assertRaisesRegex(self.perjoule.Error, "interval_ns"):
            self.perjoule.Session(interval_ms=0.001)


del Installed  # not a test of its own

if __name__ == "__main__":
    lean.main()
