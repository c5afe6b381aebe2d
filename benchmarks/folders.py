"""When folders are taken for classes, or for splits: folders of each kind, arranged of labelled images.

    python -m benchmarks.folders IMAGES [--record]

IMAGES has a folder of images for each class. Of each kind of arrangement: the splits and labels that a run takes by
default, and why it takes none.
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import record, table
from pixsieve import Config, files, run
from pixsieve.report.words import labelled

Placed = list[tuple[str, str, int]]  # where an image is put, of which class it is, and its number in it


def every(classes: int, images: int, name: Callable[[int, int], str]) -> Placed:
    return [(name(c, n), str(c), n) for c in range(classes) for n in range(images)]


KINDS: dict[str, Placed] = {
    "class folders": every(10, 30, lambda c, n: f"class{c}/{n}.jpg"),
    "two classes of 3": every(2, 3, lambda c, n: f"class{c}/{n}.jpg"),
    "digits as classes": every(10, 30, lambda c, n: f"{c}/{n}.jpg"),
    "train and test of classes": every(10, 30, lambda c, n: f"{'test' if n % 5 == 0 else 'train'}/class{c}/{n}.jpg"),
    "classes, images below": every(10, 30, lambda c, n: f"train2017/class{c}/images/{n}.jpg"),
    "test without classes": every(10, 30, lambda c, n: f"test/{c}-{n}.jpg" if n % 5 == 0 else f"train/c{c}/{n}.jpg"),
    "train and test only": every(10, 30, lambda c, n: f"{'test' if n % 5 == 0 else 'train'}/{c}-{n}.jpg"),
    "flat": every(10, 30, lambda c, n: f"{c}-{n}.jpg"),
    "one folder": every(10, 30, lambda c, n: f"pictures of mine/{c}-{n}.jpg"),
    "photos and backup": [
        *every(10, 20, lambda c, n: f"photos/{c}-{n}.jpg"),
        *every(10, 20, lambda c, n: f"backup/{c}-{n}.jpg"),
    ],
    "album and a part of it": [
        *every(10, 20, lambda c, n: f"Rome/{c}-{n}.jpg"),
        *every(10, 4, lambda c, n: f"best of/{c}-{n}.jpg"),
    ],
    "days": every(10, 30, lambda c, n: f"2024-05-{n % 20 + 1:02}/{c}-{n}.jpg"),
    "camera": every(10, 30, lambda c, n: f"DCIM/{100 + n // 20}CANON/{c}-{n}.jpg"),
    "years and months": every(10, 30, lambda c, n: f"{2020 + n % 4}/{n % 12 + 1:02}/{c}-{n}.jpg"),
    "images and masks": every(10, 30, lambda c, n: f"{'masks' if n % 2 else 'images'}/{c}-{n}.jpg"),
    "one image a folder": every(10, 30, lambda c, n: f"{c}-{n}/a.jpg"),
    "albums, some within others": every(10, 30, lambda c, n: f"album{n % 4}/{'more/' * (n % 3)}{c}-{n}.jpg"),
    "albums": every(10, 30, lambda c, n: f"album{n % 4}/{c}-{n}.jpg"),
}


def arranged(images: list[list[Path]], placed: Placed, root: Path) -> Path:
    for place, label, number in placed:
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(images[int(label)][number], root / place)
    return root


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, metavar="IMAGES")
    parser.add_argument("--record", action="store_true")
    asked = parser.parse_args()
    images = [sorted(folder.iterdir()) for folder in sorted(asked.images.iterdir())[:10]]
    head, rows = ("folders", "splits", "labels"), []
    for kind, placed in KINDS.items():
        with tempfile.TemporaryDirectory() as name:
            root, out = Path(name), Path(name) / "out"
            run(Config.load(arranged(images, placed, root / "images"), out=out, settings=["workers.device=cpu"]))
            report = files.read_json(out / "report/report.json")
        rows.append((kind, ", ".join(report["splits"] or {}) or "none", labelled(report["labels"])))
    table("what folders are taken for", head, rows)
    if asked.record:
        record("folders", {"head": head, "rows": rows})


if __name__ == "__main__":
    main()
