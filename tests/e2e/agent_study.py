#!/usr/bin/python3
"""Studies over two processes: the same records as here, and nothing lost whoever is cut off.

    agent_study.py --build BUILD
"""
import argparse
import hashlib
import http.client
import http.server
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent_rig import COMMAND_STUDY, Failed, Proxy, Rig, Skipped, check, tap  # noqa: E402


class Liar:
    """Hands requests on to a real agent and changes what it says about finished jobs."""

    def __init__(self, port, token, lie):
        outer = self
        self.lie = lie

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
                asked = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                asked.request(self.command, self.path, body,
                              {"Authorization": "Bearer " + token,
                               "Content-Type": "application/json", "Connection": "close"})
                got = asked.getresponse()
                status, data = got.status, got.read()
                kind = got.getheader("Content-Type")
                asked.close()
                status, data = outer.bend(outer.lie, self.command, self.path, status, kind, data)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PUT = do_POST = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def bend(self, lie, method, path, status, kind, data):
        if "/files/" in path and lie == "bytes":
            return status, bytes([data[0] ^ 1]) + data[1:]
        if "/files/" in path and lie == "short":
            return status, data[:-1]
        if lie == "no room" and method == "PUT":
            return 507, json.dumps({"error": "disk_full", "message": "cannot write job.json"}).encode()
        if lie == "clock" and kind == "application/json":
            message = json.loads(data)
            if "clock" in message:
                message["clock"]["wall_ns"] += 5000000000
                message["clock"]["monotonic_ns"] -= 3000000000
            return status, json.dumps(message).encode()
        if method != "GET" or not path.startswith("/v1/jobs/") or kind != "application/json":
            return status, data
        if lie == "garbage":
            return status, b"<html>"
        if lie == "500":
            return 500, b"{}"
        message = json.loads(data)
        if message.get("state") != "finished":
            return status, data
        if lie == "room used up":
            message["outcome"] = {"state": "failed", "reason": "disk", "detail": "study.sqlite"}
            message["result"]["files"] = []
            text = "perjoule result 1\n%s\n%d\n%d\n%s\nfailed\ndisk\n" % tuple(
                message[k] for k in ("study", "trial", "attempt", "nonce"))
            message["result"]["digest"] = hashlib.sha256(text.encode()).hexdigest()
        elif lie == "name":
            message["result"]["files"][1]["name"] = "../../../x"
        elif isinstance(lie, dict):
            message.update(lie)
        return status, json.dumps(message).encode()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Witness(Liar):
    """Changes nothing; sees what the orchestrator has stored when it acknowledges, and takes half a
    second longer over one heartbeat of each attempt."""

    def __init__(self, rig, out):
        self.rig, self.out, self.stored, self.slow = rig, out, [], set()
        super().__init__(rig.port, rig.token(), None)

    def bend(self, lie, method, path, status, kind, data):
        attempt = path.split("/")[5] if path.startswith("/v1/jobs/") else None
        if path.endswith("/ack"):
            self.stored += self.rig.rows(
                self.out, "SELECT a.state, (SELECT count(*) FROM phase p WHERE p.attempt = a.id) "
                          "FROM attempt a WHERE a.id = ?", int(attempt))
        elif method == "GET" and attempt and attempt not in self.slow:
            self.slow.add(attempt)
            time.sleep(0.5)
        return status, data


