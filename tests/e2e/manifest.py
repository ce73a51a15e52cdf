#!/usr/bin/python3
"""The manifest of real studies: every key is one of docs/manifest.md, and no secret gets anywhere.

    manifest.py --build BUILD
"""
import os
import re
import secrets
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import gates  # noqa: E402
from gates import check  # noqa: E402

SOURCE = os.environ.get("PERJOULE_SOURCE_ROOT") or os.path.join(os.path.dirname(__file__), "../..")

OPENAI = """\
study: keyed
factors: {{n: [1]}}
repetitions: 1
engine: {{kind: openai, base_url: "http://127.0.0.1:{port}/v1", api_key_env: THE_KEY}}
load: {{kind: closed, concurrency: "${{n}}"}}
task: {{name: t, items: items.jsonl, prompt: "{{text}}", api: chat, max_tokens: 4}}
phases: {{warmup: 0s, idle: 0s, cooldown: 0s}}
gates: {{cpu_thief: 1, steal_time: 1, send_lag: 1}}
"""


def patterns():
    """The keys of the manual, as regular expressions."""
    found = []
    with open(os.path.join(SOURCE, "docs/manifest.md"), encoding="utf-8") as file:
        for line in file:
            if not line.startswith("| `"):
                continue
            for key in re.findall(r"`([^`]+)`", line.split("|")[1]):
                key = re.escape(key)
                for word in ("KEY", "TASK", "NAME", "SOURCE", "DOMAIN", "N"):
                    key = re.sub(r"\b%s\b" % word, ".+", key)
                found.append(re.compile(key + r"(\.missing)?$"))
    check(len(found) > 40, "%d keys only" % len(found))
    return found


def documented(bench):
    known = patterns()
    keys = [k for k, in bench.rows("SELECT DISTINCT key FROM fact")]
    unknown = [k for k in keys if not any(p.match(k) for p in known)]
    check(not unknown, "not in docs/manifest.md: %r" % unknown)
    for key, value in bench.rows("SELECT key, value FROM fact"):
        check(value != "", "%s is empty" % key)
    return dict(bench.rows("SELECT key, value FROM fact"))


def test_keys_of_a_served_study(bench):
    bench.served(0, items=2, gates=", send_lag: 1", stub=("--ttft-ms", "5"),
                 wrapper='#!/bin/sh\nexec "$@" --chat-template x\n',
                 PERJOULE_NVML=os.path.join(bench.build, "tests/fakes/fake_nvml.so"))
    facts = documented(bench)
    for key in ("tool.version", "machine.kernel", "engine.kind", "engine.command", "model.sha256",
                "engine.program.sha256", "meter.channels", "gpu.driver", "gpu.0.uuid",
                "gpu.0.vbios", "load.t.kind", "prompt.t.rendered_sha256"):
        check(key in facts, "%s is not in %r" % (key, sorted(facts)))
    check(facts["gpu.driver"] == "580.00.fake", facts["gpu.driver"])


def test_what_is_missing_has_a_reason(bench):
    bench.gpu(0, errors="handle:0=4", when="")
    facts = documented(bench)
    missing = {k: v for k, v in facts.items() if k.endswith(".missing")}
    check("Insufficient Permissions" in missing["meter.nvml.gpu-0.missing"], "%r" % missing)


PLANTED = ["engine: {kind: command, run: [echo, --api-key, %s, $n]}",
           "engine: {kind: command, run: [echo, --password=%s, $n]}",
           "engine: {kind: command, run: [echo, 'http://me:%s@127.0.0.1/', $n]}",
           "engine: {kind: command, run: [echo, -H, 'Authorization: Bearer %s', $n]}",
           "engine: {kind: command, run: [echo, $n]}\n# with --hf-token %s",
           "engine: {kind: openai, base_url: 'http://me:%s@127.0.0.1:1/v1'}",
           "engine: {kind: command, run: [echo, sk-%s, $n]}",
           "engine: {kind: command, run: [env, HF_TOKEN=%s, echo, $n]}",
           "engine: {kind: command, run: [echo, 'http://127.0.0.1/?a=1&access_token=%s', $n]}"]


