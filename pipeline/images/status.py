"""The statuses of an image, the refusal that gives one, and the limits of what is decoded."""

from typing import NamedTuple

# Place in the list = the number in the store. ABSENT: a row number that no row has.
STATUSES = (
    "absent",
    "ok",
    "damaged",  # pixels came out, but a strict decoder objects: bit rot
    "truncated",  # the file ends too early
    "empty",  # no bytes
    "not_image",  # no known format
    "too_small",  # a side of one pixel: nothing to compare
    "too_large",  # more pixels than embed.max_pixels, memory than embed.max_decode_mb; a vector, for embed.dtype
    "unreadable",  # the file cannot be read, or its decoder fails
    "not_finite",  # a given vector holds NaN or infinity, or its chunk is missing
    "zero",  # a given vector of zeros, which has no direction
)
ABSENT, OK, DAMAGED = 0, 1, 2
USABLE = (OK, DAMAGED)
READABLE = tuple(STATUSES[number] for number in USABLE)
# Larger images (in pixels) are decoded one at a time: what decoders need beside the pixels would add up over threads.
LARGE = 16_000_000


class Refused(Exception):
    """An image that gets a status instead of pixels: Decoded's first two fields, and the size where it is known."""


class IsLarge(Exception):
    """Not now: the image is to be decoded while no other large one is."""


class Limits(NamedTuple):
    max_pixels: int
    alone: bool = False  # no other large image is being decoded

    def check(self, width: int, height: int) -> None:
        """Refused for an image that is too large, IsLarge for one that has to wait for its turn."""
        if width * height > self.max_pixels:
            raise Refused(
                "too_large", f"{width} x {height} pixels; embed.max_pixels is {self.max_pixels}", width, height
            )
        if width * height > LARGE and not self.alone:
            raise IsLarge
