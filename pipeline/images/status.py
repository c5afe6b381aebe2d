"""The statuses of an image, and the refusal that gives one."""

import threading
from contextlib import AbstractContextManager, nullcontext

# Place in the list = the number in the store. ABSENT: a row number that no row has.
STATUSES = (
    "absent",
    "ok",
    "damaged",  # pixels came out, but a strict decoder objects: bit rot
    "truncated",  # the file ends too early
    "empty",  # no bytes
    "not_image",  # no known format
    "too_small",  # a side of one pixel: nothing to compare
    "too_large",  # more pixels than embed.max_pixels
    "unreadable",  # the file cannot be read, or its decoder fails
    "not_finite",  # a given vector holds NaN or infinity
)
ABSENT, OK, DAMAGED = 0, 1, 2
USABLE = (OK, DAMAGED)
READABLE = tuple(STATUSES[number] for number in USABLE)
# Larger images (in pixels) are decoded one at a time: what decoders need beside the pixels would add up over threads.
LARGE = 16_000_000
_one_large = threading.Lock()


class Refused(Exception):
    """An image that gets a status instead of pixels: Decoded's first two fields, and the size where it is known."""


def room_for(width: int, height: int, max_pixels: int) -> AbstractContextManager[object]:
    """Refuses what is too large; the context in which to decode what is not."""
    if width * height > max_pixels:
        raise Refused("too_large", f"{width} x {height} pixels; embed.max_pixels is {max_pixels}", width, height)
    return _one_large if width * height > LARGE else nullcontext()
