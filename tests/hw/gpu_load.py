#!/usr/bin/env python3
"""Loads one GPU in known phases and writes them down, for tests/hw/run-gpu.

usage: gpu_load.py PHASES.csv
PHASES.csv gets name,start_ns,end_ns (CLOCK_MONOTONIC) and counter_j, the difference of NVML's own energy
counter over the phase, read right at its edges. Needs PyTorch. Changes no clock, limit or mode.
"""
import csv
import ctypes
import sys
import time

import torch

nvml = ctypes.CDLL("libnvidia-ml.so.1")
assert nvml.nvmlInit_v2() == 0
device = ctypes.c_void_p()
assert nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(device)) == 0


def counter_mj():
    value = ctypes.c_ulonglong()
    assert nvml.nvmlDeviceGetTotalEnergyConsumption(device, ctypes.byref(value)) == 0
    return value.value


def tick_mj():
    """The counter right after it moved: it steps every 100 ms."""
    first = counter_mj()
    while True:
        value = counter_mj()
        if value != first:
            return value, time.monotonic_ns()


a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
b = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)


def busy(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(4):
            torch.matmul(a, b)
        torch.cuda.synchronize()


def square(seconds, on, off):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        busy(on)
        time.sleep(off)


busy(1)
time.sleep(3)
rows = []
for name, work in [("idle", lambda: time.sleep(8)), ("full", lambda: busy(10)),
                   ("idle", lambda: time.sleep(5)), ("square_50ms", lambda: square(8, .05, .05)),
                   ("square_300ms", lambda: square(9, .3, .3)), ("idle", lambda: time.sleep(5))]:
    before, start = tick_mj()
    work()
    after, end = tick_mj()
    rows.append([name, start, end, (after - before) / 1000])
with open(sys.argv[1], "w", newline="", encoding="ascii") as file:
    writer = csv.writer(file)
    writer.writerow(["name", "start_ns", "end_ns", "counter_j"])
    writer.writerows(rows)
