"""What speaks against near pairs: on copies, and on pictures in which something has come, or whose colours are others.

    python -m benchmarks.doubts PHOTOS [--photos 100] [--seed 0] [--record]

PHOTOS is a folder of JPEG files. Of each kind of copy that `benchmarks.planted` plants, of photos with a patch of
another one pasted in, and of photos with other hues: the share that is doubted, and the measurements behind it (the
share of the structure that is another one, doubted above 0.12; how far the colours are apart, above 0.40): median,
99 of 100, most.
"""

import argparse
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

from benchmarks import record, table
from benchmarks.drawing import generator, load
from benchmarks.drawing.copies import COPIES
from pixsieve.descriptors.doubts import doubt
from pixsieve.descriptors.structure import changed, see
from pixsieve.images import colour
from pixsieve.images.luma import small
from pixsieve.images.statistics import luma, reduce

TURNED = {"hflip", "exif_rotated"}  # upright, they are other kinds of copies
PATCHES = (0.04, 0.08, 0.16)  # sides, of the longer side


def pasted(rng: np.random.Generator, photo: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    side, out = int(min(share * max(photo.shape[:2]), *other.shape[:2], *photo.shape[:2])), photo.copy()
    (y, x), (v, u) = ((int(rng.integers(0, n - side + 1)) for n in one.shape[:2]) for one in (photo, other))
    out[y : y + side, x : x + side] = other[v : v + side, u : u + side]
    return out


def recoloured(photo: np.ndarray) -> np.ndarray:
    hues = cv2.cvtColor(photo, cv2.COLOR_RGB2HSV)
    hues[:, :, 0] = (hues[:, :, 0].astype(int) + 30) % 180
    return cv2.cvtColor(hues, cv2.COLOR_HSV2RGB)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos_folder", type=Path, metavar="PHOTOS")
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", action="store_true")
    asked = parser.parse_args()
    rng, found = generator(asked.seed, "doubts"), defaultdict[str, list[tuple[bool, float, float]]](list)
    paths = sorted(path for path in asked.photos_folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    files = [path.read_bytes() for path in paths[: asked.photos]]
    for data, after in zip(files, files[1:] + files[:1], strict=True):
        photo, other = load(data), load(after)
        made = {kind: load(make(rng, data)) for kind, (_, make) in COPIES.items() if kind not in TURNED}
        made |= {f"patch of {share:.0%}": pasted(rng, photo, other, share) for share in PATCHES}
        made |= {"red for blue": np.ascontiguousarray(photo[:, :, ::-1]), "hues + 60 degrees": recoloured(photo)}
        own, cells = small(reduce(luma(photo))), colour.chroma(photo)
        for kind, picture in made.items():
            theirs, beside = small(reduce(luma(picture))), colour.chroma(picture)
            measured = changed(see(own), see(theirs)), colour.apart(cells, beside)
            found[kind].append((bool(doubt(own, theirs, cells, beside)), *measured))
    rows = []
    for kind, values in found.items():
        doubted, structure, colours = np.array(values, float).T
        shares = [float(f(part)) for part in (structure, colours) for f in (np.median, _most_of, np.max)]
        rows.append((kind, float(doubted.mean()), *shares))
    head = ("kind", "doubted", "structure", "99 %", "most", "colours", "99 %", "most")
    table(f"{len(files)} photos", head, rows)
    if asked.record:
        record("doubts", {"photos": len(files), "head": head, "rows": rows})


def _most_of(values: np.ndarray) -> float:
    return float(np.quantile(values, 0.99))


if __name__ == "__main__":
    main()
