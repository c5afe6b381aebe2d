"""Files that crash, hang, print or eat memory cost themselves only."""

import os
import signal
import subprocess
import sys
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from pixsieve.images import apart, decode
from pixsieve.images.status import LARGE
from tests.pipeline.helpers import pattern

LIMIT = 50_000_000


def encoded(image: Image.Image, format_: str, **options) -> bytes:
    out = BytesIO()
    image.save(out, format_, **options)
    return out.getvalue()


@pytest.fixture
def bmp() -> bytes:
    return encoded(Image.fromarray(pattern(np.random.default_rng(0))), "BMP")


@pytest.fixture
def alone():
    """No process is idle, so that the next is a new one; it is given back."""
    held = []
    while not apart._idle.empty():
        held.append(apart._idle.get_nowait())
    yield
    for process in held:
        apart._idle.put(process)


def chunk(name: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")


def grey_png(width: int, height: int) -> bytes:
    """A PNG of zeros: a few KB, whatever its size."""
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x04\0\0\0"  # grey with opacity: by Pillow
    packer, rows = zlib.compressobj(9), bytes(1 + 2 * width)
    body = b"".join(packer.compress(rows) for _ in range(height)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_more_memory_than_allowed_is_a_status(bmp):
    data = grey_png(4000, 3900)
    assert len(data) < 100_000
    found = decode.decode(data, LIMIT, 50)
    assert found.status == "too_large" and "embed.max_decode_mb" in found.reason and found.pixels is None
    assert decode.decode(data, LIMIT).status == "ok"
    assert decode.decode(bmp, LIMIT, 50).status == "ok"  # by the same process


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSEGV])
def test_a_decoder_that_dies_is_said_of_the_file(bmp, end, alone, monkeypatch):
    process = apart._Process()
    apart._idle.put(process)
    monkeypatch.setattr(process, "_read", lambda size: os.kill(process.process.pid, end) or raise_died(process))
    found = decode.decode(bmp, LIMIT)
    assert found.status == "unreadable" and end.name in found.reason
    assert decode.decode(bmp, LIMIT).status == "ok"  # by a new one


def raise_died(process: apart._Process) -> bytes:
    raise apart.Died(process._end())


def test_a_decoder_that_hangs_is_stopped(bmp, alone, monkeypatch):
    process = apart._Process()
    os.kill(process.process.pid, signal.SIGSTOP)
    apart._idle.put(process)
    monkeypatch.setattr(apart, "SECONDS", 0.2)
    found = decode.decode(bmp, LIMIT)
    assert found.status == "unreadable" and "was stopped after" in found.reason
    assert process.process.poll() == -signal.SIGKILL


def test_what_libraries_print_is_a_reason(tmp_path):
    """libpng prints to standard error, past Python."""
    path = tmp_path / "odd.png"
    whole = encoded(Image.fromarray(pattern(np.random.default_rng(0))), "PNG")
    path.write_bytes(whole[:33] + chunk(b"iCCP", b"name\0\0" + zlib.compress(b"no profile")) + whole[33:])
    code = f"""
from pixsieve.images.decode import decode
found = decode(open({str(path)!r}, "rb").read(), 10**6)
assert found.status == "ok" and "iCCP" in found.reason, found
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_threads_have_a_process_each_and_large_images_wait_for_each_other(alone):
    large, small = grey_png(4100, 4100), encoded(Image.fromarray(pattern(np.random.default_rng(0))), "PNG")
    assert LARGE < 4100**2
    inside, most, gate = 0, 0, threading.Lock()
    read = apart.read

    def counted(data, max_pixels, memory, alone):
        nonlocal inside, most
        with gate:
            inside += alone
            most = max(most, inside)
        try:
            return read(data, max_pixels, memory, alone)
        finally:
            with gate:
                inside -= alone

    apart.read = counted
    try:
        with ThreadPoolExecutor(3) as threads:
            found = list(threads.map(lambda data: decode.decode(data, LIMIT), [large, small, large, small, large]))
    finally:
        apart.read = read
    assert [one.status for one in found] == ["ok"] * 5 and most == 1
    assert 1 <= apart._idle.qsize() <= 3


def test_processes_end_with_the_one_that_asked(bmp, tmp_path):
    (tmp_path / "a.bmp").write_bytes(bmp)
    code = f"""
import os, signal
from pixsieve.images import apart, decode
assert decode.decode(open({str(tmp_path / "a.bmp")!r}, "rb").read(), 10**6).status == "ok"
print(apart._idle.queue[0].process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    pid = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout)
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        threading.Event().wait(0.05)
    assert (tmp_path / "never").exists(), "the process lives on"
