"""Which of several copies to keep: an order of all rows, the best first.

resolution          most pixels first
bytes               largest file first
newest, oldest      by the time of the file
key                 least key first; always decides last
largest:COLUMN      of the metadata: numbers, dates and text in their own order; null last
smallest:COLUMN
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

FACTS = ("resolution", "bytes", "newest", "oldest", "key")
TIMES = ("newest", "oldest")
ORDERS = {"largest": "descending", "smallest": "ascending"}  # of a column


def rule(text: str) -> str:
    """The rule itself. Raises ValueError if it is none."""
    order, _, column = text.partition(":")
    if text in FACTS or (order in ORDERS and column):
        return text
    raise ValueError(f"unknown rule; known: {', '.join(FACTS)}, {', '.join(f'{order}:COLUMN' for order in ORDERS)}")


def columns(rules: Iterable[str]) -> list[str]:
    """The columns of the metadata that the rules name, each once."""
    return list(dict.fromkeys(text.partition(":")[2] for text in rules if text not in FACTS))


def has_order(kind: pa.DataType) -> bool:
    """Whether the values of a column can be ranked."""
    t = pa.types
    return any(is_(kind) for is_ in (t.is_primitive, t.is_string, t.is_large_string, t.is_decimal, t.is_null))


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

    facts: width, height, bytes and stamp of the n rows; named: the columns of the metadata; key_rank: (n,) integers.
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
