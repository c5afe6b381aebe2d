"""A RAW file and the picture that the camera or a converter has put beside it are companions, and no copies: the
one holds what the sensor saw, the other what was made of it, and neither takes the place of the other."""

from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from pixsieve.images.formats import raw


def companions(keys: Sequence[str], readable: np.ndarray) -> np.ndarray:
    """(n,) the place of each row's companion, -1 for none: of a RAW file the first other picture of its folder and
    stem, else the first RAW file of another kind; of another picture the first RAW file. What lies beside them and
    cannot be read is no picture, unless it is RAW: there may be no decoder.

    keys: n; readable: (n,) booleans.
    """
    kinds = [raw(key) for key in keys]
    stems = {_stem(key) for key, kind in zip(keys, kinds, strict=True) if kind}
    first: dict[str, dict[str, int]] = {}
    for at, (key, kind) in enumerate(zip(keys, kinds, strict=True)):
        if stems and (kind or readable[at]) and (stem := _stem(key)) in stems:
            first.setdefault(stem, {}).setdefault(kind, at)
    found = np.full(len(keys), -1, np.int64)
    for at, (key, kind) in enumerate(zip(keys, kinds, strict=True)):
        if stems and (kind or readable[at]) and (stem := _stem(key)) in stems:
            others = {other: place for other, place in first[stem].items() if other != kind}
            found[at] = others.get("", min(others.values(), default=-1))
    return found


def _stem(key: str) -> str:
    return str(PurePosixPath(key).with_suffix("")).casefold()
