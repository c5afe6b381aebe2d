"""Files that are not whole, of a whole JPEG photo. Each function takes a generator, the number of the file in its kind
and the photo's file, and returns the file."""

from collections.abc import Callable

import numpy as np

from benchmarks.drawing import load, png

Make = Callable[[np.random.Generator, int, bytes], bytes]


def scan(data: bytes) -> range:
    """Places of the entropy-coded data: from the first start-of-scan segment's end to the end-of-image marker. In a
    progressive JPEG the tables between scans are among them."""
    at = 2
    while data[at + 1] != 0xDA:
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    end = data.rfind(b"\xff\xd9")
    return range(at + 2 + int.from_bytes(data[at + 2 : at + 4], "big"), end if end > at else len(data))


def pixel_chunks(data: bytes) -> range:
    """Places of the content of a PNG's IDAT chunks, with what stands between the chunks."""
    at = data.index(b"IDAT") + 4
    return range(at, data.rindex(b"IEND") - 8)


def flipped(rng: np.random.Generator, data: bytes, places: range, flips: int) -> bytes:
    """So many different bits of these places turned over."""
    out = np.frombuffer(data, np.uint8).copy()
    bits = rng.choice(8 * len(places), flips, replace=False)
    np.bitwise_xor.at(out, places.start + bits // 8, (1 << bits % 8).astype(np.uint8))
    return out.tobytes()


def _cut(share: float, data: bytes) -> bytes:
    return data[: max(1, int(len(data) * share))]


def _rot(rng: np.random.Generator, number: int, data: bytes) -> bytes:
    return flipped(rng, data, scan(data), 4**number)


def _rot_png(rng: np.random.Generator, number: int, data: bytes) -> bytes:
    whole = png(load(data))
    return flipped(rng, whole, pixel_chunks(whole), 4**number)


def _page(rng: np.random.Generator, number: int, data: bytes) -> bytes:
    return f"<!DOCTYPE html><title>404</title><p>Picture {rng.integers(10**6)} is not here.\n".encode()


# kind: (how many, file ending, how each is made)
BROKEN: dict[str, tuple[int, str, Make]] = {
    "zero_byte": (5, ".jpg", lambda rng, number, data: b""),
    "truncated_jpeg": (10, ".jpg", lambda rng, number, data: _cut((0.05, 0.25, 0.5, 0.75, 0.95)[number % 5], data)),
    "truncated_png": (
        5,
        ".png",
        lambda rng, number, data: _cut((0.05, 0.25, 0.5, 0.75, 0.95)[number], png(load(data))),
    ),
    "bit_rot_jpeg": (5, ".jpg", _rot),
    "bit_rot_png": (5, ".png", _rot_png),
    "text_named_jpg": (3, ".jpg", lambda rng, number, data: f"Notes, page {rng.integers(10**6)}.\n".encode()),
    "html_named_png": (3, ".png", _page),
}
FROM_PHOTO = ("truncated_jpeg", "truncated_png", "bit_rot_jpeg", "bit_rot_png")
# Files that are whole behind a misleading name.
MISNAMED: dict[str, tuple[int, str, Make]] = {
    "png_named_jpg": (3, ".jpg", lambda rng, number, data: png(load(data))),
    "jpeg_named_png": (3, ".png", lambda rng, number, data: data),
    "no_ending": (2, "", lambda rng, number, data: data),
    "folder_named_jpg": (1, ".jpg/inside.png", lambda rng, number, data: png(load(data))),
}
