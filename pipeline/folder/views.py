"""The two views of a row: `copies` finds copies of a picture, `model` knows what it shows. Each has a measure. Where a
run has one measure only, given vectors among them, it is that of both."""

from pathlib import Path
from typing import Any, NamedTuple, Self

from pixsieve import files
from pixsieve.config.section import View
from pixsieve.errors import FolderDamagedError
from pixsieve.folder.measure import Measure

MEASURE = "measure.json"


class Made(NamedTuple):
    """A measure, and what it follows from, as JSON."""

    made_of: Any
    measure: Measure


class Views(NamedTuple):
    copies: Measure
    model: Measure

    @property
    def apart(self) -> bool:
        """Whether there are two measures."""
        return self.copies.name != self.model.name

    @property
    def names(self) -> tuple[View, ...]:
        """One for each measure."""
        return ("copies", "model") if self.apart else ("copies",)

    @property
    def embedded(self) -> Self:
        """As images are embedded."""
        return type(self)(*(measure.embedded for measure in self))

    @classmethod
    def load(cls, root: Path) -> Self | None:
        found = [known.measure for known in (kept(root, "copies"), kept(root, "model")) if known is not None]
        return cls(found[0], found[-1]) if found else None


def kept(root: Path, view: View) -> Made | None:
    """What the run folder says of a view; None where it says nothing of its own."""
    path = root / MEASURE
    if not path.exists():
        return None
    said = files.read_json(path)
    try:
        about = said if view == "copies" else said.get("model")
        return None if about is None else Made(about["made_of"], Measure(**about["measure"]))
    except (TypeError, KeyError, AttributeError) as error:
        raise FolderDamagedError(f"{path} is not of this version ({error}); start a new run folder") from None


def save(root: Path, copies: Made, model: Made | None) -> None:
    """A view that is written as it is keeps its file's time."""
    value = _json(copies) | ({} if model is None else {"model": _json(model)})
    if not (root / MEASURE).exists() or files.read_json(root / MEASURE) != value:
        files.write_json(root / MEASURE, value)


def _json(made: Made) -> dict[str, Any]:
    return {"made_of": made.made_of, "measure": vars(made.measure)}
