"""Names of one file are no copies of each other: one of them stands for all, and what becomes of it becomes of all.

So none is removed for another's sake, and where the file itself is a copy of another picture and goes, no link to it is
left that leads nowhere.
"""

import numpy as np


def stand_in(file: np.ndarray, content: np.ndarray, symbolic: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """(n,) the row that stands for each: of the names of one file the best-ranked that is not behind a symbolic link,
    if there is one.

    file: (n,) numbers, -1 for none; content: (n,) numbers. Names of one file have one content: if not, it was changed
    meanwhile, or the file system does not tell files apart. symbolic: (n,) booleans; rank: (n,), all different.
    """
    found = np.arange(len(file))
    named = np.flatnonzero(file >= 0)
    order = named[np.lexsort((rank[named], symbolic[named], content[named], file[named]))]
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(file[order]) != 0) | (np.diff(content[order]) != 0)
    found[order] = order[first][np.cumsum(first) - 1]
    return found
