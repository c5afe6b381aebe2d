"""A planted set: photos as they are, copies of them in 18 kinds, look-alikes that are no copies, oddballs and
broken files; and the truth about it.

    python -m benchmarks.planted PHOTOS OUT [--seed 0] [--originals N] [--parts copies lookalikes oddballs broken]

The files are in OUT/images, the truth in OUT/truth.json. The same photos, seed and versions draw the same bytes, and a
part that is left out changes none of the others.
"""

import argparse
import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.drawing import broken, generator, jpeg, load, png
from benchmarks.drawing.copies import COPIES, deal
from benchmarks.drawing.lookalikes import LOOKALIKES
from benchmarks.drawing.oddballs import ALIKE, FROM_PHOTO, ODDBALLS

PARTS = ("copies", "lookalikes", "oddballs", "broken")
LOSSLESS = ("document", "icon")


def make(
    photos: Path,
    out: Path,
    seed: int = 0,
    originals: int | None = None,
    parts: tuple[str, ...] = PARTS,
) -> dict[str, Any]:
    """Draws the set from a folder of JPEG photos, all or so many of them, into an empty or new folder.

    The truth, names being paths inside OUT/images:
    groups: {original: {copy: kind}}, every pair of files in a group being a true pair;
    lookalikes, oddballs, broken, misnamed (whole, with a misleading name): {kind: [name]};
    derived: {name: original} of those made of a photo, so that its pairs with that photo and its copies are no errors;
    alike: [[name]], oddballs whose pairs with each other are no errors;
    clean: [name], the originals.
    """
    if unknown := sorted(set(parts) - set(PARTS)):
        raise ValueError(f"no part is called {unknown[0]!r}; the parts are {', '.join(PARTS)}")
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty; a planted set needs a folder of its own")
    chosen = _chosen(photos, seed, originals)
    for path in chosen:
        _write(out, path.name, path.read_bytes())
    truth: dict[str, Any] = {"seed": seed, "parts": [part for part in PARTS if part in parts]}
    truth["groups"] = _copies(chosen, out, seed) if "copies" in parts else {}
    truth["lookalikes"] = _lookalikes(out, seed) if "lookalikes" in parts else {}
    derived: dict[str, str] = {}
    odd = "oddballs" in parts
    truth["oddballs"] = _made(ODDBALLS, FROM_PHOTO, chosen, out, seed, derived, pixels=True) if odd else {}
    for name, kinds, of_photo in (
        ("broken", broken.BROKEN, broken.FROM_PHOTO),
        ("misnamed", broken.MISNAMED, tuple(broken.MISNAMED)),
    ):
        truth[name] = _made(kinds, of_photo, chosen, out, seed, derived) if "broken" in parts else {}
    truth["derived"] = derived
    truth["alike"] = [truth["oddballs"][kind] for kind in ALIKE] if odd else []
    truth["clean"] = [path.name for path in chosen]
    (out / "truth.json").write_text(json.dumps(truth, indent=1), "utf-8")
    return truth


def true_pairs(truth: dict[str, Any]) -> set[tuple[str, str]]:
    """All pairs of files of one group, each in the order of the names."""
    groups = truth["groups"].items()
    return {pair for original, copies in groups for pair in combinations(sorted([original, *copies]), 2)}


def source(truth: dict[str, Any]) -> dict[str, str]:
    """What each file comes from: files with one source may be taken for copies of each other without error."""
    found = {name: original for original, copies in truth["groups"].items() for name in (original, *copies)}
    found |= {name: name for name in truth["clean"] if name not in found}
    found |= truth["derived"]
    return found | {name: names[0] for names in truth["alike"] for name in names}


def _chosen(photos: Path, seed: int, originals: int | None) -> list[Path]:
    paths = sorted(path for path in photos.iterdir() if path.is_file() and not path.name.startswith("."))
    if originals is not None:
        if not 0 < originals <= len(paths):
            raise ValueError(f"originals is {originals}; {photos} has {len(paths)} photos")
        drawn = generator(seed, "originals").choice(len(paths), originals, replace=False)
        paths = [paths[at] for at in np.sort(drawn)]
    if not paths:
        raise ValueError(f"{photos} has no files; name a folder of JPEG photos")
    for path in paths:
        with path.open("rb") as file:
            if file.read(3) != b"\xff\xd8\xff":
                raise ValueError(f"{path} is no JPEG; a planted set is drawn from JPEG photos")
    return paths


def _write(out: Path, name: str, data: bytes) -> None:
    path = out / "images" / name
    if path.exists():
        raise ValueError(f"{path} is drawn twice; rename the photo of that name")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _copies(chosen: list[Path], out: Path, seed: int) -> dict[str, dict[str, str]]:
    groups: dict[str, dict[str, str]] = {}
    for at, kind in sorted(deal(generator(seed, "deal"), len(chosen))):
        ending, copy = COPIES[kind]
        name = f"{chosen[at].stem}__{kind}{chosen[at].suffix if ending is None else ending}"
        _write(out, name, copy(generator(seed, name), chosen[at].read_bytes()))
        groups.setdefault(chosen[at].name, {})[name] = kind
    return groups


def _lookalikes(out: Path, seed: int) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for kind, (count, draw) in LOOKALIKES.items():
        for number in range(count):
            name = f"{kind}_{number:03}{'.png' if kind in LOSSLESS else '.jpg'}"
            picture = draw(generator(seed, name), number)
            _write(out, name, png(picture) if kind in LOSSLESS else jpeg(picture))
            found.setdefault(kind, []).append(name)
    return found


def _made(
    kinds: dict[str, tuple[int, str, Any]],
    of_photo: tuple[str, ...],
    chosen: list[Path],
    out: Path,
    seed: int,
    derived: dict[str, str],
    pixels: bool = False,
) -> dict[str, list[str]]:
    """Files of these kinds, each of a photo of its own as far as there are photos; fills in `derived`."""
    found: dict[str, list[str]] = {}
    for kind, (count, ending, change) in kinds.items():
        order = generator(seed, kind).permutation(len(chosen))
        for number in range(count):
            name, photo = f"{kind}_{number:03}{ending}", chosen[order[number % len(chosen)]]
            data = photo.read_bytes()
            _write(out, name, change(generator(seed, name), number, load(data) if pixels else data))
            if kind in of_photo:
                derived[name] = photo.name
            found.setdefault(kind, []).append(name)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--originals", type=int)
    parser.add_argument("--parts", nargs="*", default=PARTS, choices=PARTS)
    options = parser.parse_args()
    truth = make(options.photos, options.out, options.seed, options.originals, tuple(options.parts))
    files = sum(path.is_file() for path in (options.out / "images").rglob("*"))
    print(f"{files} files in {options.out / 'images'}, {len(true_pairs(truth))} true pairs")


if __name__ == "__main__":
    main()
