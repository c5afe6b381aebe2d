"""Findings: the one form in which stages say what is wrong with a row, of whatever kind."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

NONE, POTENTIAL, STRONG = 0, 1, 2
FINDINGS = pa.schema(
    [
        ("row", pa.int64()),
        ("key", pa.string()),
        ("kind", pa.string()),
        ("score", pa.float64()),  # in [0, 1], more is worse; null where there is nothing to score
        ("level", pa.string()),
        ("reason", pa.string()),  # "" where there is nothing to say
        ("related", pa.int64()),  # the row number of another row that belongs to the finding, or null
    ]
)


def words(kind: str) -> tuple[str, ...]:
    """The words for levels 0, 1 and 2 of a kind."""
    return "none", "potential", "outlier" if kind == "outlier" else "certain"


def table(
    rows: np.ndarray,
    keys: pa.Array | pa.ChunkedArray,
    kind: str | Sequence[str],
    score: np.ndarray,
    level: np.ndarray,
    reason: Sequence[str],
    related: np.ndarray | None = None,
) -> pa.Table:
    """A table of n findings in the order given.

    rows: (n,) row numbers; keys: (n,) strings; kind: one for all, or (n,) strings; score: (n,) floats in [0, 1], NaN
    for null; level: (n,) integers 0, 1, 2; related: (n,) row numbers, negative for null (default: all null).
    ValueError for a score or a level that is none.
    """
    n = len(rows)
    score, level = np.asarray(score, np.float64), np.asarray(level)
    kinds = [kind] * n if isinstance(kind, str) else list(kind)
    if ((score < 0) | (score > 1) | (level < NONE) | (level > STRONG)).any():
        raise ValueError(f"findings of kind {sorted(set(kinds))}: scores lie in [0, 1], levels are 0, 1 or 2")
    word = {name: words(name) for name in set(kinds)}
    other = np.full(n, -1, np.int64) if related is None else np.asarray(related, np.int64)
    columns = [
        pa.array(np.asarray(rows, np.int64)),
        keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys,
        pa.array(kinds, pa.string()),
        pa.array(score, pa.float64(), mask=np.isnan(score)),
        pa.array([word[k][at] for k, at in zip(kinds, level.tolist(), strict=True)], pa.string()),
        pa.array(list(reason), pa.string()),
        pa.array(other, pa.int64(), mask=other < 0),
    ]
    return pa.table(columns, FINDINGS)
