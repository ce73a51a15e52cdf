#!/usr/bin/env python3
"""An OpenAI-compatible streaming server over a randomly initialised decoder (decoder.py).

    serve_decoder.py [serve NAME] [--port PORT] [--device cuda:0] [--layers N --width N --heads N] …

For measurements on a GPU machine without network or model files; needs PyTorch and nothing else (--toy
needs not even that). HTTP/1.1 with keep-alive: GET /health, /version, /v1/models, /metrics and POST
/v1/completions. One chunk for each token, `usage` in the last one when stream_options.include_usage
asks for it. What it cannot do (another temperature than 0, n, stop, several prompts) is refused with
400, never ignored. It ends at once on SIGTERM. The words `serve NAME`, which name the model, and
--no-enable-prefix-caching (there is no such cache) let perjoule start it in the place of vLLM.
"""
import argparse
import asyncio
import json
import os
import signal
import sys
import time

import decoder

HEAD_LIMIT_B, BODY_LIMIT_B = 64 << 10, 16 << 20
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed",
           413: "Content Too Large", 431: "Request Header Fields Too Large"}


class Refused(Exception):
    def __init__(self, status, words):
        super().__init__(words)
        self.status = status


def piece(token):
    """Some text for a token: one word for each."""
    letters = ""
    while True:
        letters = chr(97 + token % 26) + letters
        token //= 26
        if token == 0:
            return " " + letters


def read_request(body, context):
    """A decoder.Request, whether to stream, whether to tell the usage."""
    try:
        asked = json.loads(body)
    except ValueError:
        raise Refused(400, "the body is not JSON") from None
    if not isinstance(asked, dict):
        raise Refused(400, "the body is not an object")
    prompt, most = asked.get("prompt"), asked.get("max_tokens", 16)
    if not isinstance(prompt, str) or not prompt:
        raise Refused(400, "prompt must be a text that is not empty")
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        raise Refused(400, "max_tokens must be a whole number from 1")
    if asked.get("temperature", 0) != 0:
        raise Refused(400, "temperature must be 0: decoding is greedy")
    for key, only in (("n", 1), ("best_of", 1), ("echo", False), ("logprobs", None), ("stop", None)):
        if asked.get(key, only) not in (only, None):
            raise Refused(400, "%s is not supported" % key)
    tokens = list(prompt.encode())
    if len(tokens) + most > context:
        raise Refused(400, "%d bytes of prompt and %d tokens are more than the context of %d" % (
            len(tokens), most, context))
    options = asked.get("stream_options") or {}
    if not isinstance(options, dict):
        raise Refused(400, "stream_options must be an object")
    request = decoder.Request(tokens, most, asked.get("ignore_eos") is True)
    return request, asked.get("stream") is True, options.get("include_usage") is True


def usage(request):
    prompt = len(request.prompt)
    return {"prompt_tokens": prompt, "completion_tokens": request.answered,
            "total_tokens": prompt + request.answered,
            "prompt_tokens_details": {"cached_tokens": 0}}


