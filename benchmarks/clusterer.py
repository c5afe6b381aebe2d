"""DataEval's four lists: `pixsieve.Clusterer` against DataEval 0.61.0, and by itself with more rows.

    python -m benchmarks.clusterer [--against 1000 2000] [--rows 5000 20000 100000] [--depth 64] [--kind groups]

DataEval is used where it can be imported, else the slow reference of the tests, which says nothing about its time. Of
more rows: the seconds of each part, and by how much the process grew. Kinds: groups, 20 of them with 2 % copies; one, a
single normal cloud; integers, groups rounded to whole numbers, so that most distances are equal to others.
"""

import argparse
import time
from typing import Any

import numpy as np

from benchmarks import apart, medians, record, table
from pixsieve import Clusterer


def drawn(kind: str, n: int, d: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, d))
    if kind != "one":
        x += 3 * rng.normal(size=(20, d))[rng.integers(20, size=n)]
        x[rng.integers(n, size=n // 50)] = x[rng.integers(n, size=n // 50)]
    return np.round(x) if kind == "integers" else x


def theirs(x: np.ndarray) -> tuple[str, dict[str, Any]]:
    try:
        from dataeval.detectors import Clusterer as Peer
    except ImportError:
        from tests.pipeline.dataeval.reference import evaluate

        return "the slow reference", evaluate(x)[0]
    return "DataEval 0.61.0", Peer(x).evaluate()


def parts(kind: str, n: int, d: int) -> dict[str, Any]:
    """Seconds of each part, and the lengths of the lists."""
    from pixsieve.dataeval.duplicates import duplicates
    from pixsieve.dataeval.levels import levels
    from pixsieve.dataeval.linkage import single_linkage
    from pixsieve.dataeval.lists import last_merge_levels, outliers

    x = drawn(kind, n, d)
    marks = [time.perf_counter()]

    def mark(found: Any) -> Any:
        marks.append(time.perf_counter())
        return found

    of = mark(levels(mark(single_linkage(x))))
    last = mark(last_merge_levels(x, of))
    lists = [*mark(outliers(of, last)), *mark(duplicates(x, of, last))]
    names = ("linkage", "levels", "gaps", "outliers", "duplicates")
    return {"parts": dict(zip(names, np.diff(marks).tolist(), strict=True)), "found": [len(part) for part in lists]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=int, nargs="*", default=[1000, 2000])
    parser.add_argument("--rows", type=int, nargs="*", default=[5000, 20_000, 100_000])
    parser.add_argument("--depth", type=int, default=64)
    parser.add_argument("--kind", choices=["groups", "one", "integers"], default="groups")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    kind, depth = options.kind, options.depth
    # First, and all before anything is recorded: a process takes over the peak of the one that starts it.
    measured = [(n, *apart(parts, kind, n, depth)) for n in options.rows]
    alone = []
    for n, found, took, grew in measured:
        alone.append((f"{n:,}", took, *found["parts"].values(), grew, " ".join(map(str, found["found"]))))
        record("clusterer", {"kind": kind, "rows": [n, depth], "total_s": took, "grew_mb": grew, **found})
    if alone:
        head = ("rows", "seconds", "linkage", "levels", "gaps", "outliers", "duplicates", "MB more", "list lengths")
        table(f"{kind} x {depth}", head, alone)
    rows = []
    for n in options.against:
        x = drawn(kind, n, depth)
        calls = {"pixsieve": lambda x=x: Clusterer(x).evaluate(), "peer": lambda x=x: theirs(x)}
        seconds, found = medians(calls, options.repeats)
        peer, answer = found["peer"]
        equal = found["pixsieve"] == answer
        ratio = seconds["peer"] / seconds["pixsieve"]
        rows.append((f"{n:,}", peer, seconds["pixsieve"], seconds["peer"], ratio, "equal" if equal else "DIFFERENT"))
        record("clusterer", {"kind": kind, "rows": [n, depth], "peer": peer, "seconds": seconds, "equal": equal})
    head = ("rows", "peer", "seconds", "peer's", "times ours", "lists")
    if rows:
        table(f"{kind} x {depth}, medians of {options.repeats}", head, rows)


if __name__ == "__main__":
    main()
