"""Keep policies against a sort by hand, and which groups leak between splits."""

from datetime import date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixsieve import Config, ConfigError
from pixsieve.config.keep_rules import FACTS, ORDERS
from pixsieve.rules import keep
from pixsieve.rules.groups import leaks
from tests.pipeline.helpers import audit, by_key, pattern, save

SPLITS = ["train", "test", "val"]
VALUES = {
    "number": st.one_of(st.none(), st.integers(-2, 2)),
    "float": st.one_of(st.none(), st.sampled_from([-1.5, 0.0, 2.5])),
    "text": st.one_of(st.none(), st.sampled_from(["", "a", "b", "é"])),
    "day": st.one_of(st.none(), st.sampled_from([date(2020, 1, 1), date(2021, 5, 5)])),
    "time": st.one_of(st.none(), st.sampled_from([datetime(2020, 1, 1), datetime(2020, 1, 1, 5)])),
    "truth": st.one_of(st.none(), st.booleans()),
    "nothing": st.none(),
}
TYPES = {
    "number": pa.int32(),
    "float": pa.float32(),
    "text": pa.string(),
    "day": pa.date32(),
    "time": pa.timestamp("us"),
    "truth": pa.bool_(),
    "nothing": pa.null(),
}
ROW = st.fixed_dictionaries(
    {
        "key": st.sampled_from(["a.png", "a (1).png", "copy of a.png"]),
        "flaw": st.integers(0, 3),
        "width": st.one_of(st.none(), st.integers(0, 3)),
        "height": st.one_of(st.none(), st.integers(0, 3)),
        "bytes": st.integers(0, 3),
        "stamp": st.sampled_from(["9", "10", "11 unreadable", "dangling"]),
        "split": st.one_of(st.none(), st.sampled_from(SPLITS)),
        **VALUES,
    }
)
RULE = st.sampled_from([*FACTS, *(f"{order}:{name}" for order in ORDERS for name in VALUES)])


def ranked(rules: list[str], prefer: list[str], rows: list[dict], key: np.ndarray) -> np.ndarray:
    facts = pa.table({name: pa.array([row[name] for row in rows], kind) for name, kind in COLUMNS.items()})
    named = {name: pa.chunked_array([pa.array([row[name] for row in rows], TYPES[name])]) for name in VALUES}
    splits = pa.chunked_array([pa.array([row["split"] for row in rows], pa.string())])
    return keep.rank(rules, prefer, facts, splits, named, key)


COLUMNS = {
    "key": pa.string(),
    "flaw": pa.int8(),
    "width": pa.int32(),
    "height": pa.int32(),
    "bytes": pa.int64(),
    "stamp": pa.string(),
}


def better(rules: list[str], prefer: list[str], a: dict, b: dict, a_key: int, b_key: int) -> bool:
    """One rule after the other, in words."""

    def place(row: dict) -> int:
        return prefer.index(row["split"]) if row["split"] in prefer else 99

    if place(a) != place(b):
        return place(a) < place(b)
    for text in rules:
        if text == "key":
            return a_key < b_key
        order, _, column = text.partition(":")
        if text == "resolution":
            x, y = ((row["width"] or 0) * (row["height"] or 0) for row in (a, b))
        elif text == "original":
            x, y = (not row["flaw"] for row in (a, b))
        elif text == "name":
            x, y = (row["key"] == "a.png" for row in (a, b))
        elif text == "bytes":
            x, y = a["bytes"], b["bytes"]
        elif text in ("newest", "oldest"):
            order = "largest" if text == "newest" else "smallest"
            x, y = (None if row["stamp"] == "dangling" else int(row["stamp"].split()[0]) for row in (a, b))
        else:
            x, y = a[column], b[column]
        if x == y:
            continue
        if x is None or y is None:
            return y is None
        return bool(x > y) == (order != "smallest")
    return a_key < b_key


@settings(deadline=None)
@given(st.lists(ROW, max_size=8), st.lists(RULE, max_size=4), st.permutations(SPLITS), st.integers(0, 3), st.randoms())
def test_the_order_is_that_of_the_rules_in_turn(rows, rules, splits, preferred, random):
    key = list(range(len(rows)))
    random.shuffle(key)
    prefer = splits[:preferred]
    rank = ranked(rules, prefer, rows, np.array(key, np.int64))
    for a, row in enumerate(rows):
        ahead = sum(better(rules, prefer, rows[b], row, key[b], key[a]) for b in range(len(rows)) if b != a)
        assert rank[a] == ahead


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.one_of(st.none(), st.sampled_from(SPLITS))), max_size=12))
def test_a_group_leaks_if_it_has_two_splits(rows):
    group = np.array([number for number, _ in rows], np.int64)
    splits = np.array([-1 if split is None else SPLITS.index(split) for _, split in rows], np.int64)
    expected = [len({s for n, s in rows if n == number and s is not None}) > 1 for number, _ in rows]
    assert leaks(group, splits).tolist() == expected


