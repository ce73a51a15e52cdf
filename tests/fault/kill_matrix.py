#!/usr/bin/python3
"""Kills perjoule, its engine and its meter at random instants and checks what is left.

After each kill: no process of the study is left within a deadline, the store is consistent, every
attempt that ended has a reason, and `resume` completes the plan without running a done trial again.
Output is TAP. Instants come from a seed, so a failure can be run again:

    kill_matrix.py --build BUILD [--runner 30] [--engine 10] [--meter 10] [--stop 2] [--seed 1]
                   [--jobs 1] [--server 'ARGV…' --model FILE]     a real server in place of the stub
"""
import argparse
import concurrent.futures
import csv
import io
import json
import os
import random
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
import zlib

STUDY = """\
study: kill-matrix
question: Does anything get lost?
factors:
  concurrency: [1, 2]
repetitions: 2
order: {{seed: 7}}
engine:
  kind: llamacpp
  server: [{server}]
  model: {model}
  slots: 2
  context: 256
  threads: 1
load: {{kind: closed, concurrency: "${{concurrency}}"}}
task:
  name: energy
  items: items.jsonl
  prompt: "{{text}}"
  max_tokens: {tokens}
  ignore_eos: true
phases: {{warmup: 0s, idle: 0s, cooldown: 0s}}
limits: {{engine_start: {start}, request: {request}, trial: {trial}, engine_stop: 500ms, meter: 1s, attempts: {attempts}}}
gates: {{cpu_thief: 1, steal_time: 1, send_lag: 1}}
"""


class Failed(Exception):
    pass


def check(condition, words):
    if not condition:
        raise Failed(words)


class Skipped(Exception):
    pass


