"""What a program found in a planted set, held against the truth."""

from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from itertools import combinations
from typing import Any, NamedTuple

from benchmarks.drawing.copies import COPIES
from benchmarks.planted import source, true_pairs

Pair = tuple[str, str]


class Found(NamedTuple):
    """What a program says of a set, names being the truth's. None: it does not look for such things."""

    pairs: AbstractSet[Pair] | None = None  # each in the order of the names; of groups, all pairs inside them
    unreadable: AbstractSet[str] = frozenset()  # named as unreadable, damaged or not an image
    flagged: AbstractSet[str] | None = None  # called faulty or outlying
    potential: AbstractSet[str] = frozenset()  # called so by a weaker level only


def pairs_of(pairs: Iterable[Iterable[str]], groups: Iterable[Iterable[str]] = ()) -> set[Pair]:
    found = {tuple(sorted(pair)) for pair in pairs}
    found |= {pair for group in groups for pair in combinations(sorted(set(group)), 2)}
    return {(a, b) for a, b in found if a != b}


def score(truth: dict[str, Any], found: Found) -> dict[str, Any]:
    """Shares in [0, 1], None where there is nothing to find, or the program does not look for it.

    A pair counts as true if both files are of one group, as neither if one is broken or both come from one source
    (an oddball made of a photo, two solid images), else as wrong. `precision_photos` leaves out wrong pairs with a file
    that is no photo. `recall` is over all true pairs, `recall_kinds` and `recall_copies` over those of a copy and its
    original.
    """
    called = None if found.flagged is None else found.flagged | found.unreadable
    weakly = None if called is None else called | found.potential
    copies = [name for group in truth["groups"].values() for name in group]
    return _pairs(truth, found.pairs) | {
        "oddballs": _shares(truth["oddballs"], called),
        "oddballs_potential": _shares(truth["oddballs"], weakly),
        "broken": _shares(truth["broken"], found.unreadable),
        "misnamed": _shares(truth["misnamed"], found.unreadable),
        "lookalikes": _shares(truth["lookalikes"], called),
        "clean": _share(truth["clean"], called),
        "clean_potential": _share(truth["clean"], weakly),
        "copies": _share(copies, called),
        "clean_examples": sorted(set(truth["clean"]) & (called or set()))[:20],
    }


def _pairs(truth: dict[str, Any], pairs: AbstractSet[Pair] | None) -> dict[str, Any]:
    if pairs is None:
        names = ("precision", "precision_photos", "recall", "recall_copies", "true", "wrong", "neither")
        return dict.fromkeys(names) | {"recall_kinds": {}, "wrong_between": {}, "wrong_examples": []}
    true, of = true_pairs(truth), source(truth)
    broken = {name for names in truth["broken"].values() for name in names}
    right = pairs & true
    others = {(a, b) for a, b in pairs - true if not broken & {a, b}}
    wrong = {(a, b) for a, b in others if a not in of or of[a] != of.get(b)}
    between, called = _between(truth, wrong), len(right) + len(wrong)
    of_photos = len(right) + between["photos"]
    copies: dict[str, list[Pair]] = {}
    for original, group in truth["groups"].items():
        for name, kind in group.items():
            copies.setdefault(kind, []).append((min(name, original), max(name, original)))
    every = [pair for kind in copies.values() for pair in kind]
    return {
        "precision": len(right) / called if called else None,
        "precision_photos": len(right) / of_photos if of_photos else None,
        "recall": _share(true, right),
        "recall_copies": _share(every, right),
        "recall_kinds": {kind: _share(copies[kind], right) for kind in COPIES if kind in copies},
        "true": len(right),
        "wrong": len(wrong),
        "neither": len(pairs) - called,
        "wrong_between": dict(sorted(between.items())),
        "wrong_examples": sorted(wrong)[:20],
    }


def _between(truth: dict[str, Any], wrong: set[Pair]) -> Counter[str]:
    """Of wrong pairs, what they are between: photos (copies among them), kinds of look-alikes, oddballs, misnamed."""
    group = {name: kind for kind, names in truth["lookalikes"].items() for name in names}
    for part in ("oddballs", "misnamed"):
        group |= {name: part for names in truth[part].values() for name in names}
    return Counter(" and ".join(sorted({group.get(a, "photos"), group.get(b, "photos")})) for a, b in wrong)


def _shares(kinds: dict[str, list[str]], found: AbstractSet[str] | None) -> dict[str, float | None]:
    return {kind: _share(names, found) for kind, names in kinds.items()}


def _share(wanted: Iterable[Any], found: AbstractSet[Any] | None) -> float | None:
    wanted = list(wanted)
    return sum(one in found for one in wanted) / len(wanted) if wanted and found is not None else None
