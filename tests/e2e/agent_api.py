#!/usr/bin/python3
"""The agent's API: held against docs/agent-openapi.json, and what a stranger or a broken client gets.

    agent_api.py --build BUILD
"""
import argparse
import hashlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent_rig import COMMAND_STUDY, STUDY, Rig, check, tap  # noqa: E402

ROOT = os.environ.get("PERJOULE_SOURCE_ROOT") or os.path.join(os.path.dirname(__file__), "..", "..")
SLEEPER = COMMAND_STUDY.replace('["true"]', '["sleep", "1"]')
WITH_TASK = COMMAND_STUDY.format(repetitions=1, attempts=1, executor="local").replace(
    'run: ["true"]', 'protocol: jsonl, run: ["true"]') + "task: {items: items.jsonl, prompt: x}\n"
LIMITS = ("--header-limit", "1s", "--body-limit", "1s", "--reply-limit", "1s", "--per-address", "6")
# what no client can bring about at will
NOT_PROVOKED = {"500", "507"}


class Api:
    """Checks every answer against the OpenAPI file and remembers what was seen."""

    def __init__(self, rig):
        with open(os.path.join(ROOT, "docs", "agent-openapi.json"), encoding="utf-8") as file:
            self.spec = json.load(file)
        self.rig = rig
        self.seen = set()

    def operations(self):
        for path, item in self.spec["paths"].items():
            for method in ("get", "put", "post", "delete"):
                if method in item:
                    yield path, method, item[method]

    def resolve(self, schema):
        while "$ref" in schema:
            schema = self.spec["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        return schema

    def validate(self, value, schema, where):
        schema = self.resolve(schema)
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        names = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
        good = not kinds
        for kind in kinds:
            if kind in ("integer", "number"):
                good |= isinstance(value, int if kind == "integer" else (int, float)) \
                    and not isinstance(value, bool)
            else:
                good |= isinstance(value, names[kind])
        check(good, "%s is no %s: %r" % (where, kinds, value))
        check("enum" not in schema or value in schema["enum"], "%s: %r" % (where, value))
        check("pattern" not in schema or re.search(schema["pattern"], value),
              "%s: %r" % (where, value))
        check("minimum" not in schema or value >= schema["minimum"], "%s: %r" % (where, value))
        if isinstance(value, dict):
            props, more = schema.get("properties", {}), schema.get("additionalProperties", True)
            for key in schema.get("required", []):
                check(key in value, "%s lacks %s" % (where, key))
            for key, item in value.items():
                check(key in props or more is not False, "%s has %s" % (where, key))
                if key in props or isinstance(more, dict):
                    self.validate(item, props.get(key, more), where + "." + key)
        if isinstance(value, list) and "items" in schema:
            for i, item in enumerate(value):
                self.validate(item, schema["items"], "%s[%d]" % (where, i))

    def find(self, method, path):
        for shown, verb, operation in self.operations():
            pattern = re.sub(r"\{[a-z]+\}", "[^/]+", shown)
            if verb == method.lower() and re.fullmatch(pattern, path.split("?")[0]):
                return shown, operation
        return None, None

    def ask(self, method, path, body=None, **more):
        """An answer to a documented request must be documented itself."""
        status, kind, answer = self.rig.ask(method, path, body, **more)
        shown, operation = self.find(method, path)
        check(operation is not None, "%s %s is not documented" % (method, path))
        check(str(status) in operation["responses"],
              "%s %s: status %d is not documented: %r" % (method, shown, status, answer))
        self.seen.add((shown, method.lower(), str(status)))
        content = operation["responses"][str(status)]["content"]
        check(kind in content, "%s %s: content type %s" % (method, shown, kind))
        if "schema" in content[kind]:
            self.validate(answer, content[kind]["schema"], "%s %s %d" % (method, shown, status))
        return status, answer

    def unseen(self):
        return sorted((p, m, s) for p, m, o in self.operations() for s in o["responses"]
                      if s not in NOT_PROVOKED and (p, m, s) not in self.seen)


class Suite:
    def __init__(self, build):
        self.rig = Rig(build)
        with open(self.rig.policy, encoding="utf-8") as file:
            policy = json.load(file)
        policy["engines"][1]["run"] += [["sleep", "1"], ["sleep", "5"], ["head", "-c", "30000000",
                                                                        "/dev/zero"]]
        self.rig.write("agent.yaml", json.dumps(policy))
        self.rig.start_agent(*LIMITS)
        self.api = Api(self.rig)
        self.study = uuid.uuid4().hex
        self.attempt = 0

    # ---- helpers ----

    def job(self, text=SLEEPER, **changes):
        """(path, body) of a new attempt."""
        self.attempt += 1
        nonce = uuid.uuid4().hex
        body = {"study": self.study, "trial": 1, "attempt": self.attempt, "nonce": nonce,
                "study_file": text.format(repetitions=1, attempts=1, executor="local"),
                "items": [], "levels": ["a"], "cell": 0, "block": 1, "repetition": 1}
        body.update(changes)
        return "/v1/jobs/%s/1/%d/%s" % (self.study, self.attempt, nonce), body

    def finished(self, path, deadline_s=20):
        end = time.monotonic() + deadline_s
        while True:
            status, answer = self.api.ask("GET", path)
            check(status == 200, str(answer))
            if answer["state"] == "finished":
                return answer
            check(time.monotonic() < end, "it does not finish: %s" % answer)
            time.sleep(0.02)

    def identity(self, body):
        return {k: body[k] for k in ("study", "trial", "attempt", "nonce")}

    def snapshot(self):
        """Everything in the agent's state folder and beside it."""
        out = {}
        for folder, _, names in os.walk(self.rig.dir):
            for name in names:
                path = os.path.join(folder, name)
                if name != "agent.log":
                    info = os.stat(path)
                    out[path] = (info.st_size, info.st_mtime_ns, info.st_ino)
        return out

    def unchanged(self, run):
        before = self.snapshot()
        run()
        check(self.snapshot() == before, "something changed")
        status, answer = self.api.ask("GET", "/v1/agent")
        check(status == 200 and not answer["running"] and answer["queued"] == 0, str(answer))

    def raw(self, data, timeout=5, source=None):
        """Bytes in, bytes out until the agent closes or says nothing for a while."""
        s = socket.create_connection(("127.0.0.1", self.rig.port), timeout=timeout,
                                     source_address=source and (source, 0))
        out = b""
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while True:
                piece = s.recv(65536)
                if not piece:
                    break
                out += piece
        except OSError:
            pass
        s.close()
        return out

    # ---- cases ----

    def routes(self):
        code, words = self.rig.do("agent", "--routes")
        check(code == 0, words)
        spec = {"%s %s" % (m.upper(), p) for p, m, _ in self.api.operations()}
        check(set(words.split("\n")) - {""} == spec, "%s\nvs\n%s" % (words, sorted(spec)))
        # codes are what programs decide by: all that the code can say, and no others
        said = {"malformed", "too_large"}
        with open(os.path.join(ROOT, "src", "agent", "api.c"), encoding="utf-8") as file:
            for call in re.findall(r"\brefuse\((.*?)\);", file.read(), re.S):
                said |= set(re.findall(r'"([a-z_]+)"', call))
        listed = self.api.spec["components"]["schemas"]["Error"]["properties"]["error"]["enum"]
        check(said == set(listed), "codes: %s" % sorted(said ^ set(listed)))

    def life_of_a_job(self):
        ask = self.api.ask
        path, body = self.job()
        check(ask("GET", path)[0] == 404, "unknown before")
        check(ask("GET", path + "/files/0")[0] == 404, "no file before")
        check(ask("PUT", path, body)[0] == 201, "accepted")
        check(ask("PUT", path, body)[0] == 200, "the same again")
        check(ask("POST", path + "/ack", dict(self.identity(body), digest="0" * 64))[0] == 409,
              "not finished")
        queued, queued_body = self.job()
        time.sleep(0.2)  # the first one is picked up
        check(ask("PUT", queued, queued_body)[0] == 201, "one waits")
        third, third_body = self.job()
        check(ask("PUT", third, third_body)[0] == 429, "two do not")
        check(ask("GET", "/v1/studies/%s/jobs" % self.study)[1]["jobs"][1]["state"] == "queued",
              "listed")
        check(ask("DELETE", queued)[0] == 200, "what waits is gone at once")
        check(ask("DELETE", queued)[0] == 410, "twice")
        for method, tail in (("GET", ""), ("GET", "/files/0")):
            check(ask(method, queued + tail)[0] == 410, "gone")
        check(ask("POST", queued + "/ack", dict(self.identity(queued_body), digest="0" * 64))[0]
              == 410, "gone")
        check(ask("PUT", queued, queued_body)[0] == 410, "never again")
        answer = self.finished(path)
        check(answer["outcome"] == {"state": "done", "reason": "", "detail": ""}, str(answer))
        for i, file in enumerate(answer["result"]["files"]):
            status, data = ask("GET", "%s/files/%d" % (path, i))
            check(status == 200 and hashlib.sha256(data).hexdigest() == file["sha256"], str(file))
            if file["size_b"] >= 7:
                part = ask("GET", "%s/files/%d?offset=3&length=4" % (path, i))[1]
                check(part == data[3:7], "a part of " + str(file))
        for tail in ("?offset=-1", "?offset=999999999", "?length=5000000", "?offset=x"):
            check(ask("GET", path + "/files/0" + tail)[0] == 416, tail)
        check(ask("GET", path + "/files/99")[0] == 404, "no such file")
        check(ask("POST", path + "/ack", dict(self.identity(body), digest="0" * 64))[0] == 409,
              "a wrong digest")
        check(self.finished(path)["result"] == answer["result"], "it is still there")
        check(ask("POST", path + "/ack", dict(self.identity(body),
                                              digest=answer["result"]["digest"]))[0] == 200, "ack")
        check(ask("POST", path + "/ack", dict(self.identity(body),
                                              digest=answer["result"]["digest"]))[0] == 410, "twice")
        self.rig.spool_is_empty()

    def cancelled(self):
        path, body = self.job(COMMAND_STUDY.replace('["true"]', '["sleep", "5"]'))
        check(self.api.ask("PUT", path, body)[0] == 201, "accepted")
        time.sleep(0.3)
        began = time.monotonic()
        check(self.api.ask("DELETE", path)[0] == 202, "ending")
        self.rig.spool_is_empty()
        self.rig.no_orphans()
        check(time.monotonic() - began < 4, "it was waited for")

    def foreign(self):
        """Another nonce, another trial, another study: nothing is mixed up."""
        path, body = self.job()
        check(self.api.ask("PUT", path, body)[0] == 201, "accepted")
        other = path[:-32] + uuid.uuid4().hex
        twin = dict(body, nonce=other[-32:])
        ack = dict(self.identity(twin), digest="0" * 64)
        for method, where, what in (("GET", other, None), ("PUT", other, twin),
                                    ("DELETE", other, None), ("GET", other + "/files/0", None),
                                    ("POST", other + "/ack", ack)):
            check(self.api.ask(method, where, what)[0] == 409, method + " " + where)
        check(self.api.ask("PUT", path, twin)[0] == 400, "path and body disagree")
        check(self.api.ask("POST", path + "/ack", ack)[0] == 400, "path and body disagree")
        unknown = "/v1/jobs/%s/1/1/%s" % (uuid.uuid4().hex, uuid.uuid4().hex)
        check(self.api.ask("DELETE", unknown)[0] == 404, "unknown")
        parts = unknown.split("/")
        check(self.api.ask("POST", unknown + "/ack", {
            "study": parts[3], "trial": 1, "attempt": 1, "nonce": parts[6], "digest": "0" * 64})[0]
              == 404, "unknown")
        check(self.api.ask("GET", "/v1/studies/%s/jobs" % uuid.uuid4().hex)[1]["jobs"] == [], "none")
        self.finished(path)
        check(self.api.ask("DELETE", path)[0] == 200, "discarded")

    def no_token(self):
        good = self.rig.token()
        path, body = self.job()

        def run():
            for p, m, _ in self.api.operations():
                where = p.format(study=self.study, trial=1, attempt=1, nonce="0" * 32, index=0)
                what = body if m in ("put", "post") else None
                for token in (False, "", "x", good[:-1], good + "0", good.upper(), "0" * 64,
                              "0" * 9000):
                    check(self.api.ask(m.upper(), where, what, token=token)[0] == 401,
                          "%s %s with %r" % (m, where, token))
                for scheme in ("Basic " + good, good, "Bearer", "Bearer  " + good):
                    check(self.api.ask(m.upper(), where, what, token=False,
                                       headers={"Authorization": scheme})[0] == 401, scheme)
            check(self.rig.ask("PUT", path, body, token=False)[0] == 401, "no token")
        self.unchanged(run)

    def malformed(self):
        path, body = self.job()

        def run():
            for data in ("", "{", "[]", "null", "{}", "\0", "{\"study\": 1}", "[" * 100000,
                         json.dumps(dict(body, trial="1")), json.dumps(dict(body, attempt=1.5)),
                         json.dumps(dict(body, trial=10 ** 30))):
                check(self.api.ask("PUT", path, raw=data)[0] == 400, data[:60])
                check(self.api.ask("POST", path + "/ack", raw=data)[0] == 400, data[:60])
            for data in ("{", "[]", "\xff"):
                check(self.api.ask("POST", "/v1/check", raw=data.encode("latin-1"))[0] == 400, data)
            for method, where in (("PUT", path), ("POST", path + "/ack"), ("POST", "/v1/check")):
                check(self.api.ask(method, where, raw="x=1",
                                   headers={"Content-Type": "text/plain"})[0] == 415, where)
            for method, where in (("GET", "/v1/agent"), ("GET", path), ("DELETE", path),
                                  ("GET", path + "/files/0"),
                                  ("GET", "/v1/studies/%s/jobs" % self.study)):
                check(self.api.ask(method, where, raw="{}")[0] == 400, "a body for " + where)
            for change in ({"study_file": ""}, {"study_file": "study: ["}, {"study_file": 3},
                           {"levels": ["z"]}, {"levels": []}, {"cell": -1}, {"block": 0},
                           {"items": 1}, {"repetition": "1"}):
                check(self.api.ask("PUT", path, dict(body, **change))[0] == 422, str(change))
            check(self.api.ask("POST", "/v1/check", {"study_file": "x", "items": []})[0] == 422, "x")
            digest = "0" * 64
            for change in ({"items": [1]}, {"items": [{}]}, {"items": [{"task": "t"}]},
                           {"items": [{"task": "t", "sha256": "x"}]},
                           {"items": [{"task": 1, "sha256": digest}]},
                           {"items": [{"task": "t", "sha256": digest, "x": 1}]},
                           {"items": [{"task": "t", "sha256": digest, "examples_sha256": None}]},
                           {"times_sha256": 1}, {"times_sha256": None}, {"times_sha256": "x"},
                           {"unheard_of": 1}, {"around": None}, {"around": {}},
                           {"study_file": WITH_TASK},
                           {"study_file": None}, {"levels": None}, {"levels": [None]}):
                check(self.api.ask("PUT", path, dict(body, **change))[0] == 422, str(change))
            for words in ("application/jsonx", "text/json", "application", ""):
                check(self.api.ask("POST", "/v1/check", raw="{}", headers={
                    "Content-Type": words})[0] == 415, words)
            check(self.api.ask("POST", "/v1/check", raw="[]", headers={
                "Content-Type": "Application/JSON; charset=utf-8"})[0] == 400, "media types")
            show = b"Authorization: Bearer " + self.rig.token().encode() + b"\r\n"
            for twice in (show + show, show + b"Authorization: x\r\n",
                          show + b"Content-Length: 2\r\nContent-Length: 2\r\n",
                          show + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"):
                answer = self.raw(b"POST /v1/check HTTP/1.1\r\nHost: x\r\nContent-Type: "
                                  b"application/json\r\n" + twice + b"\r\n{}")
                check(answer.startswith(b"HTTP/1.1 400") and b"twice" in answer, repr(answer[:300]))
            for data in (b"\0" * 4096, b"GET\r\n\r\n", b"GET /v1/agent HTTP/9.9\r\n\r\n",
                         b"PUT /v1/agent HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"\r\n" * 5000,
                         b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                         b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
                         b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20000 + b"\r\n"):
                answer = self.raw(data)
                check(not answer.startswith(b"HTTP/1.1 2"), repr(data[:40]) + repr(answer[:80]))
        self.unchanged(run)
        # a stranger's bytes move no cursor in the terminal that shows the log
        for data in (b"GET /\x1b[2J\x07\x9b1m HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"G\x1b[1mT /v1/agent HTTP/1.1\r\nHost: x\r\n\r\n"):
            check(self.raw(data).startswith(b"HTTP/1.1 401"), repr(data))
        words = self.rig.agent_words()
        check("refused GET /?[2J??1m from" in words, words[-400:])
        check(all(c == "\n" or " " <= c <= "~" for c in words), "the log has control characters")

    def allowed_no_more(self):
        """What waited while the agent was down is judged by the configuration of now."""
        rig = self.rig
        running, body = self.job()
        check(self.api.ask("PUT", running, body)[0] == 201, "accepted")
        time.sleep(0.2)
        queued, body = self.job(COMMAND_STUDY)
        check(self.api.ask("PUT", queued, body)[0] == 201, "accepted")
        rig.end_agent(signal.SIGKILL)
        with open(rig.policy, encoding="utf-8") as file:
            policy = file.read()
        rig.write("agent.yaml", policy.replace('["true"]', '["false"]'))
        rig.start_agent(*LIMITS)
        outcome = self.finished(queued)["outcome"]
        rig.write("agent.yaml", policy)
        check(outcome["reason"] == "agent_refused" and "does not allow" in outcome["detail"],
              str(outcome))
        check(self.finished(running)["outcome"]["reason"] == "agent_died", "cut off")
        for path in (queued, running):
            check(self.api.ask("DELETE", path)[0] == 200, "discarded")
        rig.end_agent()
        rig.start_agent(*LIMITS)

    def other_items(self):
        """Digests that were good when the study was checked may not be when its trial begins."""
        text = STUDY.format(server=json.dumps(self.rig.server), model=json.dumps(self.rig.model),
                            tokens=1, repetitions=1, attempts=1, executor="local")
        path, body = self.job(levels=["1"], study_file=text,
                              items=[{"task": "energy", "sha256": "0" * 64}])
        check(self.api.ask("PUT", path, body)[0] == 201, "accepted")
        outcome = self.finished(path)["outcome"]
        check(outcome["reason"] == "agent_refused" and "both machines" in outcome["detail"],
              str(outcome))
        check(self.api.ask("DELETE", path)[0] == 200, "discarded")

    def not_allowed(self):
        def run():
            for text in (COMMAND_STUDY.replace('["true"]', '["touch", "/tmp/perjoule-was-here"]'),
                         COMMAND_STUDY.replace('["true"]', '["sh", "-c", "true"]'),
                         COMMAND_STUDY.replace('["true"]', '["../../bin/true"]')):
                path, body = self.job(text)
                check(self.api.ask("PUT", path, body)[0] == 403, text)
                check(self.api.ask("POST", "/v1/check", {"study_file": body["study_file"],
                                                         "items": []})[0] == 403, text)
        self.unchanged(run)
        path, body = self.job()
        check(self.api.ask("POST", "/v1/check", {"study_file": body["study_file"], "items": []})
              == (200, {"treatments": 1}), "what is allowed")

    def traversal(self):
        job = "/v1/jobs/%s/1/1/%s" % (self.study, "0" * 32)
        paths = ["/", "//", "/v1", "/v1/", "/v1/agent/", "/v1//agent", "/v2/agent", "/v1/agent/../agent",
                 "/v1/../../etc/passwd", "/v1/agent%00", "/v1/%61gent", "/../token", "/%2e%2e/token",
                 "/v1/jobs/../token", "/v1/jobs/..%2f..%2ftoken/1/1/" + "0" * 32,
                 "/v1/jobs/%s/1/1/../../../../token" % self.study, job + "/files/../../token",
                 job + "/files/..%2f..%2ftoken", job + "/files/", job + "/files/00000", job + "/files/0/",
                 job + "/files/-1", job + "/files/0x0", job.replace("/1/1/", "/01/1/"),
                 job.replace("/1/1/", "/-1/1/"), job.replace("/1/1/", "/9999999999999/1/"), job + "0",
                 job[:-1], job.upper(), job + "/work/study.sqlite", "/v1/studies/../jobs",
                 "/v1/studies/%s/jobs/" % self.study]

        def run():
            for path in paths:
                for method in ("GET", "PUT", "POST", "DELETE"):
                    status = self.rig.ask(method, path, {} if method[0] == "P" else None)[0]
                    check(status == 404, "%s %s: %d" % (method, path, status))
            for method in ("PATCH", "HEAD", "OPTIONS", "TRACE", "BREW"):
                status = self.rig.ask(method, job)[0] if method != "HEAD" else 405
                check(status == 405, "%s: %d" % (method, status))
        self.unchanged(run)

    def oversized(self):
        head = "PUT %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: " \
               "Bearer %s\r\n" % (self.job()[0], self.rig.token())

        def run():
            path = self.job()[0]
            for where, method in ((path, "PUT"), (path + "/ack", "POST"), ("/v1/check", "POST"),
                                  ("/v1/agent", "GET"), (path, "GET"), (path, "DELETE"),
                                  (path + "/files/0", "GET"),
                                  ("/v1/studies/%s/jobs" % self.study, "GET")):
                check(self.api.ask(method, where, raw="", headers={
                    "Content-Length": str(33 << 20)})[0] == 413, where)
            s = socket.create_connection(("127.0.0.1", self.rig.port), timeout=5)
            s.sendall((head + "Transfer-Encoding: chunked\r\n\r\n").encode())
            chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
            sent = 0
            try:
                while sent < 64:
                    s.sendall(chunk)
                    sent += 1
            except OSError:
                pass
            s.close()
            check(sent < 64, "64 MiB were taken")
        self.unchanged(run)

    def drip(self, first, rest, every_s=0.1):
        """Sends rest one byte at a time; how long until the agent closed."""
        s = socket.create_connection(("127.0.0.1", self.rig.port), timeout=5)
        s.sendall(first)
        began = time.monotonic()
        s.settimeout(every_s)
        while time.monotonic() - began < 6:
            try:
                if s.recv(1000) == b"":
                    break
            except socket.timeout:
                pass
            except OSError:
                break
            try:
                s.sendall(rest[:1])
                rest = rest[1:] + rest[:1]
            except OSError:
                break
        s.close()
        return time.monotonic() - began

    def slow(self):
        """Never silent for long enough to be idle, and cut off all the same (limits: 1 s each)."""
        token = self.rig.token().encode()
        head = b"GET /v1/agent HTTP/1.1\r\nHost: x\r\nX-Long: "
        good = b"GET /v1/agent HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + b"\r\n\r\n"
        put = b"PUT %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: " \
              b"10000\r\nAuthorization: Bearer %s\r\n\r\n" % (self.job()[0].encode(), token)

        def run():
            for first, rest in ((b"", head), (head, b"a"), (put, b" "), (good + head, b"a")):
                took = self.drip(first, rest)
                check(0.8 < took < 3, "%r: closed after %.1f s" % (first[:30], took))
            began = time.monotonic()
            s = socket.create_connection(("127.0.0.1", self.rig.port), timeout=5)
            s.sendall(good)
            while s.recv(65536):
                pass
            check(0.8 < time.monotonic() - began < 3, "an idle connection stays")
            s.close()
        self.unchanged(run)

    def slow_reader(self):
        """An answer that is not taken is given up: 30 MB that nobody reads."""
        path, body = self.job(COMMAND_STUDY.replace('["true"]', '["head", "-c", "30000000", '
                                                                '"/dev/zero"]'))
        check(self.api.ask("PUT", path, body)[0] == 201, "accepted")
        result = self.finished(path)["result"]
        index = next(i for i, f in enumerate(result["files"]) if f["size_b"] >= 30000000)
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(5)
        s.connect(("127.0.0.1", self.rig.port))
        s.sendall(("GET %s/files/%d HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n" % (
            path, index, self.rig.token())).encode())
        time.sleep(2)
        got = 0
        try:
            while True:
                piece = s.recv(1 << 20)
                if not piece:
                    break
                got += len(piece)
        except OSError:
            pass
        s.close()
        check(got < 4 << 20, "all of it was sent: %d" % got)
        check(self.api.ask("DELETE", path)[0] == 200, "discarded")

    def many_connections(self):
        """Six of one address (--per-address); another address is not concerned."""
        time.sleep(0.5)  # connections of tests before this one are gone
        socks = [socket.create_connection(("127.0.0.1", self.rig.port)) for _ in range(6)]
        time.sleep(0.1)
        good = b"GET /v1/agent HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + \
               self.rig.token().encode() + b"\r\nConnection: close\r\n\r\n"
        check(self.raw(good, 0.5) == b"", "a seventh connection was served")
        check(self.raw(good, 2, "127.0.0.2").startswith(b"HTTP/1.1 200"), "another address")
        for s in socks:
            s.close()
        end = time.monotonic() + 3
        while not self.raw(good, 0.5).startswith(b"HTTP/1.1 200"):
            check(time.monotonic() < end, "not served again")
            time.sleep(0.05)

    def everything_was_seen(self):
        check(not self.api.unseen(), "documented, never seen: %s" % self.api.unseen())

    # ---- other agents ----

    def refused_starts(self):
        rig = self.rig
        base = ["agent", "--config", rig.policy, "--state"]
        for args, word, expected in (
                ([rig.state], "another agent uses", 1),
                ([rig.path("s2"), "--listen", "0.0.0.0:0"], "--plain-http", 2),
                ([rig.path("s2"), "--listen", "[::]:0"], "--plain-http", 2),
                ([rig.path("s2"), "--listen", "[::ffff:127.0.0.1]:0"], "--plain-http", 2),
                ([rig.path("s2"), "--listen", "localhost:0"], "no address to listen on", 2),
                ([rig.path("s2"), "--listen", "127.1:0"], "no address to listen on", 2),
                ([rig.path("s2"), "--listen", "testbed:0", "--plain-http"],
                 "no address to listen on", 2),
                ([rig.path("s2"), "--tls-cert", rig.policy, "--tls-key", rig.policy],
                 "cannot be used", 2),
                ([rig.path("s2"), "--listen", "127.0.0.1"], "ADDRESS:PORT", 2),
                ([rig.path("s2"), "--tls-cert", "x"], "belong together", 2),
                ([rig.path("s2"), "--listen", "127.0.0.1:%d" % rig.port], "cannot listen", 1),
                ([rig.path("s2"), "--header-limit", "1us"], "shorter than", 2)):
            code, words = rig.do(*base, *args, deadline_s=10)
            check(code == expected and word in words, "%s: %d: %s" % (args, code, words))
        os.makedirs(rig.path("s3"), exist_ok=True)
        rig.write("s3/token", "0" * 64 + "\n")
        os.chmod(rig.path("s3/token"), 0o644)
        code, words = rig.do(*base, rig.path("s3"), "--listen", "127.0.0.1:0", deadline_s=10)
        check(code == 1 and "can be read by others" in words, "%d: %s" % (code, words))
        for text, word in (("engines: 3", "needs engines"), ("engines: []\nx: 1", "known keys"),
                           ("engines: [{kind: vroom}]", "known kind"),
                           ("engines: [{kind: command, run: any}]", "rule"),
                           ("engines: [{kind: command, run: [[a]], x: number}]", "no such setting")):
            bad = rig.write("bad.yaml", text)
            code, words = rig.do("agent", "--config", bad, "--state", rig.path("s2"), deadline_s=10)
            check(code == 2 and word in words, "%s: %d: %s" % (text, code, words))

    def beyond_loopback(self):
        """TLS with a certificate of our own, and plain HTTP said explicitly."""
        rig = self.rig
        rig.end_agent()
        made = subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-keyout", rig.path("key.pem"), "-out", rig.path("cert.pem"), "-days", "2",
             "-subj", "/CN=testbed", "-addext", "subjectAltName=IP:127.0.0.1"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        check(made.returncode == 0, made.stderr.decode())
        rig.port = 0
        rig.start_agent("--tls-cert", rig.path("cert.pem"), "--tls-key", rig.path("key.pem"),
                        "--header-limit", "1s", listen="0.0.0.0:0")
        url = "https://127.0.0.1:%d" % rig.port
        asked = urllib.request.Request(url + "/v1/agent",
                                       headers={"Authorization": "Bearer " + rig.token()})
        context = ssl.create_default_context(cafile=rig.path("cert.pem"))
        with urllib.request.urlopen(asked, context=context, timeout=5) as answer:
            check(json.load(answer)["transport"] == "https", "transport")
        check(not self.raw(b"GET /v1/agent HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 2"), "no TLS")
        for version, expected in (("-tls1", 1), ("-tls1_1", 1), ("-tls1_2", 0), ("-tls1_3", 0)):
            code = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % rig.port,
                                   version, "-cipher", "ALL@SECLEVEL=0"], input=b"", timeout=10,
                                  capture_output=True, check=False).returncode
            check(code == expected, "openssl s_client %s ends with %d" % (version, code))
        # the handshake counts too: a record of 512 bytes, one byte at a time
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
        took = self.drip(b"", hello + bytes(501))
        check(0.8 < took < 3, "a slow handshake: closed after %.1f s" % took)
        executor = "{kind: agent, url: '%s', token_file: state/token, heartbeat: 50ms%s}"
        good = rig.study("tls.yaml", executor % (url, ", ca_file: cert.pem"), template=COMMAND_STUDY)
        code, words = rig.do("run", good, "--out", rig.path("tls"))
        check(code == 0, "%d: %s" % (code, words))
        facts = dict(rig.rows(rig.path("tls"), "SELECT key, value FROM fact WHERE attempt IS NULL"))
        check(facts["agent.transport"] == facts["agent.listens"] == "https", str(facts))
        bad = rig.study("tls2.yaml", executor % (url, ""), template=COMMAND_STUDY)
        code, words = rig.do("run", bad, "--out", rig.path("tls2"))
        check(code == 1 and "is not accepted" in words and "as ca_file in executor" in words,
              "%d: %s" % (code, words))
        rig.end_agent()
        rig.start_agent("--plain-http", listen="0.0.0.0:%d" % rig.port)
        check(rig.ask("GET", "/v1/agent")[2]["transport"] == "plain http (--plain-http)", "recorded")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.environ.get("PERJOULE_BUILD_ROOT"))
    suite = Suite(parser.parse_args().build)
    try:
        return tap([
            ("the routes are those of the OpenAPI file", suite.routes),
            ("the life of a job: queue of one, files, acknowledgement, never again",
             suite.life_of_a_job),
            ("a job that runs can be discarded", suite.cancelled),
            ("another nonce is refused and changes nothing", suite.foreign),
            ("without the token: 401 everywhere, nothing changes", suite.no_token),
            ("malformed requests change nothing", suite.malformed),
            ("what waited is judged by the configuration of now", suite.allowed_no_more),
            ("items that are not the study's are found before the trial", suite.other_items),
            ("engines that are not allowed are refused", suite.not_allowed),
            ("paths that lead elsewhere lead nowhere", suite.traversal),
            ("oversized bodies are refused", suite.oversized),
            ("one byte at a time is cut off: headers, body, the next headers", suite.slow),
            ("an answer that is not read is given up", suite.slow_reader),
            ("connections of one address are limited", suite.many_connections),
            ("every documented answer was seen", suite.everything_was_seen),
            ("starts that would be unsafe are refused", suite.refused_starts),
            ("beyond loopback: TLS, or plain http said explicitly", suite.beyond_loopback),
        ])
    finally:
        suite.rig.close()


if __name__ == "__main__":
    sys.exit(main())
