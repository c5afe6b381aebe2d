"""The process that decodes (apart.py starts it): `python -m pixsieve.images.child`, requests on standard input."""

import json
import os
import resource
import signal
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from PIL import Image

from pixsieve.images import formats
from pixsieve.images.apart import HEADER, REQUEST
from pixsieve.images.read import read
from pixsieve.images.status import IsLarge, Limits, Refused


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one that asks decides when to end
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    cv2.setNumThreads(1)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    with (
        open(os.dup(0), "rb") as requests,  # noqa: PTH123 (descriptors)
        open(os.dup(1), "wb") as answers,  # noqa: PTH123
        tempfile.TemporaryFile() as printed,
        open(os.devnull, "rb") as nothing,  # noqa: PTH123
    ):
        os.dup2(nothing.fileno(), 0)
        os.dup2(printed.fileno(), 1)
        os.dup2(printed.fileno(), 2)
        while head := requests.read(REQUEST.size):
            size, max_pixels, memory, alone = REQUEST.unpack(head)
            about, pixels = _answer(requests.read(size), Limits(max_pixels, alone), memory, printed)
            if pixels is not None:
                about["shape"] = pixels.shape
            text = json.dumps(about).encode()
            answers.write(HEADER.pack(len(text)) + text)
            if pixels is not None:
                answers.write(pixels.data)
            answers.flush()


def _answer(data: bytes, limits: Limits, memory: int, printed: BinaryIO) -> tuple[dict[str, Any], np.ndarray | None]:
    printed.seek(0)
    printed.truncate()
    about: dict[str, Any] = {"status": "ok", "reason": ""}
    pixels, warned = None, []
    try:
        _limit(memory)
        Image.MAX_IMAGE_PIXELS = limits.max_pixels / 2  # type: ignore[assignment] # Pillow refuses twice as much
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            about["format"] = formats.by_content(data)
            found = read(data, limits)
        pixels = found.pixels
        height, width = pixels.shape[:2]
        about |= {"width": width, "height": height, "digest": found.digest.hex(), "seen": found.seen}
        if found.objection:
            about |= {"status": "damaged", "reason": found.objection}
        if min(width, height) < 2:
            about |= {"status": "too_small", "reason": f"{width} x {height} pixels"}
            pixels = None
    except IsLarge:
        return {"large": True}, None
    except Refused as refusal:
        status, reason, *sides = refusal.args
        about |= {"status": status, "reason": reason, **dict(zip(("width", "height"), sides, strict=False))}
    except Exception as error:  # decoders of damaged data raise anything; the row keeps its place and says why
        status = "too_large" if _is_memory(error) else "unreadable"
        reason = f"decoding takes more than {memory >> 20} MB of memory (embed.max_decode_mb)"
        about |= {"status": status, "reason": reason if status == "too_large" else f"{type(error).__name__}: {error}"}
    finally:
        _limit(0)
    about["reason"] = about["reason"] or _said(printed, warned)
    return about, pixels


def _is_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or (isinstance(error, cv2.error) and error.code == cv2.Error.StsNoMem)


def _said(printed: BinaryIO, warned: list[warnings.WarningMessage]) -> str:
    """The first line of what libraries have printed, or of what they warned of."""
    sys.stdout.flush()
    sys.stderr.flush()
    printed.seek(0)
    lines = [line.strip() for line in printed.read(4096).decode("utf-8", "replace").splitlines()]
    lines += [str(one.message) for one in warned if not issubclass(one.category, Image.DecompressionBombWarning)]
    return next((line[:200] for line in lines if line), "")


def _limit(memory: int) -> None:
    """Bytes that may be taken beyond what is taken now; 0: no limit. Only Linux says what is taken."""
    taken = Path("/proc/self/statm")
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if taken.exists():
        now = int(taken.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + memory if memory else hard, hard))


if __name__ == "__main__":
    main()