def test_a_study_with_a_secret_is_refused(bench):
    for planted in PLANTED:
        secret = secrets.token_hex(16)
        text = "study: s\nfactors: {n: [1]}\nrepetitions: 1\n" + planted % secret + "\n"
        path = bench.write("secret.yaml", text)
        for words in (["check"], ["check", "--json"], ["run", "--out", bench.path("out")]):
            done = subprocess.run([bench.perjoule, words[0], path, *words[1:]], cwd=bench.dir,
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                                  env=dict(os.environ,
                                           PERJOULE_LIBEXEC=os.path.dirname(bench.perjoule)),
                                  check=False)
            said = done.stdout.decode() + done.stderr.decode()
            check(done.returncode == 2, "%r %s: %d %s" % (words, planted, done.returncode, said))
            check(secret not in said, "it is repeated: " + said)
            check("--json" in words or re.search(r"secret.yaml:[45]:\d+: ", said), said)
        check(os.listdir(bench.dir) == ["secret.yaml"], "%r" % os.listdir(bench.dir))


def holds(folder, words):
    """Which files below a folder hold one of the words."""
    found = []
    for place, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(place, name), "rb") as file:
                data = file.read()
            found += [os.path.join(place, name) for word in words if word.encode() in data]
    return found


def test_secrets_of_the_environment_go_nowhere(bench):
    key, others = "key" + secrets.token_hex(16), [secrets.token_hex(16) for _ in range(4)]
    port_file = bench.path("port")
    bench.write("items.jsonl", '{"id": "1", "text": "one"}\n')
    stub = subprocess.Popen([os.path.join(bench.build, "tests/stub/stub_server"), "--port", "0",
                             "--port-file", port_file, "--api-key", key, "--ttft-ms", "5"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    env = {"THE_KEY": key, "OPENAI_API_KEY": others[0], "LLAMA_API_KEY": others[1],
           "HF_TOKEN": others[2], "AWS_SECRET_ACCESS_KEY": others[3]}
    try:
        end = time.monotonic() + 30
        while not os.path.exists(port_file) or not os.path.getsize(port_file):
            check(time.monotonic() < end, "the stub does not start")
            time.sleep(0.01)
        with open(port_file, encoding="ascii") as file:
            bench.study(OPENAI.format(port=file.read().strip()), 0, **env)
        documented(bench)
        done, = bench.rows("SELECT count(*) FROM request WHERE error = ''")
        check(done[0] == 1, "the key was not used")
    finally:
        stub.kill()
        stub.wait()
    bench.served(0, items=2, gates=", send_lag: 1", stub=("--ttft-ms", "5"), **env)
    full = dict(os.environ, PERJOULE_LIBEXEC=os.path.dirname(bench.perjoule), **env)
    for out in ("out1", "out2"):
        for number, words in enumerate((["report", "--out"], ["export"], ["export", "--format", "json"])):
            to = bench.path("%s-%s-%d" % (out, words[0], number))
            args = [*words, to] if words[-1] == "--out" else words
            done = subprocess.run([bench.perjoule, args[0], bench.path(out), *args[1:]],
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=100,
                                  env=full, cwd=bench.dir, check=False)
            bench.write(os.path.basename(to) + ".said", (done.stdout + done.stderr).decode())
            check(done.returncode in (0, 2), "%r: %r" % (words, done.stderr))
    found = holds(bench.dir, [key, *others])
    check(not found, "%r" % found)
    check(holds(bench.dir, ["127.0.0.1"]), "nothing is found at all")


gates.TESTS = [test_keys_of_a_served_study, test_what_is_missing_has_a_reason,
               test_a_study_with_a_secret_is_refused, test_secrets_of_the_environment_go_nowhere]

if __name__ == "__main__":
    sys.exit(gates.main())
