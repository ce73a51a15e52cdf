#!/usr/bin/env python3
"""The parts of run-nvml.sh: each runs perjoule beside something and prints what it found.

nvml_report.py PERJOULE NVML_LOG OUT [--short]"""
import contextlib
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import time

PERJOULE, LOG, OUT = sys.argv[1:4]
SHORT = "--short" in sys.argv
ONLY = os.environ.get("ONLY", "").split()  # names of parts
HERE = os.path.dirname(os.path.abspath(__file__))
LOAD = [sys.executable, os.environ.get("GPU_LOAD", os.path.join(HERE, "nvml_load.py"))]
T95 = {5: 2.571, 7: 2.365, 11: 2.201, 23: 2.069}


def out(name):
    return os.path.join(OUT, name)


def now():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def have_load():
    if "GPU_LOAD" in os.environ:  # another program with the same words
        return True
    code = "import torch; assert torch.cuda.is_available()"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def meter(trace, env=None):
    """perjoule record, from its first reading to its footer."""
    process = subprocess.Popen([PERJOULE, "record", "--out", trace], stdin=subprocess.PIPE, env=env)
    while not os.path.exists(trace) or os.path.getsize(trace) == 0:
        time.sleep(0.01)
    time.sleep(0.2)
    yield process
    process.stdin.close()
    if process.wait(20):
        print("  perjoule record ended with %d" % process.returncode)


def footer(trace):
    with open(trace, "rb") as file:
        return json.loads(file.readlines()[-1])


def replay(trace, windows):
    path = trace + ".windows.csv"
    with open(path, "w", encoding="utf-8") as file:
        for name, start, end in windows:
            file.write("%s,%d,%d\n" % (name, start, end))
    done = subprocess.run([PERJOULE, "replay", "--json", "--measured-only", "--windows", path, trace],
                          capture_output=True, check=True)
    result = json.loads(done.stdout)["windows"]
    return [{c["name"].split(":")[-1]: c["energy_j"] for c in w["channels"]
             if c["name"].startswith("nvml:0:")} for w in result]


class Counter:
    """The energy counter of a recording: steps in the middle between two polls."""

    def __init__(self, path):
        self.steps, self.calls_ms, self.samples = [], [], []
        offset, last = 0, None
        with open(path, encoding="utf-8") as file:
            for line in file:
                if line.startswith("#"):
                    offset = int(line.split("realtime_minus_monotonic_ns ")[1].split()[0])
                    continue
                kind, before, after, value, device_us = line.strip().split(",")
                middle = (int(before) + int(after)) / 2
                if kind == "counter":
                    self.calls_ms.append((int(after) - int(before)) / 1e6)
                    if last and int(value) != last[1]:
                        self.steps.append(((middle + last[0]) / 2, int(value) / 1e3))
                    last = (middle, int(value))
                elif kind == "buffer":
                    self.samples.append((int(device_us) * 1000 - offset, int(value) / 1e3))

    def at(self, t_ns):
        i = next((i for i in range(1, len(self.steps)) if self.steps[i][0] >= t_ns), None)
        if i is None:
            return math.nan
        (t0, e0), (t1, e1) = self.steps[i - 1], self.steps[i]
        return e0 + (e1 - e0) * (t_ns - t0) / (t1 - t0)

    def between(self, start, end):
        return self.at(end) - self.at(start)

    def calm_w(self, start, end):
        powers = [p for t, p in self.samples if start <= t <= end]
        return statistics.mean(powers) if powers else math.nan

    def burst(self, start, end):
        """Difference over a wider window, less the idle power of what is more."""
        ms = 1_000_000
        return (self.between(start - 200 * ms, end + 200 * ms)
                - 0.2 * self.calm_w(start - 150 * ms, start - 20 * ms)
                - 0.2 * self.calm_w(end + 120 * ms, end + 250 * ms))


# ---- parts ----

def devices():
    print("== devices")
    subprocess.run([PERJOULE, "devices"], check=False)


