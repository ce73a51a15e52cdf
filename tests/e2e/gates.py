#!/usr/bin/python3
"""Gates as a user meets them: whole studies, each with one fault that is made to happen inside the
measured window, and each fault is caught; without a fault nothing is said.

    gates.py --build BUILD
"""
import argparse
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

STUDY = """\
study: gates
factors: {rest: ["0.3"]}
repetitions: 1
engine: {kind: command, run: [sh, -c, "touch FAULT; sleep ${rest}"]}
meter: {interval: 20ms}
limits: {attempts: 1, trial: 60s}
gates: {cpu_thief: 1, steal_time: 1}
"""


SERVED = """\
study: served
factors: {{ctx: [256]}}
repetitions: {repetitions}
engine: {{kind: llamacpp, server: {server}, model: model.gguf, slots: 4, context: "${{ctx}}", threads: 1{cache}}}
load: {load}
task: {{name: t, items: items.jsonl, prompt: "{{text}}", api: chat, max_tokens: 8{task}}}
phases: {{warmup: 0s, idle: {idle}, cooldown: 0s}}
meter: {{interval: 50ms}}
limits: {{attempts: 1, trial: 100s}}
gates: {{cpu_thief: 1, steal_time: 1{gates}}}
"""
ONE_BY_ONE = "{kind: closed, concurrency: 1}"
# an engine that keeps one thread of the processors busy while it serves
BUSY = """\
#!/bin/sh
while :; do :; done &
exec "$@"
"""


class Failed(Exception):
    pass


def check(condition, words):
    if not condition:
        raise Failed(words)


