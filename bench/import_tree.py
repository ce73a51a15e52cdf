#!/usr/bin/env python3
"""bench/import_tree.py SOURCE OUT [COPIES]: a large tree of raw runs for `perjoule import greenlab`.

Replicates the runs below SOURCE until there are 900, each copy with its own noise: the counter is moved
by a random offset (so that others of them wrap), each power by up to 1 W, the time stamps by whole days.
Writes a table of the runs beside them. Measure with:

    bench/import_tree.py ../shared/greenlab/runs /tmp/tree
    du -sb /tmp/tree; /usr/bin/time -v build/src/cli/perjoule import greenlab /tmp/tree --out /tmp/study
"""
import csv
import os
import random
import sys

MODULUS = 262144


def read(path):
    with open(path, newline="") as file:
        return file.read()


def copy_samples(text, seed):
    rng = random.Random(seed)
    lines = text.splitlines()
    names = lines[0].split(",")
    energy, power, time = (names.index(n) for n in
                           ("PACKAGE_ENERGY (J)", "GPU0_POWER (mWatts)", "Time"))
    offset = rng.randrange(MODULUS * 16384) / 16384
    days = seed * 86400000
    out = [lines[0]]
    for line in lines[1:]:
        cells = line.split(",")
        cells[energy] = repr((float(cells[energy]) + offset) % MODULUS)
        cells[power] = str(int(cells[power]) + rng.randrange(1000))
        cells[time] = str(int(cells[time]) + days)
        out.append(",".join(cells))
    return "\n".join(out) + "\n"


def copy_prompts(text, seed):
    out = []
    for line in text.splitlines(keepends=True):
        cells = line.split("\t")
        if len(cells) > 2 and cells[0].isdigit():
            cells[0] = str(int(cells[0]) + seed * 86400)
            cells[1] = str(int(cells[1]) + seed * 86400)
        out.append("\t".join(cells))
    return "".join(out)


def main():
    source, target = sys.argv[1:3]
    copies = int(sys.argv[3]) if len(sys.argv) > 3 else 900
    runs = sorted(os.listdir(source))
    rows = []
    for number in range(copies):
        run = runs[number % len(runs)]
        index = int(run.split("_")[1])
        name = "run_%d_repetition_%d" % (index, number)
        folder = os.path.join(target, name)
        os.makedirs(folder)
        for file, change in (("energibridge.csv", copy_samples), ("prompts_out.tsv", copy_prompts),
                             ("energibridge-summary.txt", lambda text, seed: text)):
            with open(os.path.join(folder, file), "w", newline="") as out:
                out.write(change(read(os.path.join(source, run, file)), number))
        rows.append((name, "%d" % (index // 6), "%dB" % (index // 6), "task%d" % (index % 6)))
    with open(os.path.join(target, "run_table.csv"), "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("__run_id", "generation", "model_size", "task"))
        table.writerows(rows)


main()
