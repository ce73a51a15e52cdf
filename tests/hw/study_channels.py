#!/usr/bin/env python3
"""study_channels.py STUDY: what each instrument said in the measured windows, treatment by treatment.

The report's figures are of the total; a table of channels shows the accelerator's share of it. Means over
done and invalid attempts (marked), J/token by the tokens of the same window, idle power beside it.
"""
import collections
import os
import sqlite3
import sys


def main():
    db = sqlite3.connect("file:%s?mode=ro" % os.path.join(sys.argv[1], "study.sqlite"), uri=True)
    levels = collections.defaultdict(list)
    for trial, text in db.execute(
            "SELECT t.trial, l.text FROM trial_level t JOIN level l ON l.factor = t.factor AND "
            "l.position = t.level ORDER BY t.trial, t.factor"):
        levels[trial].append(text)
    seconds = {(a, n, t): (e - s) / 1e9 for a, n, t, s, e in db.execute(
        "SELECT attempt, name, task, start_ns, end_ns FROM phase")}
    tokens = dict(((a, t), v) for a, t, v in db.execute(
        "SELECT attempt, task, value FROM metric WHERE name = 'output_tokens'"))
    rows = collections.defaultdict(list)
    for trial, state, attempt, phase, task, name, joules, u in db.execute(
            "SELECT t.id, a.state, a.id, e.phase, e.task, e.name, e.value_j, "
            "sqrt(e.u_ind_j * e.u_ind_j + e.u_com_j * e.u_com_j) FROM trial t "
            "JOIN attempt a ON a.trial = t.id JOIN energy e ON e.attempt = a.id "
            "WHERE a.state IN ('done', 'invalid') AND e.phase IN ('measure', 'idle') "
            "AND e.value_j IS NOT NULL ORDER BY e.id"):
        rows[" ".join(levels[trial]), phase, task, name].append(
            (joules, u, seconds[attempt, phase, task], tokens.get((attempt, task)), state))
    print("%-10s %-8s %-12s %-24s %3s %9s %9s %7s %10s %9s" % (
        "treatment", "phase", "task", "channel", "n", "s", "J", "u %", "W", "J/token"))
    for (level, phase, task, name), found in sorted(rows.items(), key=lambda r: (
            r[0][1], r[0][2], len(r[0][0]), r[0])):
        n = len(found)
        joules, u, length = (sum(row[i] for row in found) / n for i in range(3))
        made = [row[3] for row in found if row[3]]
        print("%-10s %-8s %-12s %-24s %3d %9.3f %9.1f %7.1f %10.1f %9s%s" % (
            level, phase, task, name, n, length, joules, 100 * u / joules if joules else 0,
            joules / length, "%.5f" % (joules / (sum(made) / n)) if made else "",
            "" if all(row[4] == "done" for row in found) else "  (%d invalid)" % sum(
                row[4] == "invalid" for row in found)))


if __name__ == "__main__":
    main()