def start():
    print("== start: command's first instruction, ms after the start of the program before it")
    n = 10 if SHORT else 30
    results = {"bare": [], "perjoule": []}
    for _ in range(n):
        for name, prefix in (("bare", []), ("perjoule", [PERJOULE, "measure", "--"])):
            begin = now()
            done = subprocess.run([*prefix, LOG, "--stamp"], capture_output=True, check=True)
            results[name].append((int(done.stdout) - begin) / 1e6)
    medians = {k: statistics.median(v) for k, v in results.items()}
    print("  bare %.2f, under perjoule measure %.2f: %.2f more (median of %d)"
          % (medians["bare"], medians["perjoule"], medians["perjoule"] - medians["bare"], n))


def cost():
    print("== cost: CPU time of perjoule record")
    seconds = 20 if SHORT else 60
    shares = {}
    for name, env in (("with the GPU", None),
                      ("without", dict(os.environ, CUDA_VISIBLE_DEVICES=""))):
        traces = []
        for length in (2, seconds):  # the difference leaves out start and end
            trace = out("cost.jsonl")
            if os.path.exists(trace):
                os.unlink(trace)
            with meter(trace, env):
                time.sleep(length)
            end = footer(trace)
            traces.append((end["own_cpu_s"], length))
        (cpu0, len0), (cpu1, len1) = traces
        shares[name] = (cpu1 - cpu0) / (len1 - len0)
        print("  %s: %.3f %% of a core at 10 Hz (start and end: %.0f ms)"
              % (name, 100 * shares[name], 1e3 * (cpu0 - shares[name] * len0)))
    print("  the GPU adds %.3f %%" % (100 * (shares["with the GPU"] - shares["without"])))


