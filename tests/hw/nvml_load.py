#!/usr/bin/env python3
"""Known loads on GPU 0, each as a line name,start_ns,end_ns[,key=value…] on CLOCK_MONOTONIC.

nvml_load.py phases [--short]   idle, full, square waves, bursts, prefill and decode of a randomly
                               initialised decoder
nvml_load.py loop SECONDS       a fixed number of matrix products, as many as take about SECONDS the
                               first time; prints the time of each round, one round for each line
                               that arrives on standard input
nvml_load.py burn SECONDS       full load
"""
import sys
import time

import torch

GPU = torch.device("cuda:0")


def now():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def say(name, start, end, **facts):
    print(",".join([name, str(start), str(end)] + ["%s=%s" % f for f in facts.items()]), flush=True)


class Matmul:
    def __init__(self, n=8192):
        self.a, self.b = (torch.randn(n, n, device=GPU, dtype=torch.bfloat16) for _ in range(2))
        self.c = torch.empty_like(self.a)

    def once(self):
        torch.matmul(self.a, self.b, out=self.c)

    def run(self, seconds):
        end = now() + int(seconds * 1e9)
        while now() < end:
            for _ in range(4):
                self.once()
            torch.cuda.synchronize()


def square(matmul, half_s, total_s):
    end = now() + int(total_s * 1e9)
    while now() < end:
        matmul.run(half_s)
        time.sleep(half_s)


class Decoder(torch.nn.Module):
    """A decoder-only transformer, random weights; about 1.5 G parameters at the defaults."""

    def __init__(self, layers=24, width=2048, heads=16, vocabulary=32000):
        super().__init__()
        self.heads, self.width = heads, width
        self.embed = torch.nn.Embedding(vocabulary, width)
        self.blocks = torch.nn.ModuleList()
        for _ in range(layers):
            self.blocks.append(torch.nn.ModuleDict({
                "n1": torch.nn.LayerNorm(width), "n2": torch.nn.LayerNorm(width),
                "qkv": torch.nn.Linear(width, 3 * width, bias=False),
                "out": torch.nn.Linear(width, width, bias=False),
                "up": torch.nn.Linear(width, 4 * width, bias=False),
                "down": torch.nn.Linear(4 * width, width, bias=False)}))
        self.head = torch.nn.Linear(width, vocabulary, bias=False)

    def forward(self, tokens, cache):
        x = self.embed(tokens)
        batch, length, _ = x.shape
        for i, block in enumerate(self.blocks):
            q, k, v = block["qkv"](block["n1"](x)).view(batch, length, 3, self.heads, -1).unbind(2)
            q, k, v = (t.transpose(1, 2) for t in (q, k, v))
            if cache[i] is not None:
                k, v = torch.cat([cache[i][0], k], 2), torch.cat([cache[i][1], v], 2)
            cache[i] = (k, v)
            y = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=length > 1)
            x = x + block["out"](y.transpose(1, 2).reshape(batch, length, self.width))
            x = x + block["down"](torch.nn.functional.gelu(block["up"](block["n2"](x))))
        return self.head(x[:, -1:]).argmax(-1)


@torch.inference_mode()
def generate(model, batch, prompt, tokens, quiet=False):
    cache = [None] * len(model.blocks)
    text = torch.randint(0, 32000, (batch, prompt), device=GPU)
    torch.cuda.synchronize()
    start = now()
    token = model(text, cache)
    torch.cuda.synchronize()
    first = now()
    for _ in range(tokens):
        token = model(token, cache)
    torch.cuda.synchronize()
    if not quiet:
        say("prefill", start, first, batch=batch, prompt=prompt)
        say("decode", first, now(), batch=batch, prompt=prompt, tokens=batch * tokens)


def idle(seconds, name="idle"):
    start = now()
    time.sleep(seconds)
    say(name, start, now())


def phases(short):
    matmul = Matmul()
    matmul.run(0.5)
    time.sleep(2)
    idle(4 if short else 8)
    start = now()
    matmul.run(8 if short else 12)
    say("full", start, now())
    idle(3)
    for half_ms in (50, 300):
        start = now()
        square(matmul, half_ms / 1e3, 8)
        say("square_%dms" % half_ms, start, now())
        idle(3)
    for length_ms, n in ((200, 6), (500, 4), (1000, 2)) if short else ((200, 8), (500, 8), (1000, 4)):
        for _ in range(n):
            start = now()
            matmul.run(length_ms / 1e3)
            say("burst_%dms" % length_ms, start, now())
            time.sleep(0.7)
    del matmul
    model = Decoder().to(GPU, torch.bfloat16)
    generate(model, 1, 128, 8, quiet=True)
    for batch in (1, 16) if short else (1, 4, 16, 64):
        generate(model, batch, 1024, 4, quiet=True)
        time.sleep(1)
        for _ in range(2):
            generate(model, batch, 1024, 96)
            time.sleep(0.5)
    idle(4)


def loop(seconds):
    matmul = Matmul(4096)
    matmul.run(1)
    start, n = now(), 0
    while now() - start < seconds * 1e9:
        for _ in range(50):
            matmul.once()
        torch.cuda.synchronize()
        n += 50
    print("ready", flush=True)
    for _ in sys.stdin:
        start = now()
        for i in range(n):
            matmul.once()
            if i % 50 == 49:
                torch.cuda.synchronize()
        torch.cuda.synchronize()
        print((now() - start) / 1e9, flush=True)


def main():
    what = sys.argv[1]
    if what == "phases":
        phases("--short" in sys.argv)
    elif what == "loop":
        loop(float(sys.argv[2]))
    elif what == "burn":
        Matmul().run(float(sys.argv[2]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
