"""Receipts of units: what a unit wrote and counted, under which fingerprint; and where they are kept."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pixsieve import files
from pixsieve.runtime.stage import Counts, Stage, Unit

VOID = ""  # the fingerprint of no unit


@dataclass(frozen=True)
class Receipt:
    unit: str
    fingerprint: str
    outputs: dict[str, tuple[str, int]]  # path: digest, bytes
    counts: Counts
    seconds: float

    @property
    def done(self) -> int:
        """Rows that the unit has worked on; without those that it was handed down by a former one."""
        return int(self.counts.get("rows", 0) - self.counts.get("kept", 0))

    def there(self, root: Path) -> bool:
        """Whether all that the unit wrote is there, in full length."""
        found = ((root / path, size) for path, (_, size) in self.outputs.items())
        return all(file.exists() and file.stat().st_size == size for file, size in found)

    def unharmed(self, root: Path) -> bool:
        """Whether all that the unit wrote holds the bytes that it wrote."""
        return self.there(root) and all(files.digest(root / path) == was for path, (was, _) in self.outputs.items())


def fingerprint(stage: Stage, unit: Unit, digests: Mapping[str, str]) -> str | None:
    """Of all that the unit's result follows from; None when a file that it reads or awaits has not been made."""
    if any(path not in digests for path in (*unit.reads, *unit.awaits)):
        return None
    read = [[path, digests[path]] for path in unit.reads]
    return files.digest_of([stage.name, stage.version, dict(unit.depends), read, dict(unit.writes)])


class Receipts:
    """The receipts of a stage: one file for each unit that ran lately, one index for all of a finished stage."""

    def __init__(self, root: Path, stage: str) -> None:
        self.root = root
        self.folder = root / "receipts" / stage
        self.index = root / "receipts" / f"{stage}.json"
        found = dict[str, Receipt]()
        if self.index.exists():
            with files.intact(self.index):
                found |= {name: _receipt(value) for name, value in files.read_json(self.index).items()}
        for path in sorted(self.folder.glob("*.json")) if self.folder.exists() else []:
            with files.intact(path):
                found[path.stem] = _receipt(files.read_json(path))
        self.by_unit = {name: receipt for name, receipt in found.items() if receipt.fingerprint != VOID}
        self.begun = sorted(found.keys() - self.by_unit.keys())  # units whose work has not ended

    def current(self, unit: Unit, mark: str | None) -> Receipt | None:
        """The receipt of this unit if it has the fingerprint `mark` and its files are there in their full length."""
        receipt = self.by_unit.get(unit.name)
        if receipt is None or receipt.fingerprint != mark or not receipt.there(self.root):
            return None
        return receipt

    def add(self, receipt: Receipt) -> None:
        self.by_unit[receipt.unit] = receipt

    def clear(self, unit: Unit) -> None:
        """What the unit has written, and is not going to write again, goes; before it runs, as it may be stopped."""
        if unit.name in self.by_unit:
            for path in self.by_unit[unit.name].outputs.keys() - {*unit.writes.values()}:
                (self.root / path).unlink(missing_ok=True)

    def fold(self, units: list[Unit]) -> None:
        """One index instead of a file per unit. What units wrote that are no more, as those of another method of
        clustering, goes with their receipts."""
        wanted = {unit.name for unit in units} & self.by_unit.keys()
        kept = {path for name in wanted for path in self.by_unit[name].outputs}
        for path in {path for receipt in self.by_unit.values() for path in receipt.outputs} - kept:
            (self.root / path).unlink(missing_ok=True)
        if self.folder.exists() or wanted != self.by_unit.keys():
            files.write_json(self.index, {name: asdict(self.by_unit[name]) for name in sorted(wanted)})
            shutil.rmtree(self.folder, ignore_errors=True)


def _receipt(value: dict[str, Any]) -> Receipt:
    outputs = {path: (digest, size) for path, (digest, size) in value.pop("outputs").items()}
    return Receipt(outputs=outputs, **value)


def served_from(receipts: Receipts, unit: str) -> float:
    """The least similarity of the pairs that a unit has written, all of them; NaN for none."""
    counts = receipts.by_unit[unit].counts if unit in receipts.by_unit else {}
    return float("nan") if counts.get("truncated") else float(counts.get("near_at", "nan"))
