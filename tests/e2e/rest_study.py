#!/usr/bin/python3
"""The machine at rest, as a user meets it: idle baselines, net energy and cool-down by state on a
fake machine whose package gets warm while the measured program runs and cools down after it. On
this machine, on a testbed, with a kill in between, with too short a wait and with none.

    rest_study.py --build BUILD
Output is TAP. Nothing outside temporary folders is touched; only children of this test are ended.
"""
import argparse
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent_rig import Failed, Rig, check  # noqa: E402

IDLE_W, BUSY_W, REST_C, HOT_C, TAU_S = 10.0, 600.0, 45.0, 60.0, 0.3

STUDY = """\
study: rest
factors: {{n: [1, 2]}}
repetitions: {repetitions}
engine: {{kind: command, run: [sh, -c, "{command}"]}}
phases: {{cooldown: {cooldown}}}
{baseline}
meter: {{interval: 50ms}}
gates: {{cpu_thief: 1, steal_time: 1}}
executor: {executor}
limits: {{attempts: 3, trial: 1m, meter: 5s}}
"""


class Machine:
    """A root folder with one package; it is busy while the file `busy` is there."""

    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="perjoule-rest-")
        self.busy = os.path.join(self.root, "busy")
        self.put("sys/class/powercap/intel-rapl:0/name", "package-0\n")
        self.put("sys/class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850\n")
        self.counter = self.put("sys/class/powercap/intel-rapl:0/energy_uj", "%020d\n" % 0)
        self.put("sys/class/hwmon/hwmon0/name", "coretemp\n")
        self.put("sys/class/hwmon/hwmon0/temp1_label", "Package id 0\n")
        self.sensor = self.put("sys/class/hwmon/hwmon0/temp1_input", "%06d\n" % (REST_C * 1000))
        self.stop = False
        self.thread = threading.Thread(target=self.live)
        self.thread.start()

    def put(self, path, text):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="ascii") as file:
            file.write(text)
        return full

    def live(self):
        energy_j, temp_c, last = 0.0, REST_C, time.monotonic()
        counter, sensor = os.open(self.counter, os.O_WRONLY), os.open(self.sensor, os.O_WRONLY)
        while not self.stop:
            now = time.monotonic()
            busy = os.path.exists(self.busy)
            energy_j += (BUSY_W if busy else IDLE_W) * (now - last)
            target = HOT_C if busy else REST_C
            temp_c += (target - temp_c) * min(1.0, (now - last) / TAU_S)
            last = now
            os.pwrite(counter, b"%020d\n" % int(energy_j * 1e6), 0)
            os.pwrite(sensor, b"%06d\n" % round(temp_c * 1000), 0)
            time.sleep(0.005)
        os.close(counter)
        os.close(sensor)

    def close(self):
        self.stop = True
        self.thread.join()
        subprocess.run(["rm", "-rf", self.root], check=True)


SERVED = """\
study: steady
factors: {{concurrency: [2]}}
repetitions: 1
engine: {{kind: llamacpp, server: {server}, model: {model}, slots: 2, context: 256, threads: 1}}
load: {{kind: closed, concurrency: $concurrency, requests: {tokens}}}
task: {{items: items.jsonl, prompt: "{{text}}", max_tokens: 20, ignore_eos: true, window: steady}}
phases: {{warmup: 0s, idle: 0s}}
meter: {{interval: 10ms}}
gates: {{cpu_thief: 1, steal_time: 1}}
limits: {{attempts: {attempts}, trial: 1m, meter: 5s}}
"""


class World(Rig):
    def __init__(self, build):
        self.more = {}
        super().__init__(build)
        self.machine = Machine()

    def env(self):
        return dict(super().env(), **self.more)

    def close(self):
        super().close()
        self.machine.close()

    def rest(self, name, cooldown, baseline="", executor="local", repetitions=1):
        command = "touch %s; sleep 1.2; rm %s" % (self.machine.busy, self.machine.busy)
        policy = {"engines": [{"kind": "command", "run": [["sh", "-c", command]]}], "tasks": {}}
        self.write("agent.yaml", json.dumps(policy))
        return self.write(name, STUDY.format(
            command=command, cooldown=cooldown, baseline=baseline, executor=executor,
            repetitions=repetitions))

    def run(self, name, out, want=0):
        code, words = self.do("run", name, "--out", out, "--root", self.machine.root)
        check(code == want, "exit code %d: %s" % (code, words))
        return words

    def phases(self, out):
        return [r[0] for r in self.rows(
            self.path(out), "SELECT p.name FROM phase p JOIN attempt a ON a.id = p.attempt "
                            "ORDER BY a.id, p.id")]

    def metric(self, out, name):
        """By trial, of its last attempt."""
        return dict(self.rows(
            self.path(out), "SELECT a.trial, m.value FROM metric m JOIN attempt a ON "
                            "a.id = m.attempt WHERE m.name = ? AND a.state <> 'failed' "
                            "ORDER BY a.id", name))

    def gates(self, out):
        return self.rows(self.path(out), "SELECT a.trial, g.code, g.detail FROM gate g JOIN "
                                         "attempt a ON a.id = g.attempt ORDER BY g.id")


