"""An agent, studies for it, and a network between them that can be cut: for tests in Python."""
import hashlib
import http.client
import json
import os
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import uuid

STUDY = """\
study: two-machines
question: Is it the same over there?
factors:
  concurrency: [1, 2]
repetitions: {repetitions}
order: {{seed: 7}}
engine:
  kind: llamacpp
  server: {server}
  model: {model}
  slots: 2
  context: 256
  threads: 1
load: {{kind: closed, concurrency: "${{concurrency}}"}}
task:
  name: energy
  items: items.jsonl
  prompt: "{{text}}"
  gold: answer
  max_tokens: {tokens}
phases: {{warmup: 0s, idle: 0s, cooldown: 0s}}
limits: {{engine_start: 5s, request: 2s, trial: 10s, engine_stop: 500ms, meter: 1s, attempts: {attempts}}}
gates: {{cpu_thief: 1, steal_time: 1, send_lag: 1}}
executor: {executor}
"""
COMMAND_STUDY = """\
study: simulated
factors: {{n: [a, b]}}
repetitions: {repetitions}
engine: {{kind: command, run: ["true"]}}
limits: {{trial: 10s, engine_stop: 500ms, meter: 1s, attempts: {attempts}}}
gates: {{cpu_thief: 1, steal_time: 1, send_lag: 1}}
executor: {executor}
"""


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def check(condition, words):
    if not condition:
        raise Failed(words)


class Proxy:
    """A TCP connection that can be cut: while cut, what is open is closed and nothing new gets in.
    quotas: so many bytes of answers get through before it breaks, for one connection after the other."""

    def __init__(self, port):
        self.to, self.cut, self.dead = port, False, False
        self.pairs = []
        self.quotas, self.left, self.broken = [], None, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def drop(self, pair):
        self.pairs.remove(pair)
        for s in pair:
            s.close()

    def allow(self, pair, data):
        """False: this is where it breaks; what the quota still holds has been passed on."""
        if self.left is None and self.quotas:
            self.left = self.quotas.pop(0)
        if self.left is None:
            return True
        if len(data) <= self.left:
            self.left -= len(data)
            return True
        pair[0].sendall(data[:self.left])
        self.left, self.broken = None, self.broken + 1
        return False

    def run(self):
        while not self.dead:
            if self.cut:
                for pair in list(self.pairs):
                    self.drop(pair)
            socks = [self.listener] + [s for pair in self.pairs for s in pair]
            try:
                ready = select.select(socks, [], [], 0.01)[0]
            except (OSError, ValueError):
                continue
            for s in ready:
                if s is self.listener:
                    client = s.accept()[0]
                    if self.cut:
                        client.close()
                        continue
                    try:
                        self.pairs.append((client, socket.create_connection(("127.0.0.1", self.to))))
                    except OSError:
                        client.close()
                    continue
                pair = next((p for p in self.pairs if s in p), None)
                if pair is None:
                    continue
                try:
                    data = s.recv(65536)
                    if not data:
                        raise OSError
                    if s is pair[1] and not self.allow(pair, data):
                        raise OSError
                    pair[1 if s is pair[0] else 0].sendall(data)
                except OSError:
                    self.drop(pair)

    def close(self):
        self.dead = True
        self.thread.join()
        self.cut = True
        for pair in list(self.pairs):
            self.drop(pair)
        self.listener.close()