def energy():
    print("== energy: perjoule record against the counter, read every 20 ms beside it")
    trace, phases = out("trace.jsonl"), []
    with open(out("recording.csv"), "wb") as file, meter(trace):
        log = subprocess.Popen([LOG, "400"], stdout=file)
        time.sleep(1)
        load = subprocess.run([*LOAD, "phases"] + (["--short"] if SHORT else []),
                              capture_output=True, check=False)
        time.sleep(0.5)
        log.terminate()
        log.wait()
    if load.returncode:
        print("  the load failed: %s" % load.stderr.decode()[-400:])
        return
    with open(out("phases.csv"), "wb") as file:
        file.write(load.stdout)
    for line in load.stdout.decode().splitlines():
        fields = line.split(",")
        label = fields[0] + (" " + fields[3] if len(fields) > 3 else "")
        phases.append((label, int(fields[1]), int(fields[2])))
    counter = Counter(out("recording.csv"))
    calls = sorted(counter.calls_ms)
    print("  counter call %.2f ms median, %.2f p99; %d steps, %.1f ms apart"
          % (statistics.median(calls), calls[len(calls) * 99 // 100], len(counter.steps),
             statistics.median(b[0] - a[0] for a, b in zip(counter.steps, counter.steps[1:])) / 1e6))
    groups = {}
    for (name, begin, end), energies in zip(phases, replay(trace, phases)):
        reference = counter.burst(begin, end) if name.startswith("burst") else counter.between(begin, end)
        groups.setdefault(name, []).append((energies.get("power"), reference, (end - begin) / 1e9))
    print("  %-16s %3s %8s %10s %10s %8s %8s" % ("phase", "n", "s", "J", "reference", "off %", "u %"))
    for name, rows in groups.items():
        rows = [r for r in rows if r[0] and r[0]["value"] is not None]
        if not rows:
            print("  %-16s no value" % name)
            continue
        value, reference, seconds = (statistics.mean(x) for x in zip(
            *((r[0]["value"], r[1], r[2]) for r in rows)))
        inside = sum(abs(r[0]["value"] - r[1]) <= 2 * r[0]["u_ind"] for r in rows)
        print("  %-16s %3d %8.3f %10.2f %10.2f %8.3f %8.2f  %s" % (
            name, len(rows), seconds, value, reference, 100 * (value / reference - 1),
            100 * statistics.mean(r[0]["u"] / r[0]["value"] for r in rows),
            "%d/%d within 2 u_ind" % (inside, len(rows)) if name.startswith("burst") else ""))


def readers():
    print("== readers: two meters at once")
    traces = [out("reader-%d.jsonl" % i) for i in (0, 1)]
    with meter(traces[0]), meter(traces[1]):
        begin = now()
        subprocess.run([*LOAD, "burn", "5"], check=False, capture_output=True)
        time.sleep(1)
        end = now()
        time.sleep(0.3)
    values = [replay(t, [("both", begin, end)])[0]["power"] for t in traces]
    print("  %s J; gaps: %s" % (", ".join("%.3f" % v["value"] for v in values),
                               ", ".join(str(v["quality"]) for v in values)))


def stall():
    print("== stall: a meter stopped for 4 s under load")
    trace = out("stall.jsonl")
    with open(out("stall-recording.csv"), "wb") as file, meter(trace) as process:
        log = subprocess.Popen([LOG, "60"], stdout=file)
        burn = subprocess.Popen([*LOAD, "burn", "14"], stderr=subprocess.DEVNULL)
        time.sleep(6)
        begin = now()
        time.sleep(1)
        process.send_signal(signal.SIGSTOP)
        time.sleep(4)
        process.send_signal(signal.SIGCONT)
        time.sleep(2)
        end = now()
        burn.wait()
        log.terminate()
        log.wait()
    energies, = replay(trace, [("stalled", begin, end)])
    reference = Counter(out("stall-recording.csv")).between(begin, end)
    for way, value in energies.items():
        if value["value"] is None:
            print("  %s: %s" % (way, value))
        else:
            print("  %s: %.1f J, u %.1f, %s; reference %.1f (off by %.2f u)" % (
                way, value["value"], value["u"], value["quality"], reference,
                (value["value"] - reference) / value["u"]))


def slowdown():
    """Both legs begin after the same pause since the last one: a GPU that rested longer runs faster."""
    print("== slowdown: a fixed CUDA loop with the meter against without, alternating")
    pairs, pause_s = (6, 1.0) if SHORT else (int(os.environ.get("PAIRS", "12")), 1.0)
    load = subprocess.Popen([*LOAD, "loop", "3"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    load.stdout.readline()

    def once():
        load.stdin.write(b"\n")
        load.stdin.flush()
        return float(load.stdout.readline())

    once()
    idle_since = time.monotonic()
    logs = []
    for i in range(pairs):
        times = {}
        for metered in (i % 2 == 0, i % 2 == 1):
            if metered:
                trace = out("slowdown.jsonl")
                if os.path.exists(trace):
                    os.unlink(trace)
                with meter(trace):
                    time.sleep(max(0, idle_since + pause_s - time.monotonic()))
                    times[True] = once()
                    idle_since = time.monotonic()
            else:
                time.sleep(max(0, idle_since + pause_s - time.monotonic()))
                times[False] = once()
                idle_since = time.monotonic()
        logs.append(math.log(times[True] / times[False]))
    load.stdin.close()
    load.wait()
    mean, half = statistics.mean(logs), T95[pairs - 1] * statistics.stdev(logs) / math.sqrt(pairs)
    print("  ratio %.5f, 95 %% CI %.5f to %.5f (%d pairs)"
          % (math.exp(mean), math.exp(mean - half), math.exp(mean + half), pairs))


def main():
    parts = [devices, start, cost]
    if have_load():
        parts += [energy, readers, stall, slowdown]
    elif not ONLY:
        print("(no PyTorch with CUDA: only the parts without load)")
    for part in parts:
        if ONLY and part.__name__ not in ONLY:
            continue
        try:
            part()
        except Exception as error:  # one part that fails must not hide the others
            print("  FAILED: %s: %s" % (type(error).__name__, error))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
