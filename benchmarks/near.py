"""What the threshold of `dct` and the verification of its pairs do on a planted set.

    python -m benchmarks.near SET

SET is a folder that benchmarks.planted has drawn. For each similarity: the share of copies that are near to their
original, and the pairs of files that are no copies of each other; then the same of the pairs that agree, and of those
whose pixels, where either image is not flat, have a correlation of 0.8: the simple way to verify. Mirrored
copies are counted with their mirror images. At last photos and copies alone, with equal values ranked by their mean, as
the descriptor does it, and in the order of the pixels.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks import planted, record, table
from pixsieve import backend
from pixsieve.descriptors import dct
from pixsieve.descriptors.dct import turned_vectors
from pixsieve.descriptors.structure import AGREE, agreement, see
from pixsieve.images import decode
from pixsieve.images.statistics import reduce
from pixsieve.images.symmetries import turned

SIMILARITIES = (0.9, 0.85, 0.8, 0.75, 0.7, 0.65)
MIRRORED = 1
PLAIN, FLAT = 0.8, 8  # correlation; levels that a pixel and its eight neighbours differ by


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path)
    folder: Path = parser.parse_args().set
    truth = json.loads((folder / "truth.json").read_text("utf-8"))
    names, luma = read(folder, truth)
    vectors = dct.embedder(backend.cpu())(luma).astype(np.float64)
    place, source = {name: at for at, name in enumerate(names)}, planted.source(truth)
    kinds = [(place[o], place[c], kind) for o, copies in truth["groups"].items() for c, kind in copies.items()]
    mirrored = turned_vectors(vectors, MIRRORED)
    of_copies = np.array([vectors[o] @ (mirrored if kind == "hflip" else vectors)[c] for o, c, kind in kinds])
    seen = [see(one) for one in luma]
    agreed = [
        agreement(seen[o], see(turned(luma[c], MIRRORED)) if kind == "hflip" else seen[c]) for o, c, kind in kinds
    ]
    simple = np.array([plain(luma[o], turned(luma[c], MIRRORED * (kind == "hflip"))) for o, c, kind in kinds])
    i, j, similarity = false_pairs(vectors, names, source)
    false_simple = np.array([plain(luma[a], luma[b]) for a, b in zip(i, j, strict=True)])
    false_agreed = np.array([agreement(seen[a], seen[b]) for a, b in zip(i, j, strict=True)])
    rows = []
    for at in SIMILARITIES:
        near = of_copies >= at
        rows.append(
            {
                "similarity": at,
                "copies": round(float(near.mean()), 4),
                "wrong": int((similarity >= at).sum()),
                "copies that agree": float((near & (np.array(agreed) >= AGREE)).mean()),
                "wrong that agree": int(((similarity >= at) & (false_agreed >= AGREE)).sum()),
                "copies, simple": float((near & (simple >= PLAIN)).mean()),
                "wrong, simple": int(((similarity >= at) & (false_simple >= PLAIN)).sum()),
            }
        )
    table(f"{len(kinds)} copies, {len(names)} files", tuple(rows[0]), [shown(row) for row in rows])
    photos = [name for name in names if name in {*truth["clean"], *(names[c] for _, c, _ in kinds)}]
    keep = np.array([place[name] for name in photos])
    ties = []
    for how, embedded in (("mean", vectors[keep]), ("in order", in_order(luma[keep]))):
        own = {name: at for at, name in enumerate(photos)}
        flipped = turned_vectors(embedded, MIRRORED)
        true = np.array(
            [embedded[own[names[o]]] @ (flipped if k == "hflip" else embedded)[own[names[c]]] for o, c, k in kinds]
        )
        wrong = false_pairs(embedded, photos, source)[2]
        ties += [
            {
                "ranks of equal values": how,
                "similarity": at,
                "copies": float((true >= at).mean()),
                "wrong": int((wrong >= at).sum()),
            }
            for at in SIMILARITIES
        ]
    table("Ranks of equal values", tuple(ties[0]), [shown(row) for row in ties])
    record("near", {"copies": len(kinds), "files": len(names), "rows": rows, "ties": ties})


def shown(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(f"{value:.3f}" if isinstance(value, float) else value for value in row.values())


def read(folder: Path, truth: dict) -> tuple[list[str], np.ndarray]:
    """Names of the photos, copies and look-alikes, and their luma images (n, 64, 64)."""
    wanted = [*truth["clean"], *(copy for copies in truth["groups"].values() for copy in copies)]
    wanted += [name for names in truth["lookalikes"].values() for name in names]
    luma = []
    for name in wanted:
        pixels = decode.decode((folder / "images" / name).read_bytes(), 10**9).pixels
        assert pixels is not None, name
        luma.append(dct.prepare(pixels, reduce(luma(pixels))))
    return wanted, np.stack(luma)


def false_pairs(vectors: np.ndarray, names: list[str], source: dict[str, str]) -> tuple[np.ndarray, ...]:
    """i < j and similarity of the pairs of files from different sources, at or above the least of SIMILARITIES."""
    of = np.unique([source.get(name, name) for name in names], return_inverse=True)[1]
    similarity = vectors @ vectors.T
    i, j = np.nonzero(np.triu((similarity >= min(SIMILARITIES)) & (of[:, None] != of), 1))
    return i, j, similarity[i, j]


def plain(a: np.ndarray, b: np.ndarray) -> float:
    around = np.ones((3, 3), np.uint8)
    use = np.maximum(*(cv2.dilate(one, around) - cv2.erode(one, around) for one in (a, np.ascontiguousarray(b)))) > FLAT
    x, y = (one[use].astype(np.float64) for one in (a, b))
    return float(np.corrcoef(x, y)[0, 1]) if len(x) > 1 and x.std() > 0 and y.std() > 0 else 0.0


def in_order(luma: np.ndarray) -> np.ndarray:
    """The descriptor with ranks that are all different, those of equal values by their place."""
    flat = luma.reshape(len(luma), -1)
    rank = np.argsort(np.argsort(flat, axis=1, kind="stable"), axis=1) - (flat.shape[1] - 1) / 2
    order = np.arange(dct.FREQUENCIES)
    found = dct.basis() @ rank.reshape(luma.shape) @ dct.basis().T * (1 + order[:, None] + order)
    found = found.reshape(len(luma), -1)[:, 1:]
    return found / np.linalg.norm(found, axis=1, keepdims=True)


if __name__ == "__main__":
    main()