class Server:
    def __init__(self, model, name, version, host_s):
        self.model, self.name, self.version = model, name, version
        self.made, self.loop = 0, None
        self.engine = decoder.Engine(model, self.deliver, self.engine_failed, host_s)

    # ---- from the engine's thread ----

    def deliver(self, news):
        self.loop.call_soon_threadsafe(self.spread, news)

    def engine_failed(self, problem):
        print("serve_decoder: %r" % problem, file=sys.stderr, flush=True)
        os._exit(1)

    # ---- answers ----

    def spread(self, news):
        for request, token, finish in news:
            request.on_token(token, finish)

    def frame(self, choices, use=None):
        message = {"id": "cmpl-%d" % self.made, "object": "text_completion",
                   "created": int(time.time()), "model": self.name, "choices": choices}
        if use is not None:
            message["usage"] = use
        return message

    async def stream(self, writer, request, with_usage):
        done = self.loop.create_future()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                     b"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n")
        text = json.dumps(self.frame([{"index": 0, "text": "@", "logprobs": None,
                                       "finish_reason": None}]))
        before, after = text.split("@")
        last = after.replace('"finish_reason": null', '"finish_reason": "%s"')

        def chunk(data):
            writer.write(b"%x\r\n%s\r\n" % (len(data), data))

        def on_token(token, finish):
            if writer.transport.is_closing():  # nobody reads any more
                request.gone = True
                done.cancel()
            if request.gone:
                return
            chunk(("data: %s%s%s\n\n" % (before, piece(token), last % finish if finish else after))
                  .encode())
            if finish and not done.done():
                done.set_result(None)

        request.on_token = on_token
        self.engine.add(request)
        try:
            await done
            if with_usage:
                chunk(b"data: %s\n\n" % json.dumps(self.frame([], usage(request))).encode())
            chunk(b"data: [DONE]\n\n")
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        finally:
            request.gone = True

    async def whole(self, writer, request):
        done, text = self.loop.create_future(), []

        def on_token(token, finish):
            text.append(piece(token))
            if finish and not done.done():
                done.set_result(finish)

        request.on_token = on_token
        self.engine.add(request)
        try:
            finish = await done
        finally:
            request.gone = True
        choice = {"index": 0, "text": "".join(text), "logprobs": None, "finish_reason": finish}
        self.reply(writer, 200, self.frame([choice], usage(request)))

    def reply(self, writer, status, message, kind="application/json"):
        data = message.encode() if isinstance(message, str) else json.dumps(message).encode()
        writer.write(b"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (
            status, REASONS[status].encode(), kind.encode(), len(data), data))

    def metrics(self):
        return "".join("# TYPE decoder_%s %s\ndecoder_%s %d\n" % (name, kind, name, value)
                       for name, kind, value in [
                           ("requests_running", "gauge", len(self.engine.active)),
                           ("requests_waiting", "gauge", len(self.engine.waiting)),
                           ("steps_total", "counter", self.engine.steps),
                           ("prefills_total", "counter", self.engine.prefills)])

    async def answer(self, writer, method, path, body):
        fixed = {"/health": {"status": "ok"}, "/version": {"version": self.version},
                 "/v1/models": {"object": "list", "data": [
                     {"id": self.name, "object": "model", "owned_by": "tests",
                      "max_model_len": self.model.context}]}}
        if path == "/v1/completions" and method == "POST":
            self.made += 1
            request, stream, with_usage = read_request(body, self.model.context)
            await (self.stream(writer, request, with_usage) if stream
                   else self.whole(writer, request))
        elif path == "/v1/completions" or (path in fixed and method != "GET"):
            raise Refused(405, "%s does not take %s" % (path, method))
        elif path == "/metrics":
            self.reply(writer, 200, self.metrics(), "text/plain; version=0.0.4")
        elif path in fixed:
            self.reply(writer, 200, fixed[path])
        else:
            raise Refused(404, "there is no %s" % path)

    # ---- connections ----

    async def exchange(self, reader, writer):
        """One request and its answer; False when the connection is to be closed."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise Refused(431, "the headers are too long") from None
        first, *lines = head.decode("latin-1").split("\r\n")
        words = first.split(" ")
        if len(words) != 3:
            raise Refused(400, "no HTTP request")
        fields = {name.strip().lower(): value.strip() for name, _, value in
                  (line.partition(":") for line in lines if line)}
        length = fields.get("content-length", "0")
        if not length.isdigit() or "transfer-encoding" in fields:
            raise Refused(400, "a body needs a Content-Length")
        if int(length) > BODY_LIMIT_B:
            raise Refused(413, "the body is too long")
        if fields.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(int(length))
        try:
            await self.answer(writer, words[0], words[1], body)
        except Refused as no:  # understood to its end: the connection can go on
            self.reply(writer, no.status, {"error": {"message": str(no), "type": "invalid_request"}})
        await writer.drain()
        return fields.get("connection", "").lower() != "close"

    async def connection(self, reader, writer):
        try:
            while await self.exchange(reader, writer):
                pass
        except Refused as no:
            self.reply(writer, no.status, {"error": {"message": str(no), "type": "invalid_request"}})
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    async def serve(self, host, port, port_file):
        self.loop = asyncio.get_running_loop()
        self.engine.start()
        server = await asyncio.start_server(self.connection, host, port, limit=HEAD_LIMIT_B,
                                            backlog=1024)
        port = server.sockets[0].getsockname()[1]
        print("serve_decoder: %s on http://%s:%d/v1" % (self.name, host, port), flush=True)
        if port_file:
            with open(port_file + ".new", "w", encoding="ascii") as file:
                file.write("%d\n" % port)
            os.rename(port_file + ".new", port_file)
        async with server:
            await server.serve_forever()


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument("words", nargs="*", metavar="serve NAME")
    parser.add_argument("--no-enable-prefix-caching", action="store_true", help="it has none anyway")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0: any free one")
    parser.add_argument("--port-file", help="the port is written there when requests are taken")
    parser.add_argument("--device", default="cuda:0", help="cuda:N or cpu")
    parser.add_argument("--layers", type=int, default=28)
    parser.add_argument("--width", type=int, default=3072)
    parser.add_argument("--heads", type=int, default=24)
    parser.add_argument("--vocabulary", type=int, default=32000)
    parser.add_argument("--slots", type=int, default=64, help="requests answered together at most")
    parser.add_argument("--context", type=int, default=2048, help="tokens of one request at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--eager", action="store_true", help="no CUDA graphs")
    parser.add_argument("--toy", type=float, metavar="MS",
                        help="no model: every step takes MS milliseconds")
    parser.add_argument("--host-work", type=float, default=0, metavar="MS",
                        help="the processor works for MS milliseconds after every step, as a slow server's may")
    o = parser.parse_args()
    if o.words and (len(o.words) != 2 or o.words[0] != "serve"):
        parser.error("words other than 'serve NAME'")
    return o


def main():
    o = options()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    if o.toy is not None:
        model, name, version = decoder.Toy(o.slots, o.context, o.toy / 1e3), "toy", "toy"
    else:
        import torch

        began = time.monotonic()
        model = decoder.Decoder(o.device, o.layers, o.width, o.heads, o.vocabulary, o.slots,
                                o.context, o.seed, o.eager)
        parameters = model.parameters()
        name = "random-decoder-%.1fB" % (parameters / 1e9)
        version = "torch %s" % torch.__version__
        print("serve_decoder: %d layers of width %d, %d parameters, %s on %s, ready in %.1f s" % (
            o.layers, o.width, parameters, str(model.type).split(".")[-1], o.device,
            time.monotonic() - began), flush=True)
    server = Server(model, o.words[1] if o.words else name, version, o.host_work / 1e3)
    asyncio.run(server.serve(o.host, o.port, o.port_file))


if __name__ == "__main__":
    main()
