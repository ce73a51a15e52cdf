#!/usr/bin/env python3
"""The studies of tests/hw/run-study.sh and their prompts.

    study_files.py FOLDER BASE_URL [--repetitions N] [--requests N] [--tokens N] [--prompt BYTES]
                   [--long BYTES] [--levels 1,4,16,64] [--gates TEXT] [--server ARGUMENTS]

FOLDER gets batch.yaml (how many requests are answered together, every answer as long as the others), split.yaml
(long prompts: the same prompts with one output token and with many, so that prefill and decode can be
had by subtraction too) and served.yaml (perjoule starts the server itself, with CUDA graphs, without, and with a
processor that works between the steps; idle baselines and cool-down by state). The prompts are made here, of exactly the bytes that are asked for; no two begin alike, so
that no cache could help.
"""
import argparse
import json
import os
import random
import sys

WORDS = ("river stone light under bridge rain small birds green paper clock window table garden north "
         "signal engine market winter copper thread island mirror harbour letter candle orange valley "
         "meadow silver quiet narrow morning shadow").split()

ANSWERS = """\
task:
  name: answers
  items: prompts.jsonl
  prompt: "{{prompt}}"
  max_tokens: {tokens}
  ignore_eos: true
  temperature: 0
"""

BATCH = """\
study: batch
question: What does a token cost when {levels} requests are answered together?
factors: {{concurrency: [{levels}]}}
repetitions: {repetitions}
order: {{seed: 20261121}}
engine: {{kind: openai, base_url: {url}}}
load: {{kind: closed, concurrency: "${{concurrency}}"}}
""" + ANSWERS + """\
phases: {{warmup: {pause}, idle: {pause}, cooldown: 0s}}
limits: {{request: 2m, trial: 8m}}
{gates}"""

SPLIT = """\
study: split
question: What do the prompt and the answer of a request with a long prompt cost?
factors: {{concurrency: [{few}]}}
repetitions: {repetitions}
order: {{seed: 20261122}}
engine: {{kind: openai, base_url: {url}}}
load: {{kind: closed, concurrency: "${{concurrency}}"}}
task:
  - {{name: prompt_only, items: long.jsonl, prompt: "{{prompt}}", max_tokens: 1, ignore_eos: true}}
  - {{name: both, items: long.jsonl, limit: {half}, prompt: "{{prompt}}", max_tokens: {tokens}, ignore_eos: true}}
phases: {{warmup: {pause}, idle: {pause}, cooldown: 0s}}
limits: {{request: 2m, trial: 8m}}
{gates}"""

SERVED = """\
study: served
question: What does a server cost whose processor keeps the GPU waiting?
factors: {{serving: ["--host-work=0", "--eager", "--host-work=20"]}}
repetitions: {repetitions}
order: {{seed: 20261123}}
engine:
  kind: vllm
  server: ["{python}", "{here}/serve_decoder.py"]
  model: random-decoder
  args: ["${{serving}}", "--slots=16", "--context=1024"{server}]
load: {{kind: closed, concurrency: 16}}
""" + ANSWERS + """\
baseline: 10s
phases: {{warmup: {pause}, idle: {pause}, cooldown: {{until: settled, max: 1m, over: 10s}}}}
limits: {{request: 2m, trial: 8m}}
{gates}"""


def prompts(path, number, size_b):
    rng = random.Random(size_b)
    with open(path, "w", encoding="ascii") as file:
        for i in range(number):
            text = "%04d" % i
            while len(text) < size_b:
                text += " " + rng.choice(WORDS)
            file.write(json.dumps({"id": "p%04d" % i, "prompt": text[:size_b]}) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("url")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--requests", type=int, default=192)
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--prompt", type=int, default=256)
    parser.add_argument("--long", type=int, default=1536)
    parser.add_argument("--levels", default="1,4,16,64")
    parser.add_argument("--pause", default="2s")
    parser.add_argument("--gates", default="")
    parser.add_argument("--server", default="", help="more arguments of serve_decoder.py")
    o = parser.parse_args()
    levels = o.levels.split(",")
    words = {"url": o.url, "repetitions": o.repetitions, "tokens": o.tokens, "pause": o.pause,
             "levels": ", ".join(levels), "few": ", ".join(levels[:1] + levels[2:3]),
             "python": sys.executable, "here": os.path.dirname(os.path.abspath(__file__)),
             "server": "".join(', "%s"' % word for word in o.server.split()),
             "half": max(1, o.requests // 2), "gates": "gates: %s\n" % o.gates if o.gates else ""}
    os.makedirs(o.folder, exist_ok=True)
    prompts(os.path.join(o.folder, "prompts.jsonl"), o.requests, o.prompt)
    prompts(os.path.join(o.folder, "long.jsonl"), o.requests, o.long)
    for name, text in (("batch", BATCH), ("split", SPLIT), ("served", SERVED)):
        with open(os.path.join(o.folder, name + ".yaml"), "w", encoding="ascii") as file:
            file.write(text.format(**words))


if __name__ == "__main__":
    main()