class Rig:
    def __init__(self, build, tokens=20, server_args=()):
        self.build = os.path.abspath(build)
        self.perjoule = os.path.join(self.build, "src", "cli", "perjoule")
        self.dir = tempfile.mkdtemp(prefix="perjoule-agent-")
        self.mark = uuid.uuid4().hex
        self.tokens = tokens
        self.server = [os.path.join(self.build, "tests", "stub", "stub_server"), "--ttft-ms", "5",
                       "--itl-ms", "4", *server_args]
        self.model = os.path.join(self.dir, "model.gguf")
        self.write("model.gguf", "a model that the stub does not read")
        self.write("items.jsonl", "".join(
            json.dumps({"id": str(i), "text": "item %d goes" % i, "answer": "yes"}) + "\n"
            for i in range(4)))
        self.state = os.path.join(self.dir, "state")
        self.policy = self.write("agent.yaml", json.dumps({
            "engines": [{"kind": "llamacpp", "server": [self.server], "model": [self.model],
                         "slots": "number", "context": "number", "threads": "number"},
                        {"kind": "command", "run": [["true"], ["false"]]}],
            "tasks": {"items.jsonl": "items.jsonl", "examples.jsonl": "examples.jsonl"},
            "times": {"times.csv": "times.csv"}}))
        self.agent = None
        self.port = 0
        self.log = ""

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def env(self):
        return dict(os.environ, PERJOULE_TEST_MARK=self.mark,
                    PERJOULE_LIBEXEC=os.path.dirname(self.perjoule))

    # ---- the agent ----

    def start_agent(self, *args, listen=None, wait=True, under=()):
        """The same port after a restart, so that an orchestrator finds it again. under: a program
        that starts it."""
        port_file = os.path.join(self.dir, "port")
        if os.path.exists(port_file):
            os.unlink(port_file)
        self.agent_log = open(os.path.join(self.dir, "agent.log"), "ab")
        self.agent = subprocess.Popen(
            [*under, self.perjoule, "agent", "--config", self.policy, "--state", self.state, "--listen",
             listen or "127.0.0.1:%d" % self.port, "--port-file", port_file, *args],
            env=self.env(), cwd=self.dir, stdin=subprocess.DEVNULL, stdout=self.agent_log,
            stderr=subprocess.STDOUT, start_new_session=True)
        self.agent_log.close()
        end = time.monotonic() + 20
        while wait and not os.path.exists(port_file):
            check(self.agent.poll() is None and time.monotonic() < end,
                  "the agent does not start: " + self.agent_words())
            time.sleep(0.01)
        if wait:
            with open(port_file, encoding="ascii") as file:
                self.port = int(file.read())
        return self.agent

    def agent_words(self):
        with open(os.path.join(self.dir, "agent.log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def end_agent(self, number=signal.SIGTERM):
        if self.agent is None:
            return None
        try:
            os.kill(self.agent.pid, signal.SIGCONT)
            os.kill(self.agent.pid, number)
        except ProcessLookupError:
            pass
        try:
            code = self.agent.wait(30)
        except subprocess.TimeoutExpired:
            self.agent.kill()
            self.agent.wait()
            raise Failed("the agent does not end") from None
        self.agent = None
        return code

    def token(self):
        with open(os.path.join(self.state, "token"), encoding="ascii") as file:
            return file.read().strip()

    # ---- studies ----

    def executor(self, port=None, heartbeat="100ms", reply="2s", lost_after="20s"):
        return ("{kind: agent, url: http://127.0.0.1:%d, token_file: state/token, heartbeat: %s, "
                "reply: %s, lost_after: %s}" % (port or self.port, heartbeat, reply, lost_after))

    def study(self, name, executor, repetitions=1, attempts=5, template=None):
        return self.write(name, (template or STUDY).format(
            server=json.dumps(self.server), model=json.dumps(self.model), tokens=self.tokens,
            repetitions=repetitions, attempts=attempts, executor=executor))

    def start(self, *args):
        return subprocess.Popen([self.perjoule, *args], env=self.env(), cwd=self.dir,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, start_new_session=True)

    def finish(self, process, deadline_s=120):
        try:
            words, _ = process.communicate(timeout=deadline_s)
        except subprocess.TimeoutExpired:
            process.kill()
            words, _ = process.communicate()
            raise Failed("hangs:\n" + words.decode(errors="replace")) from None
        return process.returncode, words.decode(errors="replace")

    def do(self, *args, deadline_s=120):
        return self.finish(self.start(*args), deadline_s)

    def path(self, name):
        return os.path.join(self.dir, name)

    def rows(self, out, query, *values):
        """Of a copy: reading must not touch what a crash left."""
        copy = os.path.join(self.dir, "copy-" + uuid.uuid4().hex)
        os.mkdir(copy)
        for name in os.listdir(out):
            if name.startswith("study.sqlite"):
                shutil.copy(os.path.join(out, name), copy)
        db = sqlite3.connect(os.path.join(copy, "study.sqlite"))
        try:
            return db.execute(query, values).fetchall()
        finally:
            db.close()
            shutil.rmtree(copy)

    def table(self, out):
        """What must be the same wherever, and however often, a study was cut off: everything that
        is not a measured quantity (nor missing because a window was too short for it, as the split into
        prefill and decode often is here)."""
        last = "(SELECT trial, max(number) AS n FROM attempt GROUP BY trial)"
        of = "FROM attempt a JOIN %s m ON m.trial = a.trial AND m.n = a.number" % last
        return {
            "trials": self.rows(out, "SELECT id, cell, block, repetition, state, reason FROM trial "
                                     "ORDER BY id"),
            "phases": self.rows(out, "SELECT a.trial, p.name, p.task %s JOIN phase p ON "
                                     "p.attempt = a.id ORDER BY a.trial, p.id" % of),
            "requests": self.rows(out, "SELECT a.trial, r.phase, r.task, r.sequence, r.item, "
                                       "r.prompt_tokens, r.output_tokens, r.finish, r.text_sha256, "
                                       "r.error %s JOIN request r ON r.attempt = a.id "
                                       "ORDER BY a.trial, r.id" % of),
            "answers": self.rows(out, "SELECT a.trial, w.task, w.item, w.answer, w.correct %s JOIN "
                                      "answer w ON w.attempt = a.id ORDER BY a.trial, w.item" % of),
            "energies": self.rows(out, "SELECT a.trial, e.phase, e.task, e.name, e.domain, "
                                       "e.members, e.origin %s JOIN energy e ON e.attempt = a.id "
                                       "AND e.phase NOT IN ('prefill', 'decode', 'rest', 'between') "
                                       "ORDER BY a.trial, e.id" % of),
            "metrics": self.rows(out, "SELECT a.trial, m2.task, m2.name, m2.value IS NULL %s JOIN "
                                      "metric m2 ON m2.attempt = a.id AND m2.name <> "
                                      "'utilisation_share' AND m2.name NOT LIKE 'prefill%%' AND "
                                      "m2.name NOT LIKE 'decode%%' AND "
                                      "m2.name NOT LIKE 'slices%%' AND "
                                      "m2.name <> 'base_power_w' ORDER BY a.trial, m2.id" % of),
            "artefacts": self.rows(out, "SELECT a.trial, f.name, f.sha256 IS NULL %s JOIN artefact "
                                        "f ON f.attempt = a.id ORDER BY a.trial, f.id" % of),
        }

    def same_tables(self, a, b):
        one, two = self.table(a), self.table(b)
        for name in one:
            check(one[name] == two[name],
                  "%s differ: %r … %r" % (name, [r for r in one[name] if r not in two[name]][:3],
                                          [r for r in two[name] if r not in one[name]][:3]))
        check(len(one["trials"]) > 0 and len(one["metrics"]) > 0, "the tables are empty")

    def as_undisturbed(self, reference, out):
        """Whatever happened: the tables of a study that was left alone, sound, and nothing unfetched."""
        self.same_tables(reference, out)
        self.consistent(out)
        self.spool_is_empty()

    def consistent(self, out):
        check(self.rows(out, "PRAGMA integrity_check") == [("ok",)], "integrity_check fails")
        check(self.rows(out, "PRAGMA foreign_key_check") == [], "foreign_key_check fails")
        for attempt, name, size_b, sha256 in self.rows(
                out, "SELECT attempt, name, size_b, sha256 FROM artefact WHERE sha256 IS NOT NULL"):
            with open(os.path.join(out, "artefacts", str(attempt), name), "rb") as file:
                data = file.read()
            check(len(data) == size_b and hashlib.sha256(data).hexdigest() == sha256,
                  "artefact %s of attempt %d is not what its digest says" % (name, attempt))

    def spool_is_empty(self, deadline_s=10):
        end = time.monotonic() + deadline_s
        while os.listdir(os.path.join(self.state, "jobs")) and time.monotonic() < end:
            time.sleep(0.05)
        left = os.listdir(os.path.join(self.state, "jobs"))
        check(not left, "the agent still keeps %s" % left)

    # ---- processes ----

    def ours(self):
        """Pids that carry our mark in their environment, without those of zombies."""
        found = []
        for name in os.listdir("/proc"):
            if not name.isdigit() or int(name) == os.getpid():
                continue
            try:
                with open("/proc/%s/environ" % name, "rb") as file:
                    if self.mark.encode() not in file.read():
                        continue
                with open("/proc/%s/stat" % name, encoding="utf-8", errors="replace") as file:
                    if file.read().rsplit(")", 1)[1].split()[0] not in "ZX":
                        found.append(int(name))
            except OSError:
                pass
        return found

    def named(self, word):
        """Pids of ours whose command line has the word."""
        found = []
        for pid in self.ours():
            try:
                with open("/proc/%d/cmdline" % pid, "rb") as file:
                    if word.encode() in file.read().split(b"\0"):
                        found.append(pid)
            except OSError:
                pass
        return found

    def no_orphans(self, deadline_s=10):
        """Nothing but the agent itself is left."""
        end = time.monotonic() + deadline_s
        keep = {self.agent.pid} if self.agent is not None else set()
        left = [p for p in self.ours() if p not in keep]
        while left and time.monotonic() < end:
            time.sleep(0.05)
            left = [p for p in self.ours() if p not in keep]
        check(not left, "left running: %s" % left)

    def close(self):
        for pid in self.ours():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        shutil.rmtree(self.dir, ignore_errors=True)

    # ---- the API, by hand ----

    def ask(self, method, path, body=None, token=None, headers=None, timeout=10, raw=None):
        """(status, headers, body): parsed where it is JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        sent = {}
        if token is not False:
            sent["Authorization"] = "Bearer " + (self.token() if token is None else token)
        data = raw
        if body is not None:
            data = json.dumps(body)
        if data is not None:
            sent["Content-Type"] = "application/json"
        sent.update(headers or {})
        try:
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            text = answer.read()
            kind = answer.getheader("Content-Type", "")
            return answer.status, kind, json.loads(text) if kind == "application/json" else text
        finally:
            connection.close()


def tap(cases):
    """Runs (name, function) pairs; the exit code."""
    print("1..%d" % len(cases), flush=True)
    bad = 0
    for number, (name, run) in enumerate(cases, 1):
        try:
            run()
            print("ok %d - %s" % (number, name), flush=True)
        except Skipped as why:
            print("ok %d - %s # SKIP %s" % (number, name, why), flush=True)
        except Failed as error:
            bad += 1
            print("not ok %d - %s" % (number, name))
            for line in str(error).splitlines():
                print("# " + line, flush=True)
    return 1 if bad else 0
