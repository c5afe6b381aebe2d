"""Which of several copies to keep: an order of all rows, the best first. config/keep_rules.py has the words."""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixsieve.config.keep_rules import ORDERS, TIMES


def has_order(kind: pa.DataType) -> bool:
    """Whether the values of a column can be ranked."""
    t = pa.types
    return any(is_(kind) for is_ in (t.is_primitive, t.is_string, t.is_large_string, t.is_decimal, t.is_null))


# As file managers call a copy in English, the languages beside it, Russian, Chinese, Japanese and Korean.
_WORDS = (
    "copy copie copia c\u00f3pia kopie kopia kopi"
    " \u043a\u043e\u043f\u0438\u044f \u526f\u672c \u30b3\u30d4\u30fc \ubcf5\uc0ac\ubcf8"
)
_WORD = f"(?:{'|'.join(_WORDS.split())})"
# "IMG (1)"; "IMG - Copy (2)", "IMG copy 2", "IMG_kopie"; "Copy of IMG", "copy_IMG".
_COPY = re.compile(rf".\(\d+\)$|(?:^|[\W_]){_WORD}(?:[\W_]*\d+\W*)?$|^{_WORD}[\W_]", re.IGNORECASE)


def called_a_copy(key: str) -> bool:
    """Whether the name of a file, its last suffix aside, says that it is a copy, as file managers have it."""
    return _COPY.search(PurePosixPath(key).stem) is not None


def rank(
    rules: Sequence[str],
    prefer: Sequence[str],
    facts: pa.Table,
    splits: pa.ChunkedArray,
    named: Mapping[str, pa.ChunkedArray],
    key_rank: np.ndarray,
) -> np.ndarray:
    """(n,) place of each row, 0 the best. Rows of a split come before those of the splits after it in `prefer`, rows of
    other splits last; then the rules decide in turn, then the key.

    facts: key, flaw, width, height, bytes and stamp of the n rows; named: the columns of the metadata; key_rank: (n,)
    integers.
    """
    preferred = pc.index_in(splits, pa.array(prefer, pa.string())).fill_null(len(prefer)).to_numpy()
    by_rule = [key_rank if text == "key" else _places(text, facts, named) for text in rules]
    order = np.lexsort([key_rank, *reversed(by_rule), preferred])
    found = np.empty(len(order), np.int64)
    found[order] = np.arange(len(order))
    return found


def _places(text: str, facts: pa.Table, named: Mapping[str, pa.ChunkedArray]) -> np.ndarray:
    if text == "resolution":
        return _ranked(pc.multiply(*(facts[side].cast(pa.int64()).fill_null(0) for side in ("width", "height"))))
    if text == "original":
        return (facts["flaw"].to_numpy() > 0).astype(np.int64)
    if text == "name":
        return np.array([called_a_copy(key) for key in facts["key"].to_pylist()], np.int64)
    if text == "bytes":
        return _ranked(facts["bytes"])
    if text in TIMES:
        return _ranked(_times(facts["stamp"]), "ascending" if text == "oldest" else "descending")
    order, _, column = text.partition(":")
    return _ranked(named[column], ORDERS[order])


def _ranked(values: pa.ChunkedArray, order: str = "descending") -> np.ndarray:
    """(n,) equal numbers for equal values, null last."""
    if pa.types.is_null(values.type):
        return np.zeros(len(values), np.int64)
    return np.asarray(pc.rank(values, sort_keys=order, tiebreaker="dense"))


def _times(stamps: pa.ChunkedArray) -> pa.ChunkedArray:
    """ns since 1970 of a folder's stamps, which say more behind a space; null for a link that leads nowhere."""
    numbers = pc.list_element(pc.split_pattern(stamps, " "), 0)
    return pc.if_else(pc.equal(numbers, "dangling"), None, numbers).cast(pa.int64())
