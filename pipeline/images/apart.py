"""Decoding in processes apart, so that no file takes this one along: a crash, a hang, more memory than is allowed and
what libraries print become what is said of the file.

A process serves one request at a time: the limits and the bytes of a file, answered by a header of JSON and the pixels.
Idle ones wait for the next; they end when this process does.
"""

import atexit
import json
import os
import queue
import select
import signal
import struct
import subprocess
import sys
from typing import Any, NamedTuple

import numpy as np

REQUEST = struct.Struct("<QQQ?")  # bytes of the file, max_pixels, bytes of memory, whether a large one may be decoded
HEADER = struct.Struct("<Q")  # bytes of the answer's JSON
PIPE = 1 << 20  # bytes of a pipe, where they can be chosen: with the usual 64 KB, most of the time is spent waiting
SECONDS = 300  # after which a decoder is taken to hang


class Answer(NamedTuple):
    about: dict[str, Any]  # the fields of decode.Decoded, but for the pixels; or `large`
    pixels: np.ndarray | None


class Died(Exception):
    """The process ended, or was ended, before it answered: why."""


class _Process:
    def __init__(self) -> None:
        path = os.pathsep.join(place for place in sys.path if place)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pixsieve.images.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            pipesize=PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )

    def ask(self, data: bytes, max_pixels: int, memory: int, alone: bool) -> Answer:
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None and stdout is not None
        try:
            _write(stdin.fileno(), REQUEST.pack(len(data), max_pixels, memory, alone))
            _write(stdin.fileno(), data)
        except BrokenPipeError:
            raise Died(self._end()) from None
        if not select.select([stdout], [], [], SECONDS)[0]:
            self.process.kill()
            self.close()
            raise Died(f"its decoder was stopped after {SECONDS} s")
        about = json.loads(self._read(HEADER.unpack(self._read(HEADER.size))[0]))
        shape = about.pop("shape", None)
        if shape is None:
            return Answer(about, None)
        pixels = np.empty(shape, np.uint8)
        self._fill(pixels.data.cast("B"))
        return Answer(about, pixels)

    def _read(self, size: int) -> bytes:
        found = bytearray(size)
        self._fill(memoryview(found))
        return bytes(found)

    def _fill(self, view: memoryview) -> None:
        assert self.process.stdout is not None
        while view:
            got = self.process.stdout.readinto(view)  # type: ignore[attr-defined]
            if not got:
                raise Died(self._end())
            view = view[got:]

    def _end(self) -> str:
        self.close()
        code = self.process.returncode
        return (
            f"its decoder was ended by {signal.Signals(-code).name}" if code < 0 else f"its decoder ended with {code}"
        )

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


_idle: "queue.LifoQueue[_Process]" = queue.LifoQueue()


def read(data: bytes, max_pixels: int, memory: int, alone: bool) -> Answer:
    """Raises Died; OSError where no process can be started."""
    try:
        process = _idle.get_nowait()
    except queue.Empty:
        process = _Process()
    answer = process.ask(data, max_pixels, memory, alone)
    _idle.put(process)
    return answer


def _write(to: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(to, view) :]


def _close() -> None:
    while not _idle.empty():
        _idle.get_nowait().close()


atexit.register(_close)
os.register_at_fork(after_in_child=lambda: _idle.queue.clear())