class Bench:
    def __init__(self, build):
        self.build = build
        self.perjoule = os.path.join(build, "src", "cli", "perjoule")
        self.dir = tempfile.mkdtemp(prefix="perjoule-gates-")
        self.n = 0

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def served(self, want, load=ONE_BY_ONE, items=40, busy=False, idle="0s", gates="", beside=None,
               repetitions=1, wrapper="", task="", cache="", stub=("--ttft-ms", "20", "--itl-ms", "2"), **env):
        """A study whose engine is the stub server, which answers after 20 ms."""
        self.write("model.gguf", "a model that the stub does not read")
        self.write("items.jsonl", "".join(
            json.dumps({"id": str(i), "text": "item %d" % i}) + "\n" for i in range(items)))
        server = [os.path.join(self.build, "tests", "stub", "stub_server"), *stub]
        if busy or wrapper:
            server.insert(0, self.write("wrapper.sh", wrapper or BUSY, 0o755))
        text = SERVED.format(server=json.dumps(server), load=load, idle=idle, gates=gates,
                             repetitions=repetitions, task=task, cache=cache)
        return self.study(text, want, beside=beside, **env)

    def study(self, text, want, beside=None, **env):
        """Runs the study; the gates of its trials as {code: (consequence, detail)}."""
        self.n += 1
        path, out = self.path("s%d.yaml" % self.n), self.path("out%d" % self.n)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.out = out
        full = dict(os.environ, PERJOULE_LIBEXEC=os.path.dirname(self.perjoule), **env)
        run = subprocess.Popen([self.perjoule, "run", path, "--out", out], env=full, cwd=self.dir,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
        try:
            if beside:
                beside(run)
            words = run.communicate(timeout=120)[0].decode()
        finally:
            if run.poll() is None:
                run.kill()
                run.wait()
        check(run.returncode == want, "exit code %d, not %d: %s" % (run.returncode, want, words))
        return {code: (consequence, detail)
                for code, consequence, detail in self.rows("SELECT code, consequence, detail FROM gate")}

    def rows(self, query, *values):
        db = sqlite3.connect("file:%s/study.sqlite?mode=ro" % self.out, uri=True)
        try:
            return db.execute(query, values).fetchall()
        finally:
            db.close()

    def gpu(self, want, values="", **variables):
        """The study of one command on a machine with one fake GPU; `values` once it runs."""
        fault = self.path("fault%d" % self.n)
        fake = {"FAKE_NVML_" + k.upper(): v
                for k, v in dict({"when": fault, "values": values}, **variables).items()}
        return self.study(STUDY.replace("FAULT", fault), want,
                          PERJOULE_NVML=os.path.join(self.build, "tests/fakes/fake_nvml.so"), **fake)


NOISE = {"identical_outputs", "phase_sum", "short_window", "cpu_foreign", "steal_some", "swap_some", "energy_partial",
         "energy_modelled", "shared_cores"}


def only(gates, *codes):
    check(set(gates) - NOISE == set(codes), "%r, not %r" % (gates, codes))


def test_a_quiet_gpu(bench):
    only(bench.gpu(0))
    check(bench.rows("SELECT state FROM trial") == [("done",)], "not done")


FAULTS = [("throttle=0x40", "throttled", "heat (hardware)"),
          ("throttle=0x20", "throttled", "heat (driver)"),
          ("throttle=0x88", "throttled", "power brake"),
          ("thermal=200000000", "throttled", "for 0.200 s"),
          ("limit=400000", "limit_changed", "from 700000 to 400000 mW"),
          ("appclock=1200", "limit_changed", "from 1980 to 1200 MHz"),
          ("ecc=3", "gpu_ecc", "3 memory errors"),
          ("xid=79", "gpu_xid", "Xid 79")]


def test_faults_that_invalidate(bench):
    for values, code, words in FAULTS:
        gates = bench.gpu(3, values)
        only(gates, code)
        check(gates[code][0] == "invalid" and words in gates[code][1], "%s: %r" % (values, gates))
        check(bench.rows("SELECT state, reason FROM trial") == [("invalid", code)], values)


def test_what_is_only_flagged(bench):
    gates = bench.gpu(0, "powercap=90000000,eccfixed=2,remapped=1")
    only(gates, "gpu_power_cap", "gpu_corrected")
    check("0.090 s" in gates["gpu_power_cap"][1], "%r" % gates)
    check("2 memory errors" in gates["gpu_corrected"][1], "%r" % gates)
    check({g[0] for c, g in gates.items() if c.startswith("gpu")} == {"flag"}, "%r" % gates)
    # what a GPU is set to and an idle one are not faults
    only(bench.gpu(0, "throttle=0x103"))


def test_a_foreign_process(bench):
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        pids = bench.path("pids")
        with open(pids, "w", encoding="utf-8") as file:
            file.write("%d\n" % stranger.pid)
        first = os.readlink("/proc/self/ns/pid") == "pid:[4026531836]"
        gates = bench.gpu(3 if first else 0, pids=pids)
        code = "gpu_foreign" if first else "gpu_owner_unknown"
        only(gates, code)
        check(not first or "sleep (pid %d)" % stranger.pid in gates[code][1], "%r" % gates)
    finally:
        stranger.kill()
        stranger.wait()


def test_a_pid_that_means_nothing_here(bench):
    gates = bench.gpu(0, "pid=4194300")
    only(gates, "gpu_owner_unknown")


def test_what_cannot_be_read_is_said(bench):
    gates = bench.gpu(0, errors="ecc=3,pid=4,xid=3", when="")
    only(gates, "gpu_unread")
    for words in ("ecc_uncorrected (Not Supported)", "processes (Insufficient Permissions)", "xids"):
        check(words in gates["gpu_unread"][1], "%r" % gates)


# what the server does with its requests: options of the stub, of the task, items, gate
SERVER_FAULTS = [("--cached 3", "", 3, "prefix_cache", "3 requests"),
                 ("--own-length --tokens 5", ", ignore_eos: true", 3, "token_mismatch", "3 of 3 answers"),
                 ("--fail-every 3", "", 30, "request_errors", "10 of 30 requests"),
                 ("--cut-every 150", "", 200, "request_lost", "1 of 200 requests"),
                 ("--no-usage", "", 3, "token_unknown", "3 requests")]


def test_what_the_server_does(bench):
    stub = ("--ttft-us", "200", "--itl-us", "50")
    quiet = ", send_lag: 1"
    check(not set(bench.served(0, items=3, gates=quiet, stub=stub, task=", ignore_eos: true")) &
          {code for *_, code, _ in SERVER_FAULTS}, "a good server")
    for options, task, items, code, words in SERVER_FAULTS:
        fatal = code not in ("request_lost", "token_unknown")
        gates = bench.served(3 if fatal else 0, items=items, gates=quiet, task=task,
                             stub=stub + tuple(options.split()))
        check(code in gates, "%s: %r" % (options, gates))
        check(gates[code][0] == ("invalid" if fatal else "flag") and words in gates[code][1],
              "%s: %r" % (options, gates))
        check(bench.rows("SELECT state FROM trial") == [("invalid" if fatal else "done",)], options)
    # a cache that was asked for is none
    gates = bench.served(0, items=3, gates=quiet, stub=stub + ("--cached", "3"), cache=", prompt_cache: on")
    check("prefix_cache" not in gates, "%r" % gates)


def five_percent(run):
    """Lets it run for 5 ms of every 100 ms."""
    while run.poll() is None:
        run.send_signal(signal.SIGSTOP)
        time.sleep(0.095)
        run.send_signal(signal.SIGCONT)
        time.sleep(0.005)


def test_a_client_that_is_its_own_master(bench):
    gates = bench.served(0)
    check("host_bound" not in gates, "%r" % gates)
    shares = dict(bench.rows("SELECT name, value FROM metric WHERE name LIKE 'client%share'"))
    check(0 <= shares["client_stopped_share"] < 0.1, "%r" % shares)
    check(0 < shares["client_thread_share"] < 0.9, "%r" % shares)


def test_a_client_throttled_to_five_percent(bench):
    for load in (ONE_BY_ONE, "{kind: constant, rate: 20}"):
        gates = bench.served(3, load=load, items=12 if load == ONE_BY_ONE else 24, beside=five_percent)
        check(gates["host_bound"][0] == "invalid" and "stopped" in gates["host_bound"][1],
              "%s: %r" % (load, gates))
        check(bench.rows("SELECT state, reason FROM trial") == [("invalid", "host_bound")], load)


def test_inference_on_the_processors_passes(bench):
    gates = bench.served(0, busy=True)
    check("host_bound" not in gates, "%r" % gates)
    share, = bench.rows("SELECT value FROM metric WHERE name = 'server_thread_share'")
    check(share[0] > 0, "%r" % share)  # a loaded machine gives it little
    cores = len(os.sched_getaffinity(0))
    facts = dict(bench.rows("SELECT key, value FROM fact WHERE key LIKE 'cpus.%'"))
    check(("shared_cores" in gates) != bool(facts), "%r %r" % (gates, facts))
    check(cores >= 4 or not facts, "%r" % facts)


# a server whose chat template puts in how often it was started
DATED = """\
#!/bin/sh
echo >> {log}
n=$(wc -l < {log})
exec "$@" {options}
"""


def repeated(bench, options, repetitions=3):
    """Gates of each repetition of a study whose server is started with these options."""
    log = bench.path("starts%d" % bench.n)
    bench.served(0, items=3, stub=("--ttft-ms", "5"), gates=", send_lag: 1",
                 wrapper=DATED.format(log=log, options=options), repetitions=repetitions)
    found = [set() for _ in range(repetitions)]
    for repetition, code in bench.rows("SELECT t.repetition, g.code FROM gate g JOIN attempt a ON "
                                       "g.attempt = a.id JOIN trial t ON a.trial = t.id"):
        found[repetition - 1].add(code)
    return found


def test_repetitions_that_give_the_same_answers(bench):
    found = repeated(bench, '--chat-template "today is 24"')
    check([("identical_outputs" in f, "prompt_changed" in f) for f in found] ==
          [(False, False), (True, False), (True, False)], "%r" % found)
    facts = bench.rows("SELECT value FROM fact WHERE key = 'prompt.t.rendered_by'")
    check(facts == [("/apply-template",)] * 3, "%r" % facts)
    found = repeated(bench, '--answer "reply $n"')
    check(not any("identical_outputs" in f for f in found), "%r" % found)


def test_a_date_in_the_chat_template(bench):
    for options in ('--chat-template "today is 2$n"', '--tokenizer "1, 2$n, 3"'):
        found = repeated(bench, options)
        check(["prompt_changed" in f for f in found] == [False, True, True], "%r" % found)
        check(bench.rows("SELECT DISTINCT state FROM trial") == [("done",)], "not a flag")
    detail, = set(bench.rows("SELECT detail FROM gate WHERE code = 'prompt_changed'"))
    check("task t" in detail[0] and "repetition 1" in detail[0], "%r" % (detail,))


TESTS = [test_repetitions_that_give_the_same_answers, test_a_date_in_the_chat_template,
         test_a_client_that_is_its_own_master, test_a_client_throttled_to_five_percent,
         test_inference_on_the_processors_passes, test_what_the_server_does,
         test_a_quiet_gpu, test_faults_that_invalidate, test_what_is_only_flagged,
         test_a_foreign_process, test_a_pid_that_means_nothing_here,
         test_what_cannot_be_read_is_said]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    build = os.path.abspath(parser.parse_args().build)
    bad = 0
    print("1..%d" % len(TESTS))
    for number, test in enumerate(TESTS, 1):
        bench = Bench(build)
        name = test.__name__[5:].replace("_", " ")
        start = time.monotonic()
        try:
            test(bench)
            print("ok %d - %s # %.1f s" % (number, name, time.monotonic() - start), flush=True)
        except (Failed, subprocess.TimeoutExpired, OSError, ValueError, KeyError) as error:
            bad += 1
            print("not ok %d - %s" % (number, name))
            for line in (type(error).__name__ + ": " + str(error)).splitlines():
                print("# " + line, flush=True)
        finally:
            shutil.rmtree(bench.dir, ignore_errors=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
