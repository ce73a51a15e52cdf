#!/usr/bin/python3
"""A model that is no language model: is there an object in the image?

    find.py fixed|otsu        (standard input and output: docs/engines.md, protocol jsonl)

The threshold between background and object is fixed, or the one of Otsu (IEEE Trans. SMC 9, 1979).
"""
import json
import sys


def otsu(values):
    best, threshold = -1.0, 0
    for cut in range(0, 255, 5):
        low = [v for v in values if v <= cut]
        high = [v for v in values if v > cut]
        if not low or not high:
            continue
        between = len(low) * len(high) * (sum(low) / len(low) - sum(high) / len(high)) ** 2
        if between > best:
            best, threshold = between, cut
    return threshold


def segment(rows, method):
    values = [v for row in rows for v in row]
    cut = 128 if method == "fixed" else otsu(values)
    if method == "otsu" and max(values) - min(values) < 40:
        cut = 255  # noise alone
    return [[1 if v > cut else 0 for v in row] for row in rows]


def say(message):
    print(json.dumps(message), flush=True)  # flush: perjoule waits for the line


def main():
    method = sys.argv[1]
    # here a real program loads its model: the time until "ready" is the trial's load phase
    say({"ready": True, "name": "find.py", "version": "1", "model": method})
    for line in sys.stdin:  # ends when perjoule closes our input
        question = json.loads(line)
        try:
            mask = segment(question["item"]["rows"], method)
        except (KeyError, TypeError) as error:
            say({"id": question["id"], "error": "no image: %r" % error})
            continue
        area = sum(map(sum, mask))
        pixels = sum(map(len, mask))
        found = 0.02 < area / pixels < 0.5
        say({"id": question["id"], "output": "object" if found else "empty",
             "counts": {"pixel": pixels}})


if __name__ == "__main__":
    main()
