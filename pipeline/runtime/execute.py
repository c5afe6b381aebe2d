"""One unit done, in whatever process this is."""

import errno
import time
import traceback
from dataclasses import asdict, dataclass

from pixsieve import files
from pixsieve.errors import PixsieveError
from pixsieve.folder.run_folder import Run
from pixsieve.runtime.receipts import VOID, Receipt
from pixsieve.runtime.stage import Stage, Unit

# Trying again, or going on with other units, would only waste the work.
NO_ROOM = (errno.ENOSPC, errno.EROFS, errno.EDQUOT)


@dataclass(frozen=True)
class Failure:
    unit: str
    error: str
    traceback: str
    fatal: bool = False  # every other unit would fail alike


def execute(run: Run, stage: Stage, unit: Unit, mark: str) -> Receipt | Failure:
    """Does one unit, in whatever process this is. The receipt is written after all that the unit wrote; what an earlier
    receipt says of its files is void from the moment that work begins."""
    started = time.perf_counter()
    path = run.path / "receipts" / stage.name / f"{unit.name}.json"
    for left in range(run.config.workers.retries, -1, -1):
        try:
            made = any((run.path / p).exists() for p in unit.writes.values())  # perhaps of an earlier receipt
            files.write_json(path, asdict(Receipt(unit.name, VOID, {}, {}, 0.0)), sync=made)
            counts = stage.work(stage.seen(run), unit)
            outputs = {p: (files.digest(run.path / p), (run.path / p).stat().st_size) for p in unit.writes.values()}
            receipt = Receipt(unit.name, mark, outputs, counts, round(time.perf_counter() - started, 3))
            files.write_json(path, asdict(receipt))
            return receipt
        except Exception as error:
            fatal = isinstance(error, OSError) and error.errno in NO_ROOM
            again = left and not fatal and not isinstance(error, PixsieveError)  # which says what to change
            failure = Failure(unit.name, f"{type(error).__name__}: {error}", traceback.format_exc(), fatal)
            if not again:
                break
    return failure
