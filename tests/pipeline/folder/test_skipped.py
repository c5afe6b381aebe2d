"""The table of what is skipped."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pixsieve.folder import skipped
from pixsieve.sources import patterns

ENTRIES = st.lists(
    st.tuples(st.text("aZ./", max_size=6), st.none() | st.integers(0, 9), st.sampled_from(skipped.WHY)),
    unique_by=lambda one: one[0],
    max_size=12,
)


@given(ENTRIES, st.integers(1, 5))
def test_entries_come_back_by_key_however_they_are_packed(entries: list[tuple], chunk: int):
    before, skipped.CHUNK = skipped.CHUNK, chunk
    try:
        gathered = skipped.Gathered()
        for entry in entries:
            gathered.add(*entry)
        table = gathered.table()
    finally:
        skipped.CHUNK = before
    assert table.schema == skipped.SKIPPED
    assert [tuple(row.values()) for row in table.to_pylist()] == sorted(entries, key=lambda one: one[0])


@given(st.lists(st.text("aZ.", min_size=1, max_size=6), max_size=12))
def test_suffixes_are_counted_as_the_rule_sees_them(names: list[str]):
    names = [f"d.x/{name}" for name in names]
    expected = Counter(patterns.suffix(name) or skipped.NO_SUFFIX for name in names)
    assert skipped.by_suffix(pa.chunked_array([pa.array(names, pa.string())])) == expected


def test_rare_suffixes_are_counted_together():
    keys = [f"a.{number:02}" for number in range(30)] + ["b.txt", "c.TXT", "d/", "long.of a sentence", "e.\n"]
    found = skipped.by_suffix(pa.chunked_array([keys]))
    assert list(found.items())[:3] == [(".txt", 2), ("without suffix", 2), (".00", 1)]
    assert len(found) == skipped.NAMED + 1 and found["others"] == len(keys) - 4 - 18


def test_the_table_is_written_when_it_changes(tmp_path: Path):
    gathered = skipped.Gathered()
    assert skipped.digests(tmp_path) == {}
    assert skipped.save(tmp_path, gathered.table()) and not skipped.save(tmp_path, gathered.table())
    empty = skipped.digests(tmp_path)
    gathered.add("a.txt", 1, skipped.SUFFIX)
    assert skipped.save(tmp_path, gathered.table()) and not skipped.save(tmp_path, gathered.table())
    assert skipped.digests(tmp_path).keys() == empty.keys() and skipped.digests(tmp_path) != empty