def nets_follow_from_records(world, out, trials):
    """Computed here once more: gross less the line between the two baselines, at the middle."""
    gross, net = world.metric(out, "energy_j"), world.metric(out, "energy_net_j")
    check(sorted(net) == list(range(1, trials + 1)), "net energies of trials %r" % net)
    windows = world.rows(world.path(out), "SELECT a.trial, p.start_ns, p.end_ns FROM phase p JOIN "
                                          "attempt a ON a.id = p.attempt WHERE p.name = 'measure' "
                                          "AND a.state = 'done' ORDER BY a.id")
    idle = [((s + e) / 2, s, e, w) for s, e, w in world.rows(
        world.path(out), "SELECT p.start_ns, p.end_ns, m.value FROM phase p JOIN metric m ON "
                         "m.attempt = p.attempt AND m.name = p.name || '_power_w'")]
    for trial, start, end in windows:
        before = max(i for i in idle if i[2] <= start)
        after = min(i for i in idle if i[1] >= end)
        at = ((start + end) / 2 - before[0]) / (after[0] - before[0])
        power = before[3] + at * (after[3] - before[3])
        want = gross[trial] - power * (end - start) / 1e9
        check(abs(net[trial] - want) <= 1e-6 * gross[trial],
              "trial %d: net %g J, from its records %g J" % (trial, net[trial], want))
        check(net[trial] > 0.5 * gross[trial], "trial %d: %g of %g J" %
              (trial, net[trial], gross[trial]))


def starts_are_alike(world, out):
    starts = world.metric(out, "start_temp_c")
    check(len(starts) > 1, "start temperatures: %r" % starts)
    check(all(abs(t - starts[1]) < 1.5 for t in starts.values()), "they differ: %r" % starts)
    for _, code, detail in world.gates(out):
        # on a busy machine the fake counter falls behind, which only the power can show
        check(code != "cooldown_timeout" or "C/min" not in detail, detail)
        check(code != "start_temperature", detail)


SETTLED = "{until: settled, max: 12s, over: 1s}"
ORDER = ["reference", "baseline_before", "load", "measure", "cooldown", "load", "measure",
         "cooldown_after", "baseline_after"]


def on_this_machine(world):
    world.rest("s.yaml", SETTLED, "baseline: 1s")
    world.run("s.yaml", "out")
    check(world.phases("out") == ORDER, "%r" % world.phases("out"))
    starts_are_alike(world, "out")
    nets_follow_from_records(world, "out", 2)
    check(world.do("report", "out")[0] in (0, 3), "no report")
    code, words = world.do("verify", "out/report", "out")
    made_not = words.rsplit("Not made again", 1)[-1]
    check(code == 0 and "energy_net_j" not in made_not and "baseline" not in made_not, words)
    db = sqlite3.connect(os.path.join(world.path("out"), "study.sqlite"))
    db.execute("UPDATE metric SET value = value * 1.001 WHERE name = 'energy_net_j'")
    db.commit()
    db.close()
    code, words = world.do("verify", "out/report", "out")
    check(code == 3 and "energy_net_j: stored" in words, words)
    code, words = world.do("export", "out", "--format", "json")
    check(code == 0, words)
    results = json.loads(words)["trials"][0]["results"]
    check(results["energy_net_j"]["origin"] == "counter" and results["energy_net_j"]["u"] > 0,
          "%r" % results["energy_net_j"])


def on_a_testbed(world):
    world.rest("s.yaml", SETTLED, "baseline: 1s")  # the agent's policy
    world.start_agent("--root", world.machine.root)
    world.rest("s.yaml", SETTLED, "baseline: 1s", world.executor())
    code, words = world.do("run", "s.yaml", "--out", "out")
    check(code == 0, words)
    check(world.phases("out") == ORDER, "%r" % world.phases("out"))
    starts_are_alike(world, "out")
    nets_follow_from_records(world, "out", 2)
    check(world.end_agent() == 0, "the agent failed")


def with_a_kill_in_between(world):
    world.rest("s.yaml", "0s", "baseline: 1s")
    process = world.start("run", "s.yaml", "--out", "out", "--root", world.machine.root)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if world.rows(world.path("out"), "SELECT 1 FROM trial WHERE state = 'done'"):
                break
        except (OSError, sqlite3.Error):
            pass
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    world.finish(process)
    net = world.metric("out", "energy_net_j")
    check(net == {}, "a net energy without a baseline after it: %r" % net)
    if os.path.exists(world.machine.busy):
        os.unlink(world.machine.busy)
    code, words = world.do("resume", "out", "--root", world.machine.root)
    check(code == 0, words)
    nets_follow_from_records(world, "out", 2)
    check("baseline_before" in world.phases("out")[3:], "no baseline after the resume")


def too_short_a_wait(world):
    world.rest("s.yaml", "{until: settled, max: 1s, over: 1s}")
    world.run("s.yaml", "out")
    fired = world.gates("out")
    late = [(trial, detail) for trial, code, detail in fired if code == "cooldown_timeout"]
    check(late and late[0][0] == 2 and "after 1 s: coretemp-0:Package id 0" in late[0][1] and
          "45.0 +- 1" in late[0][1], "%r" % fired)