class Bench:
    """A folder, a mark and random numbers of its own for each case: cases can run side by side."""

    def __init__(self, options, name, index):
        self.options = options
        self.perjoule = os.path.join(options.build, "src", "cli", "perjoule")
        self.dir = tempfile.mkdtemp(prefix="perjoule-kill-")
        self.mark = "PERJOULE_TEST_MARK=" + uuid.uuid4().hex
        self.random = random.Random(zlib.crc32(("%d/%s/%d" % (options.seed, name, index)).encode()))
        self.real = options.server is not None
        if self.real:
            self.server = shlex.split(options.server)
            self.model = os.path.abspath(options.model)
        else:
            self.server = [os.path.join(options.build, "tests", "stub", "stub_server"), "--ttft-ms", "5",
                           "--itl-ms", "4"]
            self.model = os.path.join(self.dir, "model.gguf")
            with open(self.model, "w", encoding="ascii") as file:
                file.write("a model that the stub does not read")
        with open(os.path.join(self.dir, "items.jsonl"), "w", encoding="ascii") as file:
            for i in range(4):
                file.write(json.dumps({"id": str(i), "text": "item %d goes" % i}) + "\n")

    def env(self):
        env = dict(os.environ)
        name, value = self.mark.split("=")
        env[name] = value
        env["PERJOULE_LIBEXEC"] = os.path.dirname(self.perjoule)
        return env

    def write_study(self, attempts):
        path = os.path.join(self.dir, "study.yaml")
        slow = self.real
        text = STUDY.format(server=", ".join(json.dumps(a) for a in self.server),
                            model=json.dumps(self.model), tokens=16 if slow else 20,
                            start="60s" if slow else "5s", trial="5m" if slow else "10s",
                            request="60s" if slow else "2s",
                            attempts=attempts)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def start(self, *args):
        return subprocess.Popen([self.perjoule, *args], env=self.env(), cwd=self.dir,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, start_new_session=True)

    def finish(self, process):
        # a stopped engine is waited for until its own limit, a minute for the real server
        deadline_s = 600 if self.real else 120
        try:
            words, _ = process.communicate(timeout=deadline_s)
        except subprocess.TimeoutExpired:
            process.kill()
            words, _ = process.communicate()
            raise Failed("hangs:\n" + words.decode(errors="replace"))
        return process.returncode, words.decode(errors="replace")

    def ours(self):
        """Pids that carry the mark in their environment."""
        found = []
        for name in os.listdir("/proc"):
            if not name.isdigit() or int(name) == os.getpid():
                continue
            try:
                with open("/proc/%s/environ" % name, "rb") as file:
                    if self.mark.encode() not in file.read():
                        continue
                with open("/proc/%s/stat" % name, encoding="utf-8", errors="replace") as file:
                    state = file.read().rsplit(")", 1)[1].split()[0]
                if state not in "ZX":
                    found.append(int(name))
            except OSError:
                pass
        return found

    def no_orphans(self, deadline_s=10):
        end = time.monotonic() + deadline_s
        left = self.ours()
        while left and time.monotonic() < end:
            time.sleep(0.05)
            left = self.ours()
        names = []
        for pid in left:
            try:
                with open("/proc/%d/cmdline" % pid, "rb") as file:
                    names.append("%d %s" % (pid, file.read().replace(b"\0", b" ").decode()))
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        check(not left, "orphans: " + "; ".join(names))

    def rows(self, out, query):
        # a copy: reading must not touch what a crash left
        copy = os.path.join(self.dir, "copy")
        shutil.rmtree(copy, ignore_errors=True)
        os.mkdir(copy)
        for name in os.listdir(out):
            if name.startswith("study.sqlite"):
                shutil.copy(os.path.join(out, name), copy)
        db = sqlite3.connect(os.path.join(copy, "study.sqlite"))
        try:
            return db.execute(query).fetchall()
        finally:
            db.close()

    def consistent(self, out):
        check(self.rows(out, "PRAGMA integrity_check") == [("ok",)], "integrity_check fails")
        check(self.rows(out, "PRAGMA foreign_key_check") == [], "foreign_key_check fails")

    def done(self, out):
        code, words = self.finish(self.start("status", out, "--json"))
        check(code in (0, 1, 3), "status fails (%d): %s" % (code, words))
        code, words = self.finish(self.start("export", out, "--format", "csv"))
        check(code == 0, "export fails (%d): %s" % (code, words))
        table = list(csv.DictReader(io.StringIO(words)))
        return table

    def complete(self, out):
        """Resumes until all is done; done trials keep their attempt."""
        before = {i: row for i, row in enumerate(self.done(out)) if row["state"] == "done"}
        code, words = self.finish(self.start("resume", out))
        check(code == 0, "resume ends with %d: %s" % (code, words))
        after = self.done(out)
        check(len(after) == 4, "%d rows instead of 4" % len(after))
        for row in after:
            check(row["state"] == "done", "a trial is %s after resume" % row["state"])
        for i, row in before.items():
            # a column that only later trials have a value for is new, and empty here
            now = {name: value for name, value in after[i].items() if value or row.get(name)}
            was = {name: value for name, value in row.items() if value}
            check(now == was, "a done trial changed: %s -> %s" % (was, now))
        self.consistent(out)
        self.no_orphans()

    def pid_of(self, out, role, process, deadline_s=10):
        """Pid of the newest process of a role once the study wrote it down."""
        end = time.monotonic() + deadline_s
        while time.monotonic() < end and process.poll() is None:
            try:
                found = self.rows(out, "SELECT pid FROM process WHERE role='%s' "
                                       "ORDER BY rowid DESC LIMIT 1" % role)
                if found:
                    return found[0][0]
            except (OSError, sqlite3.Error):
                pass
            time.sleep(0.02)
        return None

    # ---- cases ----

    def kill_runner(self, index):
        study = self.write_study(1)
        out = os.path.join(self.dir, "runner-%d" % index)
        process = self.start("run", study, "--out", out)
        span = 12.0 if self.real else 3.0
        time.sleep(self.random.uniform(0, span))
        process.kill()
        self.finish(process)
        self.no_orphans()
        if os.path.exists(out):
            self.consistent(out)
            self.complete(out)
        shutil.rmtree(out, ignore_errors=True)

    def hit_child(self, index, role, number, reasons):
        study = self.write_study(2)
        out = os.path.join(self.dir, "%s-%d" % (role, index))
        process = self.start("run", study, "--out", out)
        pid = self.pid_of(out, role, process)
        check(pid is not None, "no %s was started" % role)
        time.sleep(self.random.uniform(0, 0.3))
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
        code, words = self.finish(process)
        self.no_orphans()
        self.consistent(out)
        ended = self.rows(out, "SELECT state, reason FROM attempt")
        failed = [(s, r) for s, r in ended if s != "done"]
        for state, reason in failed:
            check(state in ("failed", "invalid") and reason.split(":")[0] in reasons,
                  "attempt ended as %s(%s): %s" % (state, reason, words))
        check(code == 0 or failed, "exit code %d without a failed attempt: %s" % (code, words))
        table = self.done(out)
        check(len(table) == 4, "%d rows instead of 4" % len(table))
        shutil.rmtree(out, ignore_errors=True)

    def interrupt(self, index, times):
        """Ctrl-C once ends cleanly and says how to go on; twice ends at once. Both can be resumed."""
        study = self.write_study(1)
        out = os.path.join(self.dir, "interrupt-%d-%d" % (times, index))
        process = self.start("run", study, "--out", out)
        pid = self.pid_of(out, "engine", process)
        check(pid is not None, "no engine was started")
        time.sleep(self.random.uniform(0, 0.3))
        for _ in range(times):
            process.send_signal(signal.SIGINT)
            time.sleep(0.02)
        code, words = self.finish(process)
        check(code in ((1,) if times == 1 else (1, 130)), "exit code %d: %s" % (code, words))
        if times == 1:
            check("perjoule resume" in words, "does not say how to go on: " + words)
            check(self.rows(out, "SELECT count(*) FROM attempt WHERE state='running'") == [(0,)],
                  "an attempt is still running after a clean stop")
        self.no_orphans()
        self.consistent(out)
        self.complete(out)
        shutil.rmtree(out, ignore_errors=True)

    def full_disk(self, index):
        """A disk that fills up ends the attempt as failed(disk); with room, resume completes."""
        study = self.write_study(1)
        disk = os.path.join(self.dir, "disk-%d" % index)
        out = os.path.join(disk, "out")
        os.mkdir(disk)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk], check=False,
                          stderr=subprocess.DEVNULL).returncode != 0:
            raise Skipped("mounting a small tmpfs is not allowed here")
        try:
            process = self.start("run", study, "--out", out)
            check(self.pid_of(out, "engine", process) is not None, "no engine was started")
            filler = os.path.join(disk, "filler")
            fd = os.open(filler, os.O_WRONLY | os.O_CREAT)
            try:
                while True:
                    os.write(fd, b"x" * 4096)
            except OSError:
                pass
            os.close(fd)
            code, words = self.finish(process)
            check(code == 1, "exit code %d: %s" % (code, words))
            check("disk is full" in words or "No space" in words, "does not say why: " + words)
            self.no_orphans()
            os.unlink(filler)
            self.complete(out)
        finally:
            subprocess.run(["umount", disk], check=False)

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)


