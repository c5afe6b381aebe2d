"""What a file holds, and what of it is looked at."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import xxhash

INKS = "CMYK as RGB"  # what is seen of a picture that is held in inks


class Content(NamedTuple):
    """A picture as its file holds it."""

    pixels: np.ndarray  # (height, width, 3) uint8 RGB, upright: what is looked at
    digest: bytes  # 16 bytes, of all that the file holds, before anything is brought to 8 bits, or laid on white
    objection: str = ""  # what a strict decoder says
    seen: str = ""  # what is looked at, where that is not all: "the first of 24 frames, on white"


def joined(*words: str) -> str:
    return ", ".join(filter(None, words))


def digest_of(pixels: np.ndarray) -> bytes:
    """Of opaque 8-bit pixels (height, width, 3), which are all that the file holds: equal in all containers."""
    state = xxhash.xxh3_128(f"{pixels.shape[1]} {pixels.shape[0]}".encode())
    state.update(pixels.data)
    return state.digest()


def digest_of_frames(frames: Iterable[tuple[str, np.ndarray]]) -> bytes:
    """Of what is not: every frame with its mode, its type and its shape."""
    state = xxhash.xxh3_128(b"frames")
    for mode, held in frames:
        state.update(f"{mode} {held.dtype.str} {held.shape}".encode())
        state.update(np.ascontiguousarray(held).data)
    return state.digest()