class Study:
    def __init__(self, build):
        self.rig = Rig(build, tokens=30)
        self.reference = self.rig.path("local")

    def fresh_agent(self):
        rig = self.rig
        if rig.agent is None:
            rig.start_agent()
        return rig

    def wait_for(self, what, ready, deadline_s=20):
        end = time.monotonic() + deadline_s
        while not ready():
            check(time.monotonic() < end, "never: " + what)
            time.sleep(0.01)

    def attempts(self, out):
        try:
            return self.rig.rows(out, "SELECT trial, number, state, reason FROM attempt ORDER BY id")
        except Exception:  # it is being made
            return []

    def results(self):
        jobs = os.path.join(self.rig.state, "jobs")
        return [j for j in os.listdir(jobs) if os.path.exists(os.path.join(jobs, j, "result.json"))]

    # ---- cases ----

    def same_as_here(self):
        rig = self.fresh_agent()
        code, words = rig.do("run", rig.study("local.yaml", "local"), "--out", self.reference)
        check(code == 0, "local: %d: %s" % (code, words))
        out = rig.path("there")
        code, words = rig.do("run", rig.study("there.yaml", rig.executor()), "--out", out)
        check(code == 0, "agent: %d: %s" % (code, words))
        rig.as_undisturbed(self.reference, out)
        rig.no_orphans()

    def what_is_recorded(self):
        rig, out = self.rig, self.rig.path("there")
        facts = dict(rig.rows(out, "SELECT key, value FROM fact WHERE attempt IS NULL"))
        check(len(facts["agent.id"]) == 32, "no agent.id: %s" % facts)
        check(facts["agent.transport"] == "http over loopback", facts["agent.transport"])
        check("machine.arch" in facts and "orchestrator.machine.arch" in facts, str(sorted(facts)))
        for attempt, in rig.rows(out, "SELECT id FROM attempt"):
            own = dict(rig.rows(out, "SELECT key, value FROM fact WHERE attempt = ?", attempt))
            # one machine: both clocks are the same clock
            u_s = float(own["agent.clock_offset_u_s"])
            check(0 < u_s < 1, "u of the offset is %s" % u_s)
            check(abs(float(own["agent.monotonic_offset_s"])) <= u_s,
                  "offset %s with u %s" % (own["agent.monotonic_offset_s"], u_s))
            check(len(own["agent.result_sha256"]) == 64, "no digest")
        for folder, _, names in os.walk(out):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    check(rig.token().encode() not in file.read(), "the token is in " + name)
        check(os.stat(os.path.join(rig.state, "token")).st_mode & 0o777 == 0o600, "mode of token")

    def through(self, proxy, name, **times):
        out = self.rig.path(name)
        study = self.rig.study(name + ".yaml", self.rig.executor(port=proxy.port, **times))
        return out, self.rig.start("run", study, "--out", out)

    def network_cut(self):
        """Cut in the middle of a trial, for longer than it takes."""
        rig = self.fresh_agent()
        proxy = Proxy(rig.port)
        out, process = self.through(proxy, "cut")
        self.wait_for("a trial that runs", lambda: rig.named(rig.server[0]))
        proxy.cut = True
        self.wait_for("a result in the spool", self.results)
        time.sleep(0.5)
        proxy.cut = False
        code, words = rig.finish(process)
        proxy.close()
        check(code == 0, "%d: %s" % (code, words))
        check([a[1:3] for a in self.attempts(out)] == [(1, "done")] * 2, str(self.attempts(out)))
        rig.as_undisturbed(self.reference, out)

    def long_cut(self):
        """Half of lost_after, hundreds of heartbeats and more than a hundred answers' times: an hour
        at the defaults (2h, 2s, 10s), in small."""
        rig = self.fresh_agent()
        proxy = Proxy(rig.port)
        out, process = self.through(proxy, "long", heartbeat="10ms", reply="50ms", lost_after="16s")
        self.wait_for("a trial that runs", lambda: rig.named(rig.server[0]))
        proxy.cut = True
        time.sleep(8)
        check(process.poll() is None, "it gave up")
        check(len(self.results()) == 1, "the spool holds %s" % self.results())
        proxy.cut = False
        code, words = rig.finish(process)
        proxy.close()
        check(code == 0, "%d: %s" % (code, words))
        check([a[1:3] for a in self.attempts(out)] == [(1, "done")] * 2, str(self.attempts(out)))
        rig.as_undisturbed(self.reference, out)

    def cut_in_a_transfer(self):
        """Answers that break off in their middle, wherever that is: nothing is stored by halves."""
        rig = self.fresh_agent()
        proxy = Proxy(rig.port)
        draw = random.Random(7)
        out, process = self.through(proxy, "torn")
        self.wait_for("a trial that runs", lambda: rig.named(rig.server[0]))
        proxy.quotas = [int(10 ** draw.uniform(0, 4.3)) for _ in range(40)]
        code, words = rig.finish(process)
        broken = proxy.broken
        proxy.close()
        check(code == 0, "%d: %s" % (code, words))
        check(broken >= 10, "only %d answers broke" % broken)
        check([a[1:3] for a in self.attempts(out)] == [(1, "done")] * 2, str(self.attempts(out)))
        rig.as_undisturbed(self.reference, out)

    def network_lost(self):
        """Cut for longer than lost_after: failed, said, and what comes later is refused."""
        rig = self.fresh_agent()
        proxy = Proxy(rig.port)
        out, process = self.through(proxy, "lost", lost_after="500ms")
        self.wait_for("a trial that runs", lambda: rig.named(rig.server[0]))
        proxy.cut = True
        began = time.monotonic()
        code, words = rig.finish(process)
        took = time.monotonic() - began
        check(code == 1 and "does not answer" in words, "%d: %s" % (code, words))
        check("is asked again for" in words, "silent while it waits: " + words)
        check(took < 10, "it took %.1f s to notice" % took)
        check(self.attempts(out)[0][2:] == ("failed", "agent_lost"), str(self.attempts(out)))
        self.wait_for("a result in the spool", self.results)
        proxy.cut = False
        code, words = rig.do("resume", out)
        proxy.close()
        check(code == 0, "%d: %s" % (code, words))
        check("came too late and is refused" in words, "not said: " + words)
        rig.as_undisturbed(self.reference, out)

    def agent_restart(self):
        """kill -9 of the agent while it keeps a result that nobody could fetch yet."""
        rig = self.fresh_agent()
        proxy = Proxy(rig.port)
        out, process = self.through(proxy, "restart")
        self.wait_for("a trial that runs", lambda: rig.named(rig.server[0]))
        proxy.cut = True
        self.wait_for("a result in the spool", self.results)
        rig.end_agent(signal.SIGKILL)
        rig.start_agent()
        proxy.cut = False
        code, words = rig.finish(process)
        proxy.close()
        check(code == 0, "%d: %s" % (code, words))
        check([a[1:3] for a in self.attempts(out)] == [(1, "done")] * 2, str(self.attempts(out)))
        rig.as_undisturbed(self.reference, out)

    def spool_damaged(self):
        """A result that rots while it waits is not taken, and nobody waits for its return: also when
        it rots before the agent takes its digest (again)."""
        rig = self.fresh_agent()
        proxy = Proxy(rig.port)

        def rot(data):
            return data[:9] + bytes([data[9] ^ 4]) + data[10:]
        for name, damage, reason in (
                ("rotten", rot, "result_corrupt"), ("unsaid", rot, "result_corrupt"),
                ("shorter", lambda data: data[:9], "agent_discarded")):
            out, process = self.through(proxy, name)
            self.wait_for("a job", lambda: os.listdir(os.path.join(rig.state, "jobs")))
            proxy.cut = True
            self.wait_for("a result in the spool", self.results)
            job = os.path.join(rig.state, "jobs", self.results()[0])
            path = os.path.join(job, "work", "artefacts", "1", "trace.jsonl")
            if name == "unsaid":
                rig.end_agent(signal.SIGKILL)
                os.unlink(os.path.join(job, "result.json"))
            with open(path, "rb") as file:
                data = damage(file.read())
            with open(path, "wb") as file:
                file.write(data)
            if rig.agent is None:
                rig.start_agent()
            proxy.cut = False
            code, words = rig.finish(process)
            check(code == 0, "%d: %s" % (code, words))
            check([a[2:] for a in self.attempts(out)][0] == ("failed", reason),
                  str(self.attempts(out)))
            rig.as_undisturbed(self.reference, out)
        proxy.close()

    def orchestrator_restart(self):
        """kill -9 of the orchestrator: the trial goes on over there, and its result is taken over."""
        rig = self.fresh_agent()
        out = rig.path("orphan")
        process = rig.start("run", rig.study("orphan.yaml", rig.executor()), "--out", out)
        self.wait_for("a trial that runs", lambda: rig.named(rig.server[0]))
        process.kill()
        rig.finish(process)
        code, words = rig.do("status", out)
        check(code == 0 and "the testbed goes on" in words, "%d: %s" % (code, words))
        self.wait_for("a result in the spool", self.results)
        code, words = rig.do("resume", out)
        check(code == 0, "%d: %s" % (code, words))
        check([a[1:3] for a in self.attempts(out)] == [(1, "done")] * 2, str(self.attempts(out)))
        rig.as_undisturbed(self.reference, out)

    def extended(self):
        """More repetitions of a study that is done: the agent knows it still, and old rows stay."""
        rig = self.fresh_agent()
        out = rig.path("more")
        code, words = rig.do("run", rig.study("one.yaml", rig.executor()), "--out", out)
        check(code == 0, "%d: %s" % (code, words))
        query = "SELECT * FROM attempt ORDER BY id"
        before = rig.rows(out, query)
        code, words = rig.do("extend", out, rig.study("two.yaml", rig.executor(), 2))
        check(code == 0, "%d: %s" % (code, words))
        code, words = rig.do("resume", out)
        check(code == 0, "%d: %s" % (code, words))
        check(rig.rows(out, query)[:len(before)] == before, "attempts that were done changed")
        check([s for s, in rig.rows(out, "SELECT state FROM trial")] == ["done"] * 4, "not all done")
        code, words = rig.do("extend", out, rig.study("here.yaml", "local", 3))
        check(code == 2 and "'executor' differs" in words, "%d: %s" % (code, words))
        rig.spool_is_empty()

    def agent_stopped(self):
        """SIGTERM gives the trial back; it counts against nothing."""
        rig = self.fresh_agent()
        out = rig.path("stopped")
        process = rig.start("run", rig.study("stopped.yaml", rig.executor(), attempts=1), "--out",
                            out)
        self.wait_for("a trial that runs", lambda: rig.named(rig.server[0]))
        check(rig.end_agent() == 0, "exit code of the agent")
        rig.start_agent()
        code, words = rig.finish(process)
        check(code == 0, "%d: %s" % (code, words))
        check(("failed", "agent_stopped") in [a[2:] for a in self.attempts(out)],
              str(self.attempts(out)))
        rig.same_tables(self.reference, out)
        rig.spool_is_empty()

    def interrupt(self):
        """Ctrl-C ends the trial over there too."""
        rig = self.fresh_agent()
        out = rig.path("interrupt")
        process = rig.start("run", rig.study("interrupt.yaml", rig.executor()), "--out", out)
        self.wait_for("a trial that runs", lambda: rig.named(rig.server[0]))
        process.send_signal(signal.SIGINT)
        code, words = rig.finish(process)
        check(code == 1 and "perjoule resume" in words, "%d: %s" % (code, words))
        rig.no_orphans()
        rig.spool_is_empty()
        code, words = rig.do("resume", out)
        check(code == 0, "%d: %s" % (code, words))
        rig.same_tables(self.reference, out)

    def failures_come_home(self):
        rig = self.fresh_agent()
        text = COMMAND_STUDY.replace('["true"]', '["false"]')
        out = rig.path("false")
        code, words = rig.do("run", rig.study("false.yaml", rig.executor(), 1, 2, text), "--out", out)
        check(code == 1, "%d: %s" % (code, words))
        check([a[2:] for a in self.attempts(out)] == [("failed", "command_exit_1")] * 4,
              str(self.attempts(out)))

    def not_allowed(self):
        """What the testbed's owner did not list is refused before anything is made."""
        rig = self.fresh_agent()
        for old, new, word in [
                ('["true"]', '["sh", "-c", "touch here"]', "the run 'sh'"),
                ('["true"]', '["true", "--x"]', "the run 'true'"),
                ('kind: command, run: ["true"]', "kind: openai, base_url: http://127.0.0.1:1/v1, "
                 "model: m", "kind 'openai'")]:
            text = COMMAND_STUDY.replace(old, new)
            if "openai" in new:
                text += ("load: {{kind: closed, concurrency: 1}}\n"
                         "task: {{items: items.jsonl, prompt: x}}\n")
            code, words = rig.do("run", rig.study("no.yaml", rig.executor(), template=text),
                                 "--out", rig.path("no"))
            check(code == 2 and "does not allow" in words and word in words,
                  "%s: %d: %s" % (new, code, words))
            check(not os.path.exists(rig.path("no")), "a folder was made")
        text = rig.study("items.yaml", rig.executor())
        shutil.copy(rig.path("items.jsonl"), rig.path("other.jsonl"))
        with open(text, encoding="utf-8") as file:
            changed = file.read().replace("items.jsonl", "other.jsonl")
        code, words = rig.do("run", rig.write("items.yaml", changed), "--out", rig.path("no"))
        check(code == 2 and "the items 'other.jsonl'" in words, "%d: %s" % (code, words))

    def examples_of_a_task(self):
        """What is shown before the question is a file of the testbed's, by name, and the same one."""
        rig = self.fresh_agent()
        examples = '{"id": "e", "text": "an example", "answer": "yes"}\n'
        def study(name, folder=""):
            with open(rig.study("shots.yaml", rig.executor()), encoding="utf-8") as file:
                text = file.read().replace("items: items.jsonl",
                                           "items: items.jsonl\n  examples: %s\n  shots: 1" % name)
            return rig.write(folder + "shots.yaml",
                             text.replace("state/token", os.path.join(rig.state, "token")))
        for name in ("examples.jsonl", "elsewhere.jsonl"):
            rig.write(name, examples)
        out = rig.path("shots")
        code, words = rig.do("run", study("examples.jsonl"), "--out", out)
        check(code == 0, "%d: %s" % (code, words))
        for name in ("elsewhere.jsonl", rig.path("examples.jsonl")):
            code, words = rig.do("run", study(name), "--out", rig.path("no"))
            check(code == 2 and "does not allow the items" in words, "%d: %s" % (code, words))
        os.mkdir(rig.path("other"))
        shutil.copy(rig.path("items.jsonl"), rig.path("other/items.jsonl"))
        rig.write("other/examples.jsonl", examples.replace("yes", "no"))
        code, words = rig.do("run", study("examples.jsonl", "other/"), "--out", rig.path("no"))
        check(code == 2 and "the examples of task" in words, "%d: %s" % (code, words))
        rig.write("examples.jsonl", examples.replace("an example", "another"))
        code, words = rig.do("resume", out)
        check(code == 2 and "examples.jsonl changed since" in words, "%d: %s" % (code, words))
        rig.write("examples.jsonl", examples)

    def times_of_the_load(self):
        """The trace of an open loop is a file too: ours by name, and nobody else's."""
        rig = self.fresh_agent()
        rig.write("times.csv", "t\n0\n0.05\n0.1\n0.15\n")
        def study(name):
            with open(rig.study("trace.yaml", rig.executor()), encoding="utf-8") as file:
                text = file.read().replace('{kind: closed, concurrency: "${concurrency}"}',
                                           "{kind: trace, times: %s}" % name)
            return rig.write("trace.yaml", text)
        out = rig.path("trace")
        code, words = rig.do("run", study("times.csv"), "--out", out)
        check(code == 0, "%d: %s" % (code, words))
        shutil.copy(rig.path("times.csv"), rig.path("elsewhere.csv"))
        for name in ("elsewhere.csv", rig.path("times.csv")):
            code, words = rig.do("run", study(name), "--out", rig.path("no"))
            check(code == 2 and "does not allow the times" in words, "%d: %s" % (code, words))
        os.mkdir(rig.path("here"))
        shutil.copy(rig.path("items.jsonl"), rig.path("here/items.jsonl"))
        rig.write("here/times.csv", "t\n0\n0.05\n0.1\n0.2\n")
        with open(study("times.csv"), encoding="utf-8") as file:
            other = rig.write("here/trace.yaml", file.read().replace("state/token",
                                                                     rig.state + "/token"))
        code, words = rig.do("run", other, "--out", rig.path("no"))
        check(code == 2 and "not the same on both machines" in words, "%d: %s" % (code, words))

    def other_agents(self):
        rig = self.fresh_agent()
        study = rig.study("who.yaml", rig.executor(lost_after="300ms"), 1, 2, COMMAND_STUDY)
        out = rig.path("who")
        good = rig.token()
        with open(os.path.join(rig.state, "token"), "w", encoding="ascii") as file:
            file.write("0" * 64 + "\n")
        code, words = rig.do("run", study, "--out", out)
        check(code == 1 and "refuses our token" in words, "%d: %s" % (code, words))
        with open(os.path.join(rig.state, "token"), "w", encoding="ascii") as file:
            file.write(good + "\n")
        check(rig.do("run", study, "--out", out)[0] == 0, "with the right token")
        rig.end_agent()
        code, words = rig.do("run", study, "--out", rig.path("nobody"))
        check(code == 1 and "cannot connect" in words, "%d: %s" % (code, words))
        code, words = rig.do("resume", out)
        check(code == 1 and "has not answered" in words, "%d: %s" % (code, words))
        os.unlink(os.path.join(rig.state, "id"))
        rig.start_agent()
        code, words = rig.do("resume", out)
        check(code == 1 and "another agent" in words, "%d: %s" % (code, words))

    def lying_agents(self):
        """Answers about other jobs, with wrong digests, with names that lead elsewhere, or none."""
        rig = self.fresh_agent()
        real = rig.port
        for name, lie, reason in [
                ("another nonce", {"nonce": "0" * 32}, "agent_protocol"),
                ("another trial", {"trial": 2}, "agent_protocol"),
                ("another study", {"study": "f" * 32}, "agent_protocol"),
                ("no identity", {"nonce": None}, "agent_protocol"),
                ("another reason", {"outcome": {"state": "done", "reason": "x", "detail": ""}},
                 "agent_protocol"),
                ("a name that leads elsewhere", "name", "agent_protocol"),
                ("other bytes", "bytes", "result_corrupt"),
                ("fewer bytes", "short", "result_corrupt"),
                ("queued for ever", {"state": "queued"}, "agent_busy"),
                ("no JSON", "garbage", "agent_lost"),
                ("always 500", "500", "agent_lost")]:
            liar = Liar(real, rig.token(), lie)
            out = rig.path("liar")
            study = rig.study("liar.yaml", rig.executor(port=liar.port, lost_after="400ms",
                                                        heartbeat="30ms"), 1, 1,
                              COMMAND_STUDY.replace("trial: 10s", "trial: 1s")
                              if reason == "agent_busy" else COMMAND_STUDY)
            code, words = rig.do("run", study, "--out", out)
            liar.close()
            check(code == 1, "%s: %d: %s" % (name, code, words))
            check(self.attempts(out)[0][2:] == ("failed", reason),
                  "%s: %s: %s" % (name, self.attempts(out), words))
            rig.consistent(out)
            check(sorted(os.listdir(os.path.join(out, "incoming"))) == []
                  if os.path.isdir(os.path.join(out, "incoming")) else True, "leftovers")
            shutil.rmtree(out)
        self.wait_for("the agent to have ended what was discarded", lambda: not self.results())

    def testbed_is_full(self):
        """No room over there, before or in a trial: given back, said, counted against nothing."""
        rig = self.fresh_agent()
        for lie in ("no room", "room used up"):
            liar = Liar(rig.port, rig.token(), lie)
            out = rig.path(lie)
            study = rig.study("full.yaml", rig.executor(port=liar.port), 1, 1, COMMAND_STUDY)
            code, words = rig.do("run", study, "--out", out)
            check(code == 1 and "the testbed's disk is full" in words and "make room" in words and
                  "0 done, 0 failed, 0 invalid, 2 open" in words, "%d: %s" % (code, words))
            check(rig.rows(out, "SELECT reason, own_death FROM attempt") == [("disk", 1)], words)
            liar.lie = None
            code, words = rig.do("resume", out)
            check(code == 0 and "2 done" in words, "%d: %s" % (code, words))
            liar.close()
            rig.spool_is_empty()

    def testbed_changes(self):
        """The owner takes the engine out of the configuration, or the items are others now."""
        rig = self.fresh_agent()
        with open(rig.policy, encoding="utf-8") as file:
            policy = file.read()
        with open(rig.path("items.jsonl"), encoding="utf-8") as file:
            items = file.read()
        rig.write("testbed.jsonl", items)
        policy = policy.replace('"items.jsonl": "items', '"items.jsonl": "testbed')
        rig.write("agent.yaml", policy)
        rig.end_agent()
        rig.start_agent()
        for name, change, word in (
                ("forbidden", lambda: rig.write("agent.yaml", policy.replace('"number"', '["9"]')),
                 "does not allow the slots"),
                ("other items", lambda: rig.write("testbed.jsonl", items + "\n"),
                 "not the same on both machines")):
            out = rig.path(name)
            process = rig.start("run", rig.study("change.yaml", rig.executor(), 1, 1), "--out", out)
            self.wait_for("a trial that runs", lambda: rig.named(rig.server[0]))
            rig.end_agent()
            change()
            rig.start_agent()
            code, words = rig.finish(process)
            check(code == 1 and word in words and "0 done, 0 failed, 0 invalid, 2 open" in words and
                  "the agent refuses the trials" in words, "%d: %s" % (code, words))
            check(self.attempts(out)[-1][3] == "agent_refused", str(self.attempts(out)))
            rig.write("agent.yaml", policy)
            rig.write("testbed.jsonl", items)
            rig.end_agent()
            rig.start_agent()
            code, words = rig.do("resume", out)
            check(code == 0 and "2 done" in words, "%d: %s" % (code, words))
            rig.same_tables(self.reference, out)
            rig.spool_is_empty()

    def clocks_that_differ(self):
        """Five seconds ahead by the wall, three behind since boot: found within the stated u."""
        rig = self.fresh_agent()
        liar = Liar(rig.port, rig.token(), "clock")
        out = rig.path("clock")
        study = rig.study("clock.yaml", rig.executor(port=liar.port), 1, 1, COMMAND_STUDY)
        code, words = rig.do("run", study, "--out", out)
        liar.close()
        check(code == 0, "%d: %s" % (code, words))
        for attempt, in rig.rows(out, "SELECT id FROM attempt"):
            own = dict(rig.rows(out, "SELECT key, value FROM fact WHERE attempt = ?", attempt))
            u_s = float(own["agent.clock_offset_u_s"])
            check(abs(float(own["agent.clock_offset_s"]) - 5) <= u_s < 1, str(own))
            check(abs(float(own["agent.monotonic_offset_s"]) + 3) <= u_s, str(own))
            # windows are of the testbed's clock as they were measured: no offset is in them
            with open(os.path.join(out, "artefacts", str(attempt), "trace.jsonl"),
                      encoding="utf-8") as file:
                t_ns = [json.loads(line)["t_ns"] for line in file]
            for start_ns, end_ns in rig.rows(out, "SELECT start_ns, end_ns FROM phase WHERE "
                                                  "attempt = ?", attempt):
                check(t_ns[0] <= start_ns <= end_ns <= t_ns[-1], "a phase outside of its trace")

    def another_time(self):
        """A testbed that was booted ten days earlier than this machine (time_namespaces(7))."""
        rig, ahead_s = self.rig, 864000
        under = ["unshare", "--time", "--monotonic", str(ahead_s), "--boottime", str(ahead_s),
                 "--fork", "--kill-child"]
        if shutil.which("unshare") is None or subprocess.run(
                [*under, "true"], capture_output=True, check=False).returncode != 0:
            raise Skipped("no time namespace for this user")
        rig.end_agent()
        rig.start_agent(under=under)
        out = rig.path("another time")
        began_ns = time.monotonic_ns()
        code, words = rig.do("run", rig.study("time.yaml", rig.executor()), "--out", out)
        ended_ns = time.monotonic_ns()
        check(code == 0, "%d: %s" % (code, words))
        for attempt, in rig.rows(out, "SELECT id FROM attempt"):
            own = dict(rig.rows(out, "SELECT key, value FROM fact WHERE attempt = ?", attempt))
            u_s = float(own["agent.clock_offset_u_s"])
            check(abs(float(own["agent.monotonic_offset_s"]) - ahead_s) <= u_s < 1, str(own))
            check(abs(float(own["agent.clock_offset_s"])) <= u_s, str(own))
        for start_ns, end_ns in rig.rows(out, "SELECT start_ns, end_ns FROM phase"):
            check(began_ns < start_ns - ahead_s * 10**9 <= end_ns - ahead_s * 10**9 < ended_ns,
                  "a phase that is not of the testbed's clock")
        rig.as_undisturbed(self.reference, out)
        code, words = rig.do("report", out)
        check(code in (0, 3), "%d: %s" % (code, words))
        code, words = rig.do("verify", os.path.join(out, "report"), out)
        check(code == 0, "%d: %s" % (code, words))
        rig.end_agent(signal.SIGKILL)

    def stored_before_acknowledged(self):
        rig = self.fresh_agent()
        out = rig.path("witness")
        witness = Witness(rig, out)
        study = rig.study("witness.yaml", rig.executor(port=witness.port), 1, 1, COMMAND_STUDY)
        code, words = rig.do("run", study, "--out", out)
        witness.close()
        check(code == 0, "%d: %s" % (code, words))
        check(len(witness.stored) == 2 and all(state == "done" and phases > 0
                                               for state, phases in witness.stored),
              "acknowledged when the store had: %s" % witness.stored)
        # the shortest round trip says most of the clock
        u_s = [float(u) for u, in rig.rows(out, "SELECT value FROM fact WHERE key = "
                                                "'agent.clock_offset_u_s'")]
        check(len(u_s) == 2 and max(u_s) < 0.25, "u of the clock's offset: %s" % u_s)

    def wrong_executors(self):
        rig = self.rig
        for text, word in [
                ("elsewhere", "must be local or agent"),
                ("{kind: agent, url: ftp://x:1}", "must begin with"),
                ("{kind: agent, url: 'http://testbed:7411'}", "unencrypted"),
                ("{kind: agent, heartbeat: 1us}", "heartbeat"),
                ("{kind: agent, tokenfile: x}", "did you mean 'token_file'"),
                ("{kind: agent, token_file: x, token_env: Y}", "not both"),
                ("{kind: local, url: 'http://127.0.0.1:1'}", "no further keys")]:
            code, words = rig.do("check", rig.study("wrong.yaml", text))
            check(code == 2 and word in words, "%s: %d: %s" % (text, code, words))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.environ.get("PERJOULE_BUILD_ROOT"))
    study = Study(parser.parse_args().build)
    try:
        return tap([
            ("the same study here and there gives the same tables", study.same_as_here),
            ("agent, clocks and both machines are recorded, the token is not", study.what_is_recorded),
            ("a network cut loses nothing", study.network_cut),
            ("neither does one that is long against every time constant", study.long_cut),
            ("answers that break off lose nothing", study.cut_in_a_transfer),
            ("a lost agent fails the attempt; a late result is refused", study.network_lost),
            ("an agent killed with a result in its spool loses nothing", study.agent_restart),
            ("a result damaged in the spool is not taken", study.spool_damaged),
            ("an orchestrator killed during a trial takes its result over", study.orchestrator_restart),
            ("a study that is extended goes on there", study.extended),
            ("an agent that is stopped gives its trial back", study.agent_stopped),
            ("Ctrl-C ends the trial on the testbed", study.interrupt),
            ("failures have the reasons that they have here", study.failures_come_home),
            ("what is not allowed is refused before anything is made", study.not_allowed),
            ("examples come from the testbed's own file", study.examples_of_a_task),
            ("the times of the load come from the testbed's own file", study.times_of_the_load),
            ("a wrong token, no agent, another agent", study.other_agents),
            ("an agent that lies is not believed", study.lying_agents),
            ("a full testbed stops the run and costs no attempt", study.testbed_is_full),
            ("a testbed that changes stops the run and costs no attempt", study.testbed_changes),
            ("clocks that differ are measured, and no window moves", study.clocks_that_differ),
            ("a testbed with another clock since boot gives the same tables", study.another_time),
            ("what is acknowledged is stored", study.stored_before_acknowledged),
            ("wrong executors are named by check", study.wrong_executors),
        ])
    finally:
        study.rig.close()


if __name__ == "__main__":
    sys.exit(main())
