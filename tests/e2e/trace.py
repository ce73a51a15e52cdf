#!/usr/bin/python3
"""Traces: the same energies to the bit on any machine and from any version that wrote them, what a
changed digit does, and a million lines in bounded memory."""
import json
import os
import subprocess

import lean

GOLDEN = os.path.join(os.environ.get("PERJOULE_SOURCE_ROOT", "."), "tests/golden/trace-v1-first")
LINES = 1000000
MEMORY_KIB = 8 * 1024


def header(channels):
    return json.dumps({"type": "header", "format": "perjoule-trace", "version": 1, "tool": "test",
                       "t_ns": 0, "wall_ns": 0, "interval_ns": 1000000, "channels": channels})


def channel(name, **more):
    row = {"name": name, "source": "test", "domain": name, "parent": "machine",
           "domain_kind": "package", "kind": "counter", "role": "energy", "unit": "uJ",
           "origin": "counter", "refresh_ns": 1000000, "quantum": 61, "cap_mw": 500000}
    row.update(more)
    return row


class Trace(lean.Case):
    def replay(self, *args, code=0):
        done = self.run_perjoule("replay", "--json", *args, timeout=120)
        self.assertEqual(done.returncode, code, done.stderr.decode())
        return json.loads(done.stdout), done.stderr.decode()

    def measured(self):
        """A trace of a run on the fake machine, and what `measure` said of it."""
        self.zone("intel-rapl:0", "package-0", lean.RANGE_61 - 5000000)
        self.zone("intel-rapl:1", "package-1", 700)
        trace = self.path("t.jsonl")
        zone = os.path.join(self.root, "sys/class/powercap/intel-rapl:0/energy_uj")
        live = self.measure(lean.SPENDER, "300", "40", "%s=9000000/%d" % (zone, lean.RANGE_61),
                            options=("--trace", trace, "--interval", "10"))
        return trace, live

    def test_a_trace_of_the_first_writer_gives_the_bits_it_gave(self):
        """Values and uncertainties as 64 bits each: JSON numbers are the shortest that read back."""
        with open(GOLDEN + ".energies.json", encoding="utf-8") as file:
            expected = json.load(file)
        got, _ = self.replay("--windows", GOLDEN + ".windows.csv", GOLDEN + ".jsonl")
        self.assertEqual(got, expected)
        self.assertEqual(len(got["windows"]), 5)
        self.assertEqual(got["digest"], "none")

    def test_live_and_replayed_are_the_same_bits(self):
        trace, live = self.measured()
        got, _ = self.replay(trace)
        for key in ("total", "channels", "missing", "wall_s", "samples", "late_ticks",
                    "lateness_ns", "validity"):
            self.assertEqual(got[key], live[key], key)
        self.assertEqual(got["digest"], "intact")
        self.assertGreater(live["lateness_ns"]["max"], 0)

    def test_header_and_footer_say_how_it_was_made(self):
        trace, live = self.measured()
        with open(trace, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        head, foot = lines[0], lines[-1]
        self.assertEqual(head["schedule"]["interval_ns"], 10000000)
        names = {i["name"]: i for i in head["instruments"]}
        self.assertEqual(names["rapl_powercap"]["channels"], 2)
        self.assertTrue(head["tool"].startswith("perjoule "))
        ticks = sum(n for _, n in foot["lateness"]["bins"])
        self.assertEqual(ticks, foot["samples"] - 2)  # baseline and last reading are no ticks
        self.assertEqual(foot["lateness"]["max_ns"], live["lateness_ns"]["max"])

    def test_a_changed_digit_is_said(self):
        trace, _ = self.measured()
        with open(trace, encoding="utf-8") as file:
            lines = file.readlines()
        for number in (0, len(lines) // 2, len(lines) - 1):
            line = lines[number]
            at = line.index("t_ns") + 9
            line = line[:at] + ("7" if line[at] != "7" else "8") + line[at + 1:]
            damaged = lines[:number] + [line] + lines[number + 1:]
            with open(self.path("damaged.jsonl"), "w", encoding="utf-8") as file:
                file.writelines(damaged)
            got, said = self.replay(self.path("damaged.jsonl"), code=3)
            self.assertEqual(got["digest"], "broken")
            self.assertIn("is not as it was written", said)

    def lines(self):
        yield header([channel("a"), channel("b", kind="gauge", role="power", unit="mW",
                                            origin="integrated")]) + "\n"
        for first in range(0, LINES, 1000):
            yield "".join('{"t_ns":%d,"r":[[0,%d],[1,%d]]}\n' % (
                i * 1000000, i * 100000, 90000 + i % 20000) for i in range(first, first + 1000))
        yield '{"t_ns":10'

    def test_a_million_lines_in_bounded_memory(self):
        """Through a pipe, so that the reader still lives when it has read everything but the end."""
        pipe, windows = self.path("pipe"), self.path("windows.csv")
        os.mkfifo(pipe)
        with open(windows, "w", encoding="utf-8") as file:
            for k in range(1000):
                file.write("w%d,%d,%d\n" % (k, k * 900000000 + 333, k * 900000000 + 777000333))
        child = subprocess.Popen([lean.PERJOULE, "replay", "--json", "--windows", windows, pipe],
                                 env=self.environment(), stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        written = 0
        with open(pipe, "w", encoding="utf-8") as file:
            for text in self.lines():
                written += file.write(text)
            file.flush()
            with open("/proc/%d/status" % child.pid, encoding="utf-8") as status:
                peak, = [int(row.split()[1]) for row in status if row.startswith("VmHWM")]
        out, said = child.communicate(timeout=120)
        self.assertEqual(child.returncode, 0, said)
        got = json.loads(out)
        print("# %d lines, %.0f MB, 1000 windows: peak RSS %.1f MiB before its result" % (
            LINES, written / 1e6, peak / 1024), flush=True)
        if "ASAN_OPTIONS" not in os.environ:  # instrumented code takes more
            self.assertLess(peak, MEMORY_KIB)
        self.assertIn(b"cut off and is left out", said)
        self.assertTrue(got["torn"])
        first, = [c for c in got["channels"] if c["name"] == "a"]
        self.assertAlmostEqual(first["energy_j"]["value"], (LINES - 1) * 0.1, 6)
        for k in (0, 999):
            energy = got["windows"][k]["channels"][0]["energy_j"]
            self.assertAlmostEqual(energy["value"], 77.7, 6)


if __name__ == "__main__":
    lean.main()
