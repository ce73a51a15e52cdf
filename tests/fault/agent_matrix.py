#!/usr/bin/python3
"""Kills, stops and cuts off everything that takes part in a study over two processes.

For each fault (SIGKILL, SIGSTOP, a cut network) and each part (orchestrator, agent, engine, meter,
network): a study runs while the fault hits at random instants; whoever died is started again as a
supervisor would. Then: every attempt that ended has a reason and none took longer than its limits,
nothing is left running, the agent's spool is empty, artefacts have their digests, and the final table
is that of a study that nobody disturbed. With --simulated, trials that take no time and N SIGKILLs of
orchestrator or agent: no trial that was done is ever lost or run again. Output is TAP.

    agent_matrix.py --build BUILD [--points 10] [--simulated 20] [--seed 1] [--jobs 6]
"""
import argparse
import collections
import concurrent.futures
import os
import random
import signal
import sys
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from agent_rig import COMMAND_STUDY, STUDY, Failed, Proxy, Rig, check  # noqa: E402

REASONS = {"engine_died", "engine_start", "engine_stop", "request_errors", "load", "timeout",
           "meter_lost", "meter_start", "agent_died", "agent_lost", "agent_stopped", "interrupted"}
# limits of the study (trial, engine_start and its probe, engine_stop, meter), and a busy machine
LONGEST_S = 25
REPETITIONS = 2
# phases of their own to be hit in (a warm-up would make as many requests as there is time for)
PHASES = STUDY.replace("warmup: 0s, idle: 0s, cooldown: 0s",
                       "warmup: 0s, idle: 100ms, cooldown: 100ms")


