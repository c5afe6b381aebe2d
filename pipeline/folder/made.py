"""images/<batch>.json: what the vectors of a batch were made by, for each view of two. So a change of one view leaves
the vectors of the other as they are."""

from collections.abc import Mapping
from pathlib import Path

from pixsieve import files
from pixsieve.config.section import View
from pixsieve.folder.image_table import FOLDER


def path(name: str) -> str:
    return f"{FOLDER}/{name}.json"


def save(root: Path, name: str, by_view: Mapping[View, tuple[str, tuple[str, ...]]]) -> None:
    """Of each view a mark of what its vectors follow from, and their files, which have been written."""
    said = {view: [mark, {one: files.digest(root / one) for one in paths}] for view, (mark, paths) in by_view.items()}
    files.write_json(root / path(name), said)


def kept(root: Path, name: str, marks: Mapping[View, str]) -> frozenset[View]:
    """The views whose files are there unharmed, and follow from what these marks stand for."""
    if not (root / path(name)).exists():
        return frozenset()
    said = files.read_json(root / path(name))
    return frozenset(view for view, mark in marks.items() if view in said and _as_written(root, mark, *said[view]))


def _as_written(root: Path, mark: str, was: str, digests: Mapping[str, str]) -> bool:
    return was == mark and all((root / one).exists() and files.digest(root / one) == d for one, d in digests.items())
