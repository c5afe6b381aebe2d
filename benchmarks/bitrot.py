"""Which rot in the pixel data of images is noticed: random bits and bytes changed, and decoded.

    python -m benchmarks.bitrot PHOTOS [--each 5] [--seed 0]

PHOTOS is a folder of JPEG files. `noticed`: the decoder of the pipeline gives a status other than ok; `harmless`: the
status is ok, and so is every pixel; `missed`: it is ok, and pixels differ. A JPEG has no checksum: a changed bit
is another picture, unless the decoder meets a code that there is not, or has too much or too little left at the end.
`pillow` is the share that Pillow refuses to load, `changed` the median share of pixels that differ where rot is missed.
"""

import argparse
import io
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import record, table
from benchmarks.drawing import generator, load, png
from benchmarks.drawing.broken import flipped, pixel_chunks, scan
from pixsieve.images.decode import Decoded, decode

MAX_PIXELS = 10**9


def another_byte(rng: np.random.Generator, data: bytes, places: range) -> bytes:
    out, at = bytearray(data), places[int(rng.integers(len(places)))]
    out[at] ^= int(rng.integers(1, 256))
    return bytes(out)


def outcome(whole: Decoded, data: bytes) -> tuple[str, float]:
    """Status, `harmless` or `missed`; and the share of pixels that differ, of those that are missed."""
    found = decode(data, MAX_PIXELS)
    if found.status != "ok":
        return found.status, 0.0
    assert whole.pixels is not None and found.pixels is not None
    if found.pixels.shape != whole.pixels.shape:
        return "missed", 1.0
    changed = float((found.pixels != whole.pixels).any(axis=2).mean())
    return ("missed" if changed else "harmless"), changed


def pillow_refuses(data: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    except (OSError, SyntaxError, ValueError):  # SyntaxError, ValueError: chunks of a PNG that are none
        return True
    return False


def study(photos: list[Path], each: int, seed: int) -> dict[str, dict[str, Any]]:
    kinds = {
        "jpeg, 1 bit": (False, lambda rng, data, places: flipped(rng, data, places, 1)),
        "jpeg, 1 byte": (False, another_byte),
        "jpeg, 16 bits": (False, lambda rng, data, places: flipped(rng, data, places, 16)),
        "png, 1 bit": (True, lambda rng, data, places: flipped(rng, data, places, 1)),
    }
    found: dict[str, dict[str, Any]] = {}
    for kind, (as_png, change) in kinds.items():
        outcomes, refused = [], 0
        for path in photos:
            rng, data = generator(seed, f"{kind} {path.name}"), path.read_bytes()
            data = png(load(data)) if as_png else data
            whole, places = decode(data, MAX_PIXELS), pixel_chunks(data) if as_png else scan(data)
            if whole.status != "ok":
                raise ValueError(f"{path} is {whole.status} before it is rotten; name a folder of whole photos")
            for _ in range(each):
                rotten = change(rng, data, places)
                outcomes.append(outcome(whole, rotten))
                refused += pillow_refuses(rotten)
        n, names = len(outcomes), [name for name, _ in outcomes]
        missed = [changed for name, changed in outcomes if name == "missed"]
        found[kind] = {
            "n": n,
            "noticed": 1 - (names.count("harmless") + len(missed)) / n,
            "harmless": names.count("harmless") / n,
            "missed": len(missed) / n,
            "pillow": refused / n,
            "changed": median(missed) if missed else None,
            "statuses": {name: names.count(name) for name in sorted({*names} - {"harmless", "missed"})},
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--each", type=int, default=5, help="changes of each kind in each photo")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = study(sorted(options.photos.iterdir()), options.each, options.seed)
    head = ("n", "noticed", "harmless", "missed", "pillow", "changed")
    rows = [(kind, *("-" if row[name] is None else row[name] for name in head)) for kind, row in found.items()]
    table("Rot in the pixel data", ("", *head), rows)
    for kind, row in found.items():
        print(kind, row["statuses"])
    record("findings", {"what": "bitrot", "each": options.each, "seed": options.seed, "found": found})


if __name__ == "__main__":
    main()
