#!/usr/bin/python3
"""perjoule measure under a terminal: reading it, Ctrl-C, Ctrl-backslash, Ctrl-Z and fg.

A pseudo-terminal with a small job-control shell on it: the shell puts perjoule into a process group
of its own in the foreground, as every shell does, and tells what became of it through a pipe.
"""
import json
import os
import pty
import select
import signal
import time

import lean
from lean import PERJOULE

COUNTER = """
import signal, sys, time
seen = []
for n in (signal.SIGINT, signal.SIGQUIT):
    signal.signal(n, lambda number, frame: seen.append(number))
print("ready", flush=True)
end = time.monotonic() + 20
while not seen and time.monotonic() < end: time.sleep(0.01)
time.sleep(0.3)
print("seen", seen, flush=True)
sys.exit(9)
"""


def job_shell(report, argv):
    """Runs one job in the foreground, continues it whenever it stops; never returns, not even by an
    exception: the process is a copy of the test."""
    try:
        run_job(report, argv)
    finally:
        os._exit(1)


def run_job(report, argv):
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execv(argv[0], argv)
    while True:
        _, status = os.waitpid(job, os.WUNTRACED)
        os.tcsetpgrp(0, os.getpgrp())
        if not os.WIFSTOPPED(status):
            os.write(report, b"exit %d\n" % os.waitstatus_to_exitcode(status))
            os._exit(0)
        os.write(report, b"stopped %d %d\n" % (os.WSTOPSIG(status), job))
        time.sleep(0.3)
        os.tcsetpgrp(0, job)  # fg
        os.killpg(job, signal.SIGCONT)


class Terminal(lean.Case):
    def setUp(self):
        super().setUp()
        self.zone("intel-rapl:0", "package-0")
        self.json = self.path("result.json")

    def start(self, *command):
        read, write = os.pipe()
        pid, self.master = pty.fork()
        if pid == 0:
            job_shell(write, [PERJOULE, "measure", "--root", self.root, "--json", self.json, "--",
                              *command])
        os.close(write)
        self.shell, self.report, self.screen = pid, os.fdopen(read), ""

    def await_screen(self, text):
        end = time.monotonic() + 30
        while text not in self.screen:
            left = end - time.monotonic()
            self.assertGreater(left, 0, "'%s' never came; the screen: %r" % (text, self.screen))
            if select.select([self.master], [], [], left)[0]:
                try:
                    self.screen += os.read(self.master, 4096).decode()
                except OSError:  # the terminal is gone
                    self.assertIn(text, self.screen)

    def finish(self):
        """Exit code of perjoule; the result must be on the screen and in the file."""
        last = ""
        for line in self.report:
            last = line
        self.await_screen(" J \u00b1 ")
        os.waitpid(self.shell, 0)
        os.close(self.master)
        self.report.close()
        with open(self.json, encoding="utf-8") as file:
            self.result = json.load(file)
        self.assertTrue(last.startswith("exit "), last)
        return int(last.split()[1])

    def press(self, keys):
        os.write(self.master, keys)

    def test_the_child_reads_the_terminal(self):
        self.start("/bin/sh", "-c", "echo ready; read word; echo got:$word; test -t 0 -a -t 1")
        self.await_screen("ready")
        self.press(b"hello\n")
        self.await_screen("got:hello")
        self.assertEqual(self.finish(), 0)

    def test_ctrl_c_arrives_once(self):
        self.start("/usr/bin/python3", "-c", COUNTER)
        self.await_screen("ready")
        self.press(b"\x03")
        self.await_screen("seen [2]")
        self.assertEqual(self.finish(), 9)
        self.assertEqual(self.result["child_status"], 9)

    def test_ctrl_backslash_arrives_once(self):
        self.start("/usr/bin/python3", "-c", COUNTER)
        self.await_screen("ready")
        self.press(b"\x1c")
        self.await_screen("seen [3]")
        self.assertEqual(self.finish(), 9)

    def test_ctrl_c_ends_a_plain_child_and_the_result_is_printed(self):
        self.start("/bin/sh", "-c", "echo ready; exec sleep 30")
        self.await_screen("ready")
        self.press(b"\x03")
        self.assertEqual(self.finish(), 128 + signal.SIGINT)
        self.assertLess(self.result["wall_s"], 25)

    def test_ctrl_z_stops_both_and_fg_continues_both(self):
        self.start("/bin/sh", "-c", "echo ready; read word; echo got:$word")
        self.await_screen("ready")
        self.press(b"\x1a")
        line = self.report.readline().split()
        self.assertEqual(line[:2], ["stopped", str(int(signal.SIGTSTP))])
        self.press(b"again\n")  # after fg
        self.await_screen("got:again")
        self.assertEqual(self.finish(), 0)
        self.assertGreaterEqual(self.result["wall_s"], 0.3)

    def test_ctrl_z_twice(self):
        self.start("/bin/sh", "-c", "echo ready; read a; echo one:$a; read b; echo two:$b")
        self.await_screen("ready")
        self.press(b"\x1a")
        self.assertEqual(self.report.readline().split()[0], "stopped")
        self.press(b"x\n")
        self.await_screen("one:x")
        self.press(b"\x1a")
        self.assertEqual(self.report.readline().split()[0], "stopped")
        self.press(b"y\n")
        self.await_screen("two:y")
        self.assertEqual(self.finish(), 0)


if __name__ == "__main__":
    lean.main()
