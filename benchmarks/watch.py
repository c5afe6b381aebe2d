"""A command in processes of its own, and what it cost."""

import os
import resource
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import psutil


class Watched(NamedTuple):
    exit: int | str  # or "timeout"
    wall_s: float
    cpu_s: float  # of all processes that it waited for
    peak_mb: int  # most that its processes held together: proportional set sizes, five times a second


def watch(command: list[str], folder: Path, log: Path, limit_s: float) -> Watched:
    """Runs it in a folder, its output in the log; past the limit all its processes are killed."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=out, start_new_session=True)
    parent, peak, late = psutil.Process(process.pid), 0, False
    while process.poll() is None:
        peak = max(peak, _held(parent))
        if late := time.perf_counter() - started > limit_s:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        time.sleep(0.2)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Watched("timeout" if late else process.returncode, round(seconds, 1), round(used, 1), peak >> 20)


def _held(parent: psutil.Process) -> int:
    held = 0
    try:
        for process in (parent, *parent.children(recursive=True)):
            held += process.memory_full_info().pss
    except psutil.Error:  # one ended meanwhile
        pass
    return held