ENGINE_REASONS = {"engine_died", "engine_start", "request_errors", "load", "timeout"}


def run_case(options, name, index, run):
    """What there is to say of a case, and whether it failed."""
    bench = Bench(options, name, index)
    what = "%s, instant %d" % (name, index + 1)
    try:
        run(bench, index)
    except Skipped as reason:
        return "ok", "%s # SKIP %s" % (what, reason)
    except Failed as error:
        lines = ["# " + line for line in str(error).splitlines()]
        return "not ok", "\n".join(["%s (seed %d)" % (what, options.seed), *lines])
    finally:
        bench.close()
    return "ok", what


def say(number, end):
    print("%s %d - %s" % (end[0], number, end[1]), flush=True)
    return end[0] != "ok"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.environ.get("PERJOULE_BUILD_ROOT"))
    parser.add_argument("--runner", type=int, default=30)
    parser.add_argument("--engine", type=int, default=10)
    parser.add_argument("--meter", type=int, default=10)
    parser.add_argument("--stop", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="so many cases side by side")
    parser.add_argument("--server")
    parser.add_argument("--model")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    if options.model is not None and not os.path.exists(options.model):
        print("1..0 # SKIP no model: run tools/fetch-model")
        return 0
    killed, stopped = signal.SIGKILL, signal.SIGSTOP
    meter = {"meter_lost", "meter_start"}
    kinds = [("SIGKILL of perjoule", options.runner, lambda b, i: b.kill_runner(i)),
             ("SIGKILL of the engine", options.engine,
              lambda b, i: b.hit_child(i, "engine", killed, ENGINE_REASONS)),
             ("SIGKILL of the meter", options.meter,
              lambda b, i: b.hit_child(i, "meter", killed, meter)),
             ("SIGSTOP of the engine", options.stop,
              lambda b, i: b.hit_child(i, "engine", stopped, ENGINE_REASONS)),
             ("SIGSTOP of the meter", options.stop,
              lambda b, i: b.hit_child(i, "meter", stopped, meter)),
             ("Ctrl-C, 1 times", options.stop, lambda b, i: b.interrupt(i, 1)),
             ("Ctrl-C, 2 times", options.stop, lambda b, i: b.interrupt(i, 2)),
             ("full disk", 0 if options.server else options.stop // 2, lambda b, i: b.full_disk(i))]
    cases = [(name, index, run) for name, n, run in kinds for index in range(n)]
    print("1..%d" % len(cases), flush=True)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        ends = pool.map(lambda case: run_case(options, *case), cases)
        return 1 if any([say(number, end) for number, end in enumerate(ends, 1)]) else 0


if __name__ == "__main__":
    sys.exit(main())
