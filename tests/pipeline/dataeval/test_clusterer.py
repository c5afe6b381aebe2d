"""Clusterer against what DataEval 0.61.0 returned, and against its rule written down slowly."""

import json
import pickle
import re
from itertools import pairwise
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist

from pixsieve import Clusterer
from tests.pipeline.dataeval import reference as dataeval_reference

ORACLE = Path(__file__).parents[2] / "oracle"
FILES = sorted(ORACLE.glob("*.json"))


def drawn(seed, n, d):
    """Rows of one of several kinds: groups, chains, integers, far rows; copies and near copies among them."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(5)
    x = rng.normal(size=(n, d))
    if kind == 1:
        x = 4 * rng.normal(size=(max(1, n // 20), d))[rng.integers(max(1, n // 20), size=n)] + 0.5 * x
    elif kind == 2:
        x = rng.integers(0, rng.integers(2, 12), size=(n, d)).astype(float)
    elif kind == 3:
        x = np.cumsum(x, axis=0)
    elif kind == 4:
        x = rng.standard_t(2, size=(n, d))
    x *= 10.0 ** rng.integers(-2, 3)
    if rng.random() < 0.5:
        x = np.round(x, int(rng.integers(0, 3)))
    for share, off in ((6, 0.0), (10, 10.0 ** rng.integers(-6, 0))):
        count = int(rng.integers(0, n // share + 1))
        x[rng.integers(n, size=count)] = x[rng.integers(n, size=count)] + off * rng.normal(size=(count, d))
    return x[rng.permutation(n)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_as_dataeval(path):
    known = json.loads(path.read_text())
    clusterer = Clusterer(np.array(known["data"]))
    assert clusterer.evaluate() == known["output"]
    assert {str(c): level for c, level in clusterer.last_good_merge_levels.items()} == known["last_good_merge_levels"]


def test_every_kind_of_answer_is_among_them():
    found = [json.loads(path.read_text())["output"] for path in FILES]
    assert len(FILES) == 11 and all(any(output[name] for output in found) for name in found[0])


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 160), d=st.integers(1, 23))
def test_as_the_rule_written_down_slowly(seed, n, d):
    x = drawn(seed, n, d)
    clusterer = Clusterer(x)
    lists, last = dataeval_reference.evaluate(x)
    assert clusterer.last_good_merge_levels == last
    assert list(clusterer.last_good_merge_levels) == list(last)
    assert clusterer.evaluate() == lists


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 60), value=st.sampled_from([0.0, 1.0, -0.1]))
def test_few_values_and_equal_rows(seed, n, value):
    rng = np.random.default_rng(seed)
    x = np.where(rng.random((n, 2)) < rng.choice([0, 0.1, 0.5]), rng.integers(0, 3, (n, 2)), value)
    assert Clusterer(x).evaluate() == dataeval_reference.evaluate(x)[0]


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 120), data=st.data())
def test_given_levels(seed, n, data):
    """Any levels of any of the clusters, in any order; none, too."""
    x = drawn(seed, n, 3)
    at, *_ = dataeval_reference.clusters(linkage(pdist(x), "single"))
    ends = {c: level for level in sorted(at) for c in at[level]}
    some = data.draw(st.lists(st.sampled_from(sorted(ends)), unique=True))
    last = {c: data.draw(st.integers(0, ends[c])) for c in some}
    clusterer = Clusterer(x)
    found = (*clusterer.find_outliers(last), *clusterer.find_duplicates(last_merge_levels=last))
    assert found == (*dataeval_reference.evaluate(x, last)[0].values(),)


def test_levels_that_there_are_not():
    clusterer = Clusterer(drawn(5, 80, 3))
    known = clusterer.last_good_merge_levels
    assert clusterer.find_outliers(known) == clusterer.find_outliers()
    assert clusterer.find_duplicates(known) == clusterer.find_duplicates()
    for find in (clusterer.find_outliers, clusterer.find_duplicates):
        with pytest.raises(ValueError, match=r"there is no cluster -1; there are \d+, from 0 on"):
            find({-1: 0})
        with pytest.raises(ValueError, match="there is no cluster 999"):
            find({999: 0})
        with pytest.raises(ValueError, match=r"cluster 0 has the levels 0 to \d+, none of 999"):
            find({0: 999})
        with pytest.raises(ValueError, match="none of -1"):
            find({0: -1})


def test_results_are_a_dictionary_and_have_attributes():
    results = Clusterer(drawn(5, 150, 2)).evaluate()
    names = ["outliers", "potential_outliers", "duplicates", "near_duplicates"]
    assert list(results) == list(results.keys()) == [name for name, _ in results.items()] == names
    assert dict(results) == results and len(results) == 4 and {**results} == results
    assert all(results[name] is getattr(results, name) for name in names)
    assert "outliers" in results and "others" not in results and results.get("others") is None
    assert results.near_duplicates and results.potential_duplicates == results.near_duplicates
    assert pickle.loads(pickle.dumps(results)) == results != {**results, "outliers": [-1]}
    with pytest.raises(KeyError, match="others"):
        results["others"]
    with pytest.raises(AttributeError):
        results.outliers = []


def test_any_form_of_the_same_numbers():
    import torch

    x = np.random.default_rng(0).integers(0, 9, size=(40, 3))
    expected = Clusterer(x.astype(np.float64)).evaluate()
    tensor = torch.tensor(x, dtype=torch.bfloat16, requires_grad=True)
    for same in (x, x.tolist(), x.astype(np.float16), x.astype(np.float32), np.asfortranarray(x), tensor):
        assert Clusterer(same).evaluate() == expected


def test_lists_are_plain_numbers_in_order():
    x = drawn(1, 150, 2)
    lists = Clusterer(x).evaluate()
    groups = [lists.outliers, lists.potential_outliers, *lists.duplicates, *lists.near_duplicates]
    assert {type(i) for rows in groups for i in rows} == {int}
    assert all(a < b for rows in groups for a, b in pairwise(rows))
    assert lists.duplicates == sorted(lists.duplicates) and lists.near_duplicates == sorted(lists.near_duplicates)


def test_what_is_done_to_the_array_later_changes_nothing():
    x = drawn(5, 80, 3)
    expected = Clusterer(x).evaluate()
    clusterer = Clusterer(x)
    x[:] = 0
    assert clusterer.evaluate() == expected
    assert (*clusterer.find_outliers(), *clusterer.find_duplicates()) == (*expected.values(),)


@pytest.mark.parametrize(
    ("dataset", "error", "says"),
    [
        (np.zeros(5), ValueError, "1 dimensions; 2 are needed"),
        (np.zeros((4, 3, 2)), ValueError, "3 dimensions; 2 are needed"),
        (np.zeros((1, 3)), ValueError, "1 rows; at least 2"),
        (np.zeros((3, 0)), ValueError, "no features"),
        ([[1.0, 2.0], [3.0]], ValueError, "dataset is not an array"),
        (np.array([[0.0, 1.0], [np.nan, 0.0]]), ValueError, "row 1 of dataset holds NaN"),
        (np.array([[0.0, np.inf], [0.0, 0.0]]), ValueError, "row 0 of dataset holds NaN or infinity"),
        (np.array([["a", "b"], ["c", "d"]]), TypeError, "floats of up to 64 bits or integers"),
        (np.zeros((3, 2), complex), TypeError, "complex128"),
        (np.zeros((3, 2), np.longdouble), TypeError, "up to 64 bits"),
        (np.ma.zeros((3, 2)), TypeError, "masked"),
        (np.array([[0.0], [1e200]]), ValueError, r"1e\+200; its squares leave float64"),
        (np.array([[0.0], [1e-150]]), ValueError, "1e-150; its squares leave float64"),
    ],
)
def test_bad_input(dataset, error, says):
    with pytest.raises(error, match=says):
        Clusterer(dataset)


def test_the_page_says_what_is_so():
    page = (ORACLE.parents[1] / "docs/dataeval.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict = {}
    exec(code, names)
    assert names["results"].duplicates == [[24, 79]]
    head, _, row = re.search(r"(\| times .*)\n(.*)\n(.*)", page).groups()
    times, counts = ([cell.strip() for cell in line.split("|")[2:-1]] for line in (head, row))
    x = np.array(json.loads((ORACLE / "a_tutorial_100x2.json").read_text())["data"])
    assert len(times) == 6
    for factor, shown in zip(times, counts, strict=True):
        assert " ".join(str(len(part)) for part in Clusterer(x * float(factor)).evaluate().values()) == shown