def a_fixed_time(world):
    world.rest("s.yaml", "50ms")
    world.run("s.yaml", "out")
    fired = [g for g in world.gates("out") if g[1] == "start_temperature"]
    check(len(fired) == 1 and fired[0][0] == 2 and "above the first trial" in fired[0][2],
          "%r" % world.gates("out"))
    check(world.phases("out") == ["load", "measure", "cooldown"] * 2, "%r" % world.phases("out"))
    flags = world.do("export", "out")[1]
    check("start_temperature" in flags, flags)


def with_a_gpu(world):
    """Its temperature and its power come through the meter, the latter once a second."""
    world.more["PERJOULE_NVML"] = os.path.join(world.build, "tests", "fakes", "fake_nvml.so")
    world.rest("s.yaml", "{until: settled, max: 12s, over: 2s}")
    world.run("s.yaml", "out")
    (text,), = world.rows(world.path("out"), "SELECT value FROM fact WHERE key = 'rest.reference'")
    reference = json.loads(text)
    check(reference["temps"].get("nvml:0:temp") == 40 and len(reference["temps"]) == 2, text)
    check(100 < reference["power_w"] < 120, text)  # 100 W of the GPU, 10 W of the package
    starts_are_alike(world, "out")


def steady_windows(world):
    world.tokens = 250  # of requests
    world.study("s.yaml", "local", attempts=1, template=SERVED)
    code, words = world.do("run", "s.yaml", "--out", "long", "--root", world.machine.root)
    # a busy machine may indeed not settle: then nothing but that may be wrong
    (state, reason), = world.rows(world.path("long"), "SELECT state, reason FROM trial")
    check((code, state, reason) in ((0, "done", ""), (3, "invalid", "never_settles")),
          "%d %s %s: %s" % (code, state, reason, words))
    windows = dict((n, (s, e)) for n, s, e in world.rows(
        world.path("long"), "SELECT name, start_ns, end_ns FROM phase WHERE task <> ''"))
    if state == "done":
        check(windows["ramp"][1] == windows["measure"][0] and
              windows["measure"][1] == windows["drain"][0], "%r" % windows)
        total = sum(v for v in (world.metric("long", n)[1] for n in (
            "requests", "ramp_requests", "drain_requests")))
        check(total == 250, "%g requests" % total)
        check(world.do("report", "long")[0] in (0, 3), "no report")
        words = world.do("verify", "long/report", "long")[1]
        check("ramp" not in words and "drain" not in words and "j_per_token" not in words, words)
    check(world.do("export", "long")[1].splitlines()[0].split(",")[9] == "window", "no column")
    world.tokens = 20
    world.study("s.yaml", "local", attempts=1, template=SERVED)
    code, words = world.do("run", "s.yaml", "--out", "short", "--root", world.machine.root)
    check(code == 3, "%d: %s" % (code, words))
    check(world.rows(world.path("short"), "SELECT state, reason FROM trial") ==
          [("invalid", "never_settles")], words)
    check(world.metric("short", "energy_j") == {1: None}, "a figure of no window")
    # the two kinds of window in one table
    path = world.write("t.csv", "a,y,window\n" + "".join(
        "%s,%d,%s\n" % (a, 10 + i % 7, w) for i in range(20)
        for a in "xy" for w in (("steady",) if i % 2 else ("",))))
    code, words = world.do("analyse", path, "--response", "y", "--by", "a")
    check(code == 3 and "mixed_windows" in words, "%d: %s" % (code, words))
    code, words = world.do("analyse", path, "--response", "y", "--by", "a", "--where",
                           "window == 'steady'")
    check("mixed_windows" not in words, words)


TESTS = [
    ("with a GPU", with_a_gpu),
    ("the steady part of a task, and a task without one", steady_windows),
    ("on this machine", on_this_machine),
    ("on a testbed, by its agent", on_a_testbed),
    ("a kill between two trials loses no baseline", with_a_kill_in_between),
    ("after the longest wait it goes on with a flag", too_short_a_wait),
    ("a fixed time is flagged when start temperatures differ", a_fixed_time),
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    build = parser.parse_args().build
    results = [None] * len(TESTS)

    def one(i):
        world = World(build)
        try:
            TESTS[i][1](world)
            results[i] = ""
        except (Failed, OSError, sqlite3.Error, LookupError, ValueError) as why:
            results[i] = "%s: %s" % (type(why).__name__, why)
        finally:
            world.close()

    # they wait most of the time: side by side
    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(TESTS))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("1..%d" % len(TESTS))
    for i, (name, _) in enumerate(TESTS):
        print("%s %d - %s" % ("ok" if results[i] == "" else "not ok", i + 1, name))
        for row in (results[i] or "it did not end" if results[i] != "" else "").splitlines():
            print("# " + row)
    sys.exit(any(r != "" for r in results))


if __name__ == "__main__":
    main()
