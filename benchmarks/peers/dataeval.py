"""DataEval has no reader of files; this one turns EXIF orientations and scales 16-bit values, as a careful user's
would, and raises for a file that Pillow cannot read, as DataEval knows no way to pass one over."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

sys.path.pop(0)  # this folder, where a module has the name of the program

import numpy as np
from dataeval.flags import ImageStats
from dataeval.quality import Duplicates, Outliers
from PIL import Image, ImageOps

images, scratch, out, variant = sys.argv[1:]
names = sorted(str(path.relative_to(images)) for path in Path(images).rglob("*") if path.is_file())


class Files:
    def __len__(self) -> int:
        return len(names)

    def __getitem__(self, index: int) -> np.ndarray:
        with Image.open(Path(images, names[index])) as image:
            if image.mode.startswith("I;16"):
                grey = (np.asarray(image) >> 8).astype(np.uint8)
                return np.stack([grey] * 3)
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB")).transpose(2, 0, 1)


groups: list[list[str]] = []
flagged: dict[str, list[str]] | None = None
if variant != "outliers":
    duplicates = Duplicates(flags=ImageStats.HASH) if variant == "all_hashes" else Duplicates()
    groups = [[names[at] for at in row["item_indices"]] for row in duplicates.evaluate(Files()).data().to_dicts()]
else:
    flagged = {}
    for row in Outliers().evaluate(Files()).data().to_dicts():
        flagged.setdefault(names[row["item_index"]], []).append(str(row["metric_name"]))
found = {
    "version": version("dataeval"),
    "pairs": None if variant == "outliers" else [],
    "groups": groups,
    "unreadable": [],
    "flagged": flagged,
}
Path(out).write_text(json.dumps(found), "utf-8")
