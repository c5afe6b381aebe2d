"""What is kept of a photo and a copy of it, kind by kind: by the defaults, and by size, bytes and name only.

    python -m benchmarks.kept PHOTOS [--photos 100] [--seed 0] [--record]

PHOTOS is a folder of JPEG files. Right is what a person would keep: the photo; of a lossless picture and a
JPEG made of it the former. A share is one of the copies that are found to be near.
"""

import argparse
import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from benchmarks import record, table
from benchmarks.drawing import bytes_of, generator, jpeg, load, png, resized
from benchmarks.drawing.copies import COPIES
from pixsieve import Config, run
from pixsieve.config.sections import Duplicates

RULES = {"size": ["resolution", "bytes", "key"], "defaults": Duplicates().keep}
Draw = Callable[[np.random.Generator, bytes], tuple[bytes, str]]  # the copy, and how its name ends


def _enlarged(low: float, high: float, encode: Callable[[np.ndarray], bytes], ending: str) -> Draw:
    def draw(rng: np.random.Generator, data: bytes) -> tuple[bytes, str]:
        photo, factor = load(data), rng.uniform(low, high)
        size = tuple(round(side * factor) for side in photo.shape[1::-1])
        how = rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4])
        return encode(cv2.resize(photo, size, interpolation=int(how))), ending

    return draw


def _saved(form: str, mode: str, ending: str, **options: object) -> Draw:
    def draw(rng: np.random.Generator, data: bytes) -> tuple[bytes, str]:
        out = io.BytesIO()
        Image.fromarray(load(data)).convert(mode).save(out, form, **options)
        return out.getvalue(), ending

    return draw


def _lighter(rng: np.random.Generator, data: bytes) -> tuple[bytes, str]:
    return png(bytes_of(load(data) * 1.06)), ".png"


def _of(kind: str) -> Draw:
    return lambda rng, data: (COPIES[kind][1](rng, data), ".jpg")


KINDS: dict[str, Draw] = {
    "enlarged to 110 to 140 %, JPEG": _enlarged(1.1, 1.4, lambda one: jpeg(one, 85), ".jpg"),
    "enlarged to 140 to 200 %, JPEG": _enlarged(1.4, 2, lambda one: jpeg(one, 85), ".jpg"),
    "enlarged to 200 to 300 %, JPEG": _enlarged(2, 3, lambda one: jpeg(one, 85), ".jpg"),
    "enlarged to 110 to 140 %, PNG": _enlarged(1.1, 1.4, png, ".png"),
    "enlarged to 140 to 300 %, PNG": _enlarged(1.4, 3, png, ".png"),
    "PNG": _saved("PNG", "RGB", ".png", compress_level=1),
    "TIFF": _saved("TIFF", "RGB", ".tif"),
    "lighter by 6 %, PNG": _lighter,
    "CMYK TIFF": _saved("TIFF", "CMYK", ".tif"),
    "CMYK JPEG of quality 95": _saved("JPEG", "CMYK", ".jpg", quality=95),
    "the same file, called (1)": lambda rng, data: (data, " (1).jpg"),
    "the same file, called kopie": lambda rng, data: (data, " - kopie.jpg"),
    "recompressed, quality 60": _saved("JPEG", "RGB", ".jpg", quality=60),
    "recompressed, quality 98": _saved("JPEG", "RGB", ".jpg", quality=98),
    "reduced to 70 to 90 %": _of("resize_70_90"),
    "reduced to 50 to 69 %": _of("resize_50_69"),
    "cropped by 5 to 10 %": _of("crop_5_10"),
    "rotated by 2 to 5 degrees": _of("rotate_2_5"),
}


def lossless(data: bytes) -> tuple[bytes, str]:
    """A picture without traces of a JPEG."""
    return png(resized(load(data), 0.6)), ".png"


def decoded(data: bytes) -> tuple[bytes, str]:
    """A picture with traces of a JPEG that is not there."""
    return png(load(data)), ".png"


def shares(photos: list[bytes], folder: Path, rng: np.random.Generator, draw: Draw, first: Callable) -> list[object]:
    """How many copies are near, and by each set of rules the share where the first picture is kept."""
    images = folder / "images"
    images.mkdir(parents=True)
    firsts = {}
    for number, data in enumerate(photos):
        picture, ending = first(data)
        copy, its = draw(rng, picture)
        own, other = (
            (f"{number:04}", f"{number:04}x")
            if its[0] != "." or rng.random() < 0.5
            else (f"{number:04}x", f"{number:04}")
        )
        (images / f"{own}{ending}").write_bytes(picture)
        (images / f"{other if its[0] == '.' else own}{its}").write_bytes(copy)
        firsts[f"{own}{ending}"] = number
    found: list[object] = []
    for rules in RULES.values():
        config = Config.model_validate(
            {"source": {"path": str(images)}, "run": {"path": str(folder / "run")}, "duplicates": {"keep": rules}}
        )
        run(config, until="duplicates")
        rows = pq.read_table(folder / "run/duplicates.parquet", columns=["key", "group", "keep"]).to_pylist()
        of = {row["key"]: row["keep"] for row in rows}
        near = [keep for key, keep in of.items() if key in firsts]
        found = found or [len(near)]
        found.append(float(np.mean(near)) if near else float("nan"))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos_folder", type=Path, metavar="PHOTOS")
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", action="store_true")
    asked = parser.parse_args()
    paths = sorted(path for path in asked.photos_folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    photos, rows = [path.read_bytes() for path in paths[: asked.photos]], []
    cases = [(kind, draw, lambda data: (data, ".jpg")) for kind, draw in KINDS.items()]
    quality = _saved("JPEG", "RGB", ".jpg", quality=80)
    cases += [("JPEG of quality 80 of a lossless picture", quality, lossless)]
    cases += [("JPEG of quality 50 of a PNG that was a JPEG", _saved("JPEG", "RGB", ".jpg", quality=50), decoded)]
    for kind, draw, first in cases:
        with tempfile.TemporaryDirectory() as scratch:
            rows.append((kind, *shares(photos, Path(scratch), generator(asked.seed, kind), draw, first)))
    head = ("copy", "found", *(f"right by {name}" for name in RULES))
    table(f"{len(photos)} photos", head, rows)
    if asked.record:
        record("kept", {"photos": len(photos), "head": head, "rows": rows})


if __name__ == "__main__":
    main()