class Case:
    """One study, one kind of fault, `points` instants."""

    def __init__(self, options, part, fault, points):
        self.options, self.part, self.fault, self.points = options, part, fault, points
        self.random = random.Random(zlib.crc32(("%d/%s/%s" % (options.seed, part, fault)).encode()))
        self.rig = Rig(options.build, tokens=12)
        self.words = []
        self.process = self.proxy = None
        self.hits = 0
        self.stopped = set()
        self.stood_still = False
        self.struck = collections.Counter()

    # ---- parts ----

    def phase(self, out):
        """Where the study is now: the phase of the trial that runs, as the agent tells it."""
        try:
            study, = self.rig.rows(out, "SELECT value FROM meta WHERE key = 'study_id'")
            running = self.rig.rows(out, "SELECT trial, id, nonce FROM attempt WHERE state = "
                                         "'running'")
            job = self.rig.ask("GET", "/v1/jobs/%s/%d/%d/%s" % (study + running[0]), timeout=1)[2]
            return job["phase"].split(" ")[0] or job["state"]
        except Exception:  # before the first trial, between two, or nobody is there to be asked
            return "elsewhere"

    def pids(self, program, word=None):
        found = []
        for pid in self.rig.ours():
            try:
                if os.path.basename(os.readlink("/proc/%d/exe" % pid)) != program:
                    continue
                with open("/proc/%d/cmdline" % pid, "rb") as file:
                    args = file.read().split(b"\0")
                if word is None or word in args:
                    found.append(pid)
            except OSError:
                pass
        return found

    def targets(self):
        if self.part == "orchestrator":
            return [self.process.pid]
        if self.part == "agent":
            return [self.rig.agent.pid]
        if self.part == "engine":
            return self.pids("stub_server")
        return self.pids("perjoule", b"record")

    def signal(self, number):
        hit = 0
        for pid in self.targets():
            try:
                os.kill(pid, number)
                hit += 1
            except ProcessLookupError:
                pass
        return hit

    def hit(self):
        if self.part == "network":
            self.proxy.cut = True
            time.sleep(self.random.uniform(0.05, 0.6))
            self.proxy.cut = False
            return 1
        if self.fault == "SIGKILL":
            return self.signal(signal.SIGKILL)
        if self.part == "meter" and set(self.targets()) <= self.stopped:
            return 0
        self.stopped |= set(self.targets())
        hit = self.signal(signal.SIGSTOP)
        if self.part == "meter":
            return hit  # it never wakes up: the trial must end by itself
        time.sleep(self.random.uniform(0.05, 0.6))
        self.signal(signal.SIGCONT)
        return hit

    # ---- a study under fire ----

    def supervise(self, out, study):
        """Starts again who died; False once the study has ended by itself."""
        rig = self.rig
        if rig.agent.poll() is not None:
            rig.start_agent()
        code = self.process.poll()
        if code is None:
            return True
        words = rig.finish(self.process)[1]
        self.words.append(words)
        started = os.path.exists(out)
        if code == -signal.SIGKILL or not started:  # without an agent nothing is made
            check(code != 0, "exit code 0, and nothing was made: " + words)
            self.process = rig.start(*(["resume", out] if started else ["run", study, "--out", out]))
            return True
        if code == 1:  # nothing but a study that is not done may say so
            check("resume" in words or "status" in words, "exit code 1: " + words)
            self.process = rig.start("resume", out)
            return True
        # the client lives in the agent: one that was stopped inside a window must not count
        self.stood_still = code == 3 and self.part == "agent" and self.fault == "SIGSTOP"
        check(code == 0 or self.stood_still, "exit code %d: %s" % (code, words))
        return False

    def after(self, reference, out):
        rig = self.rig
        rig.consistent(out)
        if self.stood_still:
            trials = rig.rows(out, "SELECT state, reason FROM trial")
            check({state for state, _ in trials} <= {"done", "invalid"} and
                  all(state == "done" or reason == "host_bound" for state, reason in trials),
                  "%s" % trials)
        elif reference:
            rig.same_tables(reference, out)
        attempts = rig.rows(out, "SELECT state, reason, (end_ns - start_ns) / 1e9 FROM attempt")
        for state, reason, dur_s in attempts:
            check(state == "done" or reason.split(":")[0] in REASONS or
                  self.stood_still and reason == "host_bound", "%s(%s)" % (state, reason))
            check(dur_s < LONGEST_S, "an attempt that ended %s(%s) took %.1f s" % (state, reason,
                                                                                  dur_s))
        rig.no_orphans()
        rig.spool_is_empty()
        return sum(state != "done" for state, _, _ in attempts)

    def run(self):
        rig, lost, studies = self.rig, 0, 0
        rig.start_agent()
        while self.hits < self.points:
            studies += 1
            check(studies <= 3 + self.points, "the fault hits nothing")
            out = rig.path("out-%d" % studies)
            self.proxy = Proxy(rig.port) if self.part == "network" else None
            port = self.proxy.port if self.proxy else rig.port
            study = rig.study("study.yaml", rig.executor(port=port), REPETITIONS, 1000, PHASES)
            self.process = rig.start("run", study, "--out", out)
            pause = 0.3
            due = time.monotonic() + self.random.uniform(0, pause)
            while self.supervise(out, study):
                if self.hits < self.points and time.monotonic() >= due:
                    phase, hits = self.phase(out), self.hit()
                    self.hits += hits
                    self.struck[phase] += hits
                    due = time.monotonic() + self.random.uniform(0, pause)
                time.sleep(0.01)
            if self.proxy:
                self.proxy.close()
            lost += self.after(self.options.reference, out)
        return "%d hits in %d studies, %d attempts failed and were run again; struck in: %s" % (
            self.hits, studies, lost, ", ".join("%s %d" % s for s in self.struck.most_common() if s[1]))

    # ---- very many kills ----

    def done(self, out):
        try:
            return set(self.rig.rows(out, "SELECT trial, number, nonce FROM attempt WHERE state = "
                                          "'done'"))
        except Exception:  # it does not exist yet
            return set()

    def simulated(self):
        rig, studies, trials = self.rig, 0, 0
        repetitions = min(25, self.points)
        rig.start_agent()
        while self.hits < self.points:
            studies += 1
            out = rig.path("out-%d" % studies)
            study = rig.study("study.yaml", rig.executor(heartbeat="10ms"), repetitions, 1000,
                              COMMAND_STUDY)
            self.process = rig.start("run", study, "--out", out)
            seen = set()
            while self.supervise(out, study):
                time.sleep(self.random.uniform(0, 0.3))
                if self.hits >= self.points:
                    continue
                self.part = self.random.choice(["orchestrator", "agent"])
                self.hits += self.signal(signal.SIGKILL)
                now = self.done(out)
                check(seen <= now, "lost: %s" % (seen - now))
                seen = now
            self.after(None, out)
            now = self.done(out)
            check(seen <= now, "lost: %s" % (seen - now))
            check(len({trial for trial, _, _ in now}) == len(now) == 2 * repetitions,
                  "done twice, or not done")
            trials += len(now)
        return "%d SIGKILLs over %d studies, %d trials done, 0 lost, none run twice" % (
            self.hits, studies, trials)


