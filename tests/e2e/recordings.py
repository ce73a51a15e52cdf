#!/usr/bin/python3
"""Recordings of real GPUs as traces: do the two ways to a GPU's energy agree as well as they say?

Every *.csv of ../shared/nvml-traces (without .phases) is turned into a trace. Reference is the
recording's own energy counter, which is asked every 20 ms there and steps every 100 ms: windows
begin and end where it stepped, so that its energy is exact. When it steps is fitted (it keeps its
period to 0.2 %); what is left is one constant, where in the 20 ms between two readings its steps
are, and it is taken so that the differences do not depend on the change of power between a window's
ends. The gain is common to both ways and cancels: only the independent part of u counts. The
counter's own unevenness (at idle its steps differ by up to 0.7 J) is not taken off.
"""
import csv
import glob
import json
import math
import os
import random
import subprocess
import unittest

import lean

SOURCE = os.environ.get("PERJOULE_SOURCE_ROOT", ".")
SHARED = os.environ.get("PERJOULE_SHARED") or os.path.join(SOURCE, "../shared")
RECORDINGS = sorted(path for path in glob.glob(os.path.join(SHARED, "nvml-traces/*.csv"))
                    if not path.endswith(".phases.csv"))
WINDOWS = 1000


def line(xs, ys):
    """Least squares: slope, ordinate at 0."""
    x0, y0 = sum(xs) / len(xs), sum(ys) / len(ys)
    slope = sum((x - x0) * (y - y0) for x, y in zip(xs, ys)) / sum((x - x0) ** 2 for x in xs)
    return slope, y0 - slope * x0


def steps_of(path):
    """(time, J) of each step of the counter."""
    times, values, last = [], [], None
    with open(path, encoding="utf-8") as file:
        for row in csv.reader(file):
            if row[0] != "counter":
                continue
            before, after, value = (int(word) for word in row[1:4])
            if last and value != last[1]:
                times.append((last[0] + after) / 2)
                values.append(value / 1e3)
            last = (before, value)
    gaps = sorted(b - a for a, b in zip(times, times[1:]))
    period = gaps[len(gaps) // 2]
    for _ in range(3):  # the number of periods that went by becomes certain with the period
        number = [round((t - times[0]) / period) for t in times]
        period, first = line(number, times)
    off = [abs(t - first - period * k) for t, k in zip(times, number)]
    if sum(off) / len(off) < 0.1 * period:
        times = [first + period * k for k in number]
    return list(zip(times, values))


class Recordings(lean.Case):
    def windows(self, path, pairs):
        """The trace's energy of each pair of times, J: power, its u_ind."""
        trace, table = self.path("trace"), self.path("windows.csv")
        subprocess.run([os.path.join(SOURCE, "tests/tools/recording-to-trace"), path, trace],
                       check=True, env=dict(os.environ, PERJOULE_BUILD_ROOT=lean.BUILD))
        with open(table, "w", encoding="utf-8") as file:
            for i, (start, end) in enumerate(pairs):
                file.write("%d,%d,%d\n" % (i, start, end))
        done = self.run_perjoule("replay", "--json", "--windows", table, trace)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = []
        for window in json.loads(done.stdout)["windows"]:
            energy, = (c["energy_j"] for c in window["channels"] if c["name"].endswith(":power"))
            found.append((energy["value"], energy["u_ind"]))
        return found

    def draw(self, steps, least_s, most_s, n):
        rng = random.Random(7)
        pairs = []
        inner = [i for i, (t, _) in enumerate(steps)
                 if steps[0][0] + 3e9 < t < steps[-1][0] - 3e9]
        while len(pairs) < n:
            i = rng.choice(inner)
            aim = steps[i][0] + rng.uniform(least_s, most_s) * 1e9
            k = min(range(i, inner[-1] + 1), key=lambda k: abs(steps[k][0] - aim))
            if k > i and steps[k][0] - steps[i][0] >= 0.9e9 * least_s:
                pairs.append((i, k))
        return pairs

    def differences(self, path, steps, pairs, delay_ns):
        """For each pair of steps: energies by buffer and by counter, J, and u_ind."""
        found = self.windows(path, [(int(steps[i][0] - delay_ns), int(steps[k][0] - delay_ns))
                                    for i, k in pairs])
        for (i, k), (value, u_ind) in zip(pairs, found):
            self.assertIsNotNone(value)
            yield value, steps[k][1] - steps[i][1], u_ind

    def compare(self, path, least_s, most_s, n):
        """[(ratio of the two energies, their difference in u_ind, mean power)], the delay in ms"""
        steps = steps_of(path)
        pairs = self.draw(steps, least_s, most_s, n)

        def power(i):  # around step i, W
            return (steps[i + 1][1] - steps[i - 1][1]) / (steps[i + 1][0] - steps[i - 1][0]) * 1e9

        change = [power(k) - power(i) for i, k in pairs]
        first = self.differences(path, steps, pairs, 0)
        delay_s, _ = line(change, [value - counter for value, counter, _ in first])
        return [(value / counter, (value - counter) / u_ind,
                 counter / (steps[k][0] - steps[i][0]) * 1e9)
                for (i, k), (value, counter, u_ind) in zip(
                    pairs, self.differences(path, steps, pairs, delay_s * 1e9))], 1e3 * delay_s

    def each(self, judge):
        if not RECORDINGS:
            self.skipTest("no recordings in " + SHARED)
        for path in RECORDINGS:
            judge(path)

    def test_short_windows_are_within_their_interval(self):
        def judge(path):
            for least, most in ((0.2, 2.0), (0.2, 0.3)):
                rows, delay_ms = self.compare(path, least, most, WINDOWS)
                inside = sum(abs(z) <= 1.96 for _, z, _ in rows) / len(rows)
                rms = math.sqrt(sum(z * z for _, z, _ in rows) / len(rows))
                print("# %s: %d random windows of %g to %g s: %.1f %% within 1.96 u_ind (rms %.2f u_ind), "
                      "counter's steps %.1f ms before the middle" % (os.path.basename(path),
                                                                    len(rows), least, most, 100 * inside, rms, delay_ms),
                      flush=True)
                self.assertGreaterEqual(inside, 0.93, path)
        self.each(judge)

    def test_long_windows_of_load_agree(self):
        def judge(path):
            rows, _ = self.compare(path, 8, 12, WINDOWS)
            busiest = max(power for _, _, power in rows)
            loaded = [ratio for ratio, _, power in rows if power > 0.6 * busiest]
            worst = max(abs(ratio - 1) for ratio in loaded)
            print("# %s: %d windows of 8 to 12 s of load: buffer and counter agree within %.2f %%"
                  % (os.path.basename(path), len(loaded), 100 * worst), flush=True)
            self.assertGreater(len(loaded), 100, path)
            self.assertLess(worst, 0.005, path)
        self.each(judge)


if __name__ == "__main__":
    lean.main()
