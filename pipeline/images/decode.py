"""Bytes of an image file to RGB pixels and a status. Nothing here raises for a bad image."""

import threading
import warnings
from dataclasses import dataclass

import cv2
import numpy as np

from pixsieve.images import apart
from pixsieve.images.jpeg import JPEG, read_plain
from pixsieve.images.status import Limits, Refused

cv2.setNumThreads(1)
warnings.filterwarnings("ignore", module=r"PIL\.")  # what is wrong with a file is said of the file
MAX_DECODE_MB = 4096
_one_large = threading.Lock()


@dataclass(frozen=True)
class Decoded:
    status: str
    reason: str = ""
    pixels: np.ndarray | None = None  # (height, width, 3) uint8 RGB, upright
    width: int = 0
    height: int = 0
    format: str | None = None
    digest: bytes | None = None  # of all that the file holds, not only of `pixels`
    seen: str = ""  # what `pixels` are, where they are not all that the file holds


def decode(data: bytes, max_pixels: int, max_mb: int = MAX_DECODE_MB) -> Decoded:
    """Decodes with the orientation applied. Of more than 8 bits, transparency and animations `pixels` has what can be
    looked at, and `digest` all there is: docs/images.md.

    A faultless JPEG of common size is decoded here, everything else in a process apart, which may take `max_mb` beside
    the file. OSError where no process can be started.
    """
    if not data:
        return Decoded("empty", "the file has no bytes")
    try:
        plain = read_plain(data, Limits(max_pixels)) if data.startswith(JPEG) else None
    except Refused as refusal:
        status, reason, *sides = refusal.args
        width, height = sides or (0, 0)
        return Decoded(status, reason, None, width, height, "JPEG")
    if plain and min(plain.pixels.shape[:2]) > 1:
        height, width = plain.pixels.shape[:2]
        return Decoded("ok", "", plain.pixels, width, height, "JPEG", plain.digest)
    try:
        answer = apart.read(data, max_pixels, max_mb << 20, alone=False)
        if answer.about.get("large"):
            with _one_large:
                answer = apart.read(data, max_pixels, max_mb << 20, alone=True)
    except apart.Died as death:
        return Decoded("unreadable", str(death))
    about = answer.about
    digest = about.pop("digest", None)
    return Decoded(**about, pixels=answer.pixels, digest=digest and bytes.fromhex(digest))