def stopped_for_good(options, part):
    """An engine or agent that stops for good: the trial ends within its limits, the exit code says
    that something is not done."""
    case = Case(options, part, "SIGSTOP", 1)
    rig = case.rig
    try:
        rig.start_agent()
        out = rig.path("out")
        executor = rig.executor(reply="300ms", lost_after="1s")
        study = rig.study("study.yaml", executor, 1, 1, STUDY.replace(
            "request: 2s, trial: 10s", "request: 500ms, trial: 4s"))
        case.process = rig.start("run", study, "--out", out)
        end = time.monotonic() + 20
        # the first one seen may be a question about its options that ends before it is stopped
        while not case.pids("stub_server") or case.signal(signal.SIGSTOP) == 0:
            check(time.monotonic() < end, "no engine")
            time.sleep(0.005)
        began = time.monotonic()
        code, words = rig.finish(case.process)
        took = time.monotonic() - began
        check(code in (1, 3), "exit code %d: %s" % (code, words))
        check(took < LONGEST_S, "it took %.1f s" % took)
        ended = rig.rows(out, "SELECT state, reason FROM attempt ORDER BY id")[0]
        check(ended[0] in ("failed", "invalid") and ended[1].split(":")[0] in REASONS, str(ended))
        rig.end_agent()
        rig.no_orphans()
        return "%s(%s) after %.1f s" % (ended[0], ended[1], took)
    finally:
        rig.close()


def running_for_ever(options):
    """An agent that answers every heartbeat with "running" is not believed for ever: limits of the
    study, and a minute for what the testbed has to store. (Too slow for less than --points 50.)"""
    from agent_study import Liar
    case = Case(options, "agent", "running", 1)
    rig = case.rig
    liar = None
    try:
        rig.start_agent()
        liar = Liar(rig.port, rig.token(), {"state": "running"})
        study = rig.study("study.yaml", rig.executor(port=liar.port), 1, 1,
                          COMMAND_STUDY.replace("trial: 10s", "trial: 1s, engine_start: 1s"))
        began = time.monotonic()
        code, words = rig.finish(rig.start("run", study, "--out", rig.path("out")), 400)
        took = time.monotonic() - began
        check(code == 1, "exit code %d: %s" % (code, words))
        ended = rig.rows(rig.path("out"), "SELECT state, reason FROM attempt ORDER BY id")
        check(ended == [("failed", "timeout")] * 2, str(ended))
        check(took < 2 * 100, "it took %.1f s" % took)
        rig.no_orphans()
        return "2 trials failed(timeout) in %.1f s" % took
    finally:
        if liar:
            liar.close()
        rig.close()


def guarded(make):
    case = None
    try:
        case, run = make()
        return True, run()
    except Failed as error:
        words = ("\n" + "\n".join(case.words[-3:]) + "\n" + case.rig.agent_words()[-2000:]) \
            if case else ""
        return False, str(error) + words
    finally:
        if case:
            if case.proxy:
                case.proxy.close()
            case.rig.close()


def undisturbed(rig):
    out = rig.path("undisturbed")
    code, words = rig.do("run", rig.study("study.yaml", "local", REPETITIONS, template=PHASES),
                        "--out", out)
    check(code == 0, "undisturbed: %d: %s" % (code, words))
    return out


def cases(options):
    kinds = [(part, fault) for fault in ("SIGKILL", "SIGSTOP")
             for part in ("orchestrator", "agent", "engine", "meter")] + [("network", "disconnect")]
    out = []
    for part, fault in kinds:
        def make(part=part, fault=fault):
            case = Case(options, part, fault, options.points)
            return case, case.run
        out.append(("%s of the %s, %d instants" % (fault, part, options.points), make))
    for part in ("engine", "agent"):
        out.append(("SIGSTOP of the %s for good" % part,
                    lambda part=part: (None, lambda: stopped_for_good(options, part))))
    if options.points >= 50:
        out.append(("an agent that says running for ever",
                    lambda: (None, lambda: running_for_ever(options))))
    if options.simulated:
        def simulate():
            case = Case(options, "agent", "simulated", options.simulated)
            return case, case.simulated
        out.append(("%d SIGKILLs over simulated studies" % options.simulated, simulate))
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.environ.get("PERJOULE_BUILD_ROOT"))
    parser.add_argument("--points", type=int, default=10)
    parser.add_argument("--simulated", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=6)
    options = parser.parse_args()
    rig = Rig(options.build, tokens=12)
    try:
        options.reference = undisturbed(rig)
        return matrix(options)
    finally:
        rig.close()


def matrix(options):
    todo = cases(options)
    print("1..%d" % len(todo), flush=True)
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        results = [pool.submit(guarded, make) for _, make in todo]
        for number, ((name, _), result) in enumerate(zip(todo, results), 1):
            good, words = result.result()
            bad += not good
            print("%sok %d - %s%s" % ("" if good else "not ", number, name,
                                      ": " + words if good else " (seed %d)" % options.seed))
            if not good:
                print("\n".join("# " + line for line in words.splitlines()))
            sys.stdout.flush()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
