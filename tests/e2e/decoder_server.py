#!/usr/bin/python3
"""The server of tests/hw without its model: what it streams, what it refuses, who may leave.


"""
import concurrent.futures
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.environ["PERJOULE_SOURCE_ROOT"]
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from agent_rig import check, tap  # noqa: E402


class Server:
    def __init__(self, *args):
        self.dir = tempfile.TemporaryDirectory(prefix="perjoule-decoder-")
        port_file = os.path.join(self.dir.name, "port")
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(ROOT, "tests", "hw", "serve_decoder.py"), "--port", "0",
             "--port-file", port_file, "--slots", "4", "--context", "128", *args],
            stdout=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while not os.path.exists(port_file):
            check(self.process.poll() is None and time.monotonic() < end, "it does not start")
            time.sleep(0.02)
        with open(port_file, encoding="ascii") as file:
            self.port = int(file.read())

    def close(self):
        self.process.terminate()
        check(self.process.wait(10) == -15, "it does not end on SIGTERM")
        self.dir.cleanup()

    def ask(self, body, path="/v1/completions", method="POST"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            data = body if isinstance(body, (bytes, type(None))) else json.dumps(body)
            connection.request(method, path, data)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def running(self):
        lines = self.ask(None, "/metrics", "GET")[1].splitlines()
        return int(next(x for x in lines if x.startswith("decoder_requests_running ")).split()[1])

    # ---- cases ----

    def one_chunk_for_each_token(self):
        status, text = self.ask({"prompt": "añb", "max_tokens": 5, "stream": True, "ignore_eos": True,
                                 "stream_options": {"include_usage": True}})
        check(status == 200, text)
        lines = [line[6:] for line in text.split("\n\n") if line]
        check(lines[-1] == "[DONE]" and len(lines) == 7, text)
        events = [json.loads(line) for line in lines[:-1]]
        check(all(e["choices"][0]["text"] for e in events[:5]), "a token without text")
        check([e["choices"][0]["finish_reason"] for e in events[:5]] == [None] * 4 + ["length"], text)
        check(events[5]["choices"] == [] and events[5]["usage"]["prompt_tokens"] == 4
              and events[5]["usage"]["completion_tokens"] == 5, text)
        whole = json.loads(self.ask({"prompt": "añb", "max_tokens": 5, "ignore_eos": True})[1])
        check(whole["choices"][0]["text"] == "".join(e["choices"][0]["text"] for e in events[:5]),
              "streamed and whole differ")

    def together_as_alone(self):
        """More requests than slots, of different lengths: each gets what it gets alone."""
        asked = [{"prompt": "p%d" % i, "max_tokens": 1 + i % 7, "ignore_eos": True}
                 for i in range(20)]
        alone = [json.loads(self.ask(a)[1])["choices"] for a in asked]
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            together = [json.loads(text)["choices"] for _, text in pool.map(self.ask, asked)]
        check(alone == together, "%s\n%s" % (alone, together))

    def refusals(self):
        good = {"prompt": "p", "max_tokens": 2}
        for change in ({"prompt": ""}, {"prompt": ["a"]}, {"prompt": None}, {"max_tokens": 0},
                       {"max_tokens": "9"}, {"max_tokens": True}, {"temperature": 0.7}, {"n": 2},
                       {"stop": "x"}, {"max_tokens": 128}, {"stream_options": 3, "stream": True}):
            status, text = self.ask(dict(good, **change))
            check(status == 400 and "error" in json.loads(text), "%s: %d %s" % (change, status, text))
        for body in (b"", b"{", b"[]", b"\xff"):
            check(self.ask(body)[0] == 400, "%r is taken" % body)
        check(self.ask(None, "/v1/nothing", "GET")[0] == 404, "no 404")
        check(self.ask(None, "/v1/completions", "GET")[0] == 405, "no 405")
        check(self.ask(good)[0] == 200, "it is worse for wear")

    def who_leaves(self):
        """A client that goes away in the middle gives its slot back."""
        for _ in range(6):
            body = json.dumps({"prompt": "p", "max_tokens": 120, "ignore_eos": True, "stream": True})
            with socket.create_connection(("127.0.0.1", self.port), timeout=10) as s:
                s.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
                          % (len(body), body.encode()))
                check(s.recv(100).startswith(b"HTTP/1.1 200"), "not taken")
        check(self.ask({"prompt": "p", "max_tokens": 2})[0] == 200, "no slot is free")
        end = time.monotonic() + 20
        while self.running() > 0 and time.monotonic() < end:
            time.sleep(0.05)
        check(self.running() == 0, "somebody is still answered")


def as_vllm():
    """Started by the words of vLLM, and with a processor that works 20 ms after every step."""
    server = Server("serve", "by-this-name", "--no-enable-prefix-caching", "--toy", "0", "--host-work", "20")
    try:
        names = json.loads(server.ask(None, "/v1/models", "GET")[1])["data"]
        check([m["id"] for m in names] == ["by-this-name"], str(names))
        began = time.monotonic()
        status, text = server.ask({"prompt": "p", "max_tokens": 11, "ignore_eos": True})
        check(status == 200 and time.monotonic() - began >= 0.2, "ten steps are too quick: " + text)
    finally:
        server.close()


def main():
    server = Server("--toy", "2")
    try:
        return tap([("one chunk for each token, usage at the end", server.one_chunk_for_each_token),
                    ("together as alone", server.together_as_alone),
                    ("what it cannot do is refused", server.refusals),
                    ("who leaves gives the slot back", server.who_leaves),
                    ("it starts as vLLM would, and works between steps", as_vllm)])
    finally:
        server.close()


if __name__ == "__main__":
    sys.exit(main())
