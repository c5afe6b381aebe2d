"""The one form of findings."""

import numpy as np
import pyarrow as pa
import pytest

from pixsieve.folder import finding_table


def test_levels_become_words_and_what_is_missing_null():
    rows, keys = np.array([4, 2, 9]), pa.array(["d", "b", "i"])
    kinds = ["outlier", "dark", "label"]
    score, level = np.array([0.7, np.nan, 0.0]), np.array([2, 2, 1])
    found = finding_table.table(rows, keys, kinds, score, level, ["far", "", "odd"], np.array([1, -1, 0]))
    assert found.schema == finding_table.FINDINGS
    assert found["level"].to_pylist() == ["outlier", "certain", "potential"]
    assert found["score"].to_pylist() == [0.7, None, 0.0]
    assert found["related"].to_pylist() == [1, None, 0]
    one = finding_table.table(rows, pa.chunked_array([keys]), "dark", score, level, [""] * 3)
    assert one["kind"].to_pylist() == ["dark"] * 3 and one["related"].null_count == 3
    none = finding_table.table(rows[:0], keys[:0], [], score[:0], level[:0], [])
    assert len(none) == 0 and none.schema == finding_table.FINDINGS


@pytest.mark.parametrize(("score", "level"), [(1.01, 2), (-0.1, 2), (0.5, 3), (0.5, -1), (np.inf, 1)])
def test_what_is_no_score_or_level_is_refused(score: float, level: int):
    with pytest.raises(ValueError, match="dark"):
        finding_table.table(np.array([0]), pa.array(["a"]), "dark", np.array([score]), np.array([level]), [""])