@pytest.mark.parametrize("text", ["sharpest", "largest:", "column:x", "key:x", ""])
def test_an_unknown_rule_is_named(text: str):
    with pytest.raises(ConfigError, match=r"duplicates\.keep\.1: unknown rule; known: original, .*smallest:COLUMN"):
        Config.parse({"source": {"path": "a"}, "run": {"path": "b"}, "duplicates": {"keep": ["key", text]}})


COPIES = (
    *("a copy.jpg", "a - Copy.jpg", "a - Copy (2).jpg", "a copy 2.jpg", "a_copy.jpg", "a-copy3.png", "Copy of a.jpg"),
    *(
        "x/copy_a.jpg",
        "a (1).jpg",
        "a(12).jpg",
        "a - Kopie.jpg",
        "Kopie von a.jpg",
        "a - copie.JPG",
        "a copia.tif",
        "Copy.png",
    ),
    *("Copy.png", "a \u2014 \u043a\u043e\u043f\u0438\u044f.jpg", "a - \u526f\u672c.jpg", "a_\u30b3\u30d4\u30fc.jpg"),
)
NONE = (
    *("a.jpg", "a_1.jpg", "a 2.jpg", "copyright.jpg", "photocopy.jpg", "copy of a/b.jpg", "(1).jpg", "a (1)/b.jpg"),
    *("a (x).jpg", "kopiert.jpg", ""),
)


def test_what_file_managers_call_a_copy():
    assert [key for key in COPIES if not keep.called_a_copy(key)] == []
    assert [key for key in NONE if keep.called_a_copy(key)] == []


def kept(out: Path) -> set[str]:
    return {row["key"] for row in by_key(out, "duplicates") if row["keep"]}


def test_policies_on_files(tmp_path: Path):
    import os

    source, pixels = tmp_path / "images", pattern(np.random.default_rng(0))
    for day, name in enumerate(["train/a.png", "test/a.png", "val/a.png", "train/b.png"]):
        save(source / name, pixels if name != "train/b.png" else pattern(np.random.default_rng(1)))
        os.utime(source / name, ns=(0, 10**18 + (day - 1) ** 2 * 10**15))
    save(source / "train/c.png", pattern(np.random.default_rng(1)))
    pq.write_table(pa.table({"key": ["val/a.png", "test/a.png"], "quality": [0.5, 0.1]}), tmp_path / "m.parquet")
    base = (f"source.metadata={tmp_path / 'm.parquet'}", "source.split=folder")

    def after(*settings: str) -> str:
        audit(source, tmp_path / "run", *base, *settings, until="duplicates")
        return next(key for key in kept(tmp_path / "run") if key.endswith("/a.png"))

    assert after("duplicates.keep=[oldest]") == "test/a.png"
    assert after("duplicates.keep=[newest]") == "train/a.png"  # as new as val's: the key decides
    assert after("duplicates.keep=[largest:quality]") == "val/a.png"
    assert after("duplicates.keep=[smallest:quality]") == "test/a.png"
    assert after("duplicates.keep=[largest:quality]", "duplicates.prefer=[train, test]") == "train/a.png"
    assert after("duplicates.keep=[largest:quality]", "duplicates.prefer=[test, train]") == "test/a.png"
    rows = {row["key"]: row for row in by_key(tmp_path / "run", "duplicates")}
    assert {key: row["split"] for key, row in rows.items()} == {key: key.split("/")[0] for key in rows}
    assert {key: row["leakage"] for key, row in rows.items()} == {key: key.endswith("/a.png") for key in rows}
    summary = audit(source, tmp_path / "run", *base, until="duplicates")
    assert (summary.stage("duplicates").counts["groups"], summary.stage("duplicates").counts["leakage"]) == (2, 1)
    audit(source, tmp_path / "run", until="duplicates")  # by their names
    assert {row["key"]: row["split"] for row in by_key(tmp_path / "run", "duplicates")} == {
        key: key.split("/")[0] for key in rows
    }
    audit(source, tmp_path / "run", "source.split=none", until="duplicates")
    assert {(row["leakage"], row["split"]) for row in by_key(tmp_path / "run", "duplicates")} == {(None, None)}
