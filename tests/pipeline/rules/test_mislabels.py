"""The rule for label errors against its words, one row at a time."""

from collections import Counter
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixsieve.rules import mislabels
from pixsieve.rules.mislabels import CERTAIN, CHANCE, POTENTIAL, mislabelled, nearest_with

FEW = settings(max_examples=40, deadline=None)
SEEDS = st.integers(0, 2**32 - 1)
FIELDS = ("log_odds", "suggested", "level", "own", "other", "copies")


class Drawn(NamedTuple):
    node: np.ndarray
    labels: np.ndarray
    clusters: np.ndarray
    index: np.ndarray
    similarity: np.ndarray
    rank: np.ndarray

    def found(self) -> mislabels.Mislabelled:
        return mislabelled(*self[:5])


def drawn(x: np.ndarray, labels: np.ndarray, clusters: np.ndarray, k: int, rank: np.ndarray | None = None) -> Drawn:
    """Rows x (n, d) of unit length, NaN for one without a direction. Neighbours by brute force, ties by rank."""
    n = len(x)
    rank = np.arange(n) if rank is None else rank
    node, places, first = np.full(n, -1), {}, []
    for row in np.argsort(rank):
        if not np.isnan(x[row]).any():
            node[row] = places.setdefault((x[row] + 0).tobytes(), len(places))  # + 0: no -0
            first += [row] if node[row] == len(first) else []
    m = len(first)
    index, similarity = np.full((m, k), -1), np.full((m, k), -np.inf)
    for a, cosines in enumerate(x[first] @ x[first].T):
        near = np.argsort(-np.delete(cosines, a), kind="stable")[:k]
        index[a, : len(near)] = near + (near >= a)
        similarity[a, : len(near)] = np.delete(cosines, a)[near]
    return Drawn(node, labels, clusters, index, similarity, rank)


def some(seed: int, rank: np.ndarray | None = None) -> Drawn:
    """Groups of rows with labels that mostly follow them; copies, nulls and rows without a direction."""
    rng = np.random.default_rng(seed)
    n, classes = int(rng.integers(0, 60)), int(rng.integers(1, 6))
    group = rng.integers(classes, size=n)
    x = 2 * rng.normal(size=(classes, 4))[group] + rng.uniform(0, 1.5) * rng.normal(size=(n, 4))
    labels = np.where(rng.random(n) < 0.2, rng.integers(-1, classes, size=n), group)
    for copy, of in rng.integers(max(n, 1), size=(int(rng.integers(0, n + 1)) // 3, 2)):
        x[copy] = x[of]
    x = np.round(x / np.linalg.norm(x, axis=1, keepdims=True), 3)
    x[rng.random(n) < 0.05] = np.nan
    return drawn(x, labels, np.where(rng.random(n) < 0.3, -1, group % 3), int(rng.integers(1, 8)), rank)


def slowly(d: Drawn) -> list[tuple]:
    """The module's docstring, in loops."""
    n, m = len(d.node), len(d.index)
    held = [Counter(int(d.labels[r]) for r in range(n) if d.node[r] == a and d.labels[r] >= 0) for a in range(m)]
    of_node = Counter(d.node.tolist())

    def weights(a: int) -> dict[int, float]:
        near = {int(b): float(np.sqrt(max(2 - 2 * s, 0))) for b, s in zip(d.index[a], d.similarity[a], strict=True)
                if b >= 0}  # fmt: skip
        far = max(near.values(), default=0)
        return {b: 1 / max(chord, far / 10) if far else 1.0 for b, chord in near.items()}

    def vote(a: int, c: int) -> float:
        return held[a][c] / of_node[a]

    def p(a: int, c: int) -> float:
        own, heard = weights(a), 0.0
        for b, w in own.items():
            others = {x: v for x, v in weights(b).items() if x != a}
            theirs = sum(v * vote(x, c) for x, v in others.items()) / sum(others.values()) if others else 0
            heard += w * (vote(b, c) + theirs) / 2
        return heard / sum(own.values()) if own else 0.0

    rows = [r for r in range(n) if d.node[r] >= 0 and d.labels[r] >= 0]
    size = Counter(int(d.labels[r]) for r in rows)
    share = {c: size[c] / len(rows) for c in size}
    total = {c: sum(p(d.node[r], c) for r in rows if d.labels[r] == c) for c in size}
    t = {c: (total[c] + 5 * share[c]) / (size[c] + 5) for c in size}
    known = {c: max(0.0, (t[c] - share[c]) / (1 - share[c])) if share[c] < 1 else 0.0 for c in size}
    found = []
    for row in range(n):
        if row not in rows:
            found.append((np.nan, -1, 0, 0.0, 0.0, 0))
            continue
        a, y = int(d.node[row]), int(d.labels[row])
        mates = [int(d.labels[r]) for r in rows if d.clusters[r] == d.clusters[row] and r != row]

        def lift(c: int, mates=mates) -> float:
            q = (mates.count(c) + 5 * share[c]) / (len(mates) + 5)
            return float(np.log((q + CHANCE) / (share[c] + CHANCE)))

        options = []
        for c in sorted(size):
            if c == y or not (p(a, c) > 1e-7 or held[a][c]):
                continue
            odds = np.log((p(a, c) + CHANCE) / (p(a, y) + CHANCE))
            odds += (lift(c) - lift(y)) / 4 if d.clusters[row] >= 0 else 0
            odds *= min(1, 2 * known[y], 2 * known[c])
            odds += max(held[a][c] - held[a][y] + 1, 0) * np.log(100)
            sure = p(a, c) >= min(t[c], 0.8) - 1e-7 or held[a][c] > 0
            options.append((odds, c, int(odds >= POTENTIAL) + int(odds >= CERTAIN and sure), p(a, c), held[a][c]))
        if options:
            odds, c, level, other, copies = max(options, key=lambda option: round(option[0], 9))
            found.append((odds, c, level, p(a, y), other, copies))
        else:
            odds = min(1, 2 * known[y]) * np.log(CHANCE / (p(a, y) + CHANCE))
            found.append((odds, -1, 0, p(a, y), 0.0, 0))
    return found


@FEW
@given(SEEDS)
def test_the_rule_is_what_its_words_say(seed: int):
    d = some(seed)
    found, expected = d.found(), slowly(d)
    for name, values in zip(FIELDS, zip(*expected, strict=True) if expected else [()] * 6, strict=True):
        np.testing.assert_allclose(getattr(found, name), values, rtol=0, atol=1e-5, err_msg=name)
    unknown = (d.labels < 0) | (d.node < 0)
    assert np.isnan(found.score[unknown]).all() and not found.level[unknown].any()
    assert ((found.score[~unknown] >= 0) & (found.score[~unknown] <= 1)).all()
    assert ((found.score >= 0.5) | (found.level < 2)).all()


@FEW
@given(SEEDS)
def test_the_order_of_rows_does_not_matter(seed: int):
    d = some(seed)
    order = np.random.default_rng(seed).permutation(len(d.node))
    rank_of_node = np.random.default_rng(seed + 1).permutation(len(d.index))
    back = np.argsort(rank_of_node)
    again = Drawn(
        np.where(d.node >= 0, np.append(back, -1)[d.node], -1)[order],
        d.labels[order],
        d.clusters[order],
        np.where(d.index >= 0, np.append(back, -1)[d.index], -1)[rank_of_node],
        d.similarity[rank_of_node],
        d.rank[order],
    )
    one, other = d.found(), again.found()
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(one, name)[order], getattr(other, name))
    near = nearest_with(d.node, d.labels, d.rank, d.index, one.suggested)
    far = nearest_with(again.node, again.labels, again.rank, again.index, other.suggested)
    np.testing.assert_array_equal(np.append(order, -1)[far], near[order])


@FEW
@given(SEEDS)
def test_the_related_row_is_the_nearest_with_the_suggested_label(seed: int):
    d = some(seed, np.random.default_rng(seed).permutation(60)[: len(some(seed).node)])
    suggested = d.found().suggested
    near = nearest_with(d.node, d.labels, d.rank, d.index, suggested)
    for row, wanted in enumerate(suggested):
        expected = -1
        for other in [d.node[row], *d.index[d.node[row]]] if wanted >= 0 else []:
            fits = [r for r in range(len(d.node)) if other >= 0 and d.node[r] == other and d.labels[r] == wanted]
            if fits and expected < 0:
                expected = min(fits, key=lambda r: d.rank[r])
        assert near[row] == expected


unit = st.floats(0, 1)


@settings(deadline=None)
@given(unit, unit, st.floats(-5, 5), unit, unit, st.floats(0, 5))
def test_more_evidence_means_more(own, other, lift, known, more, higher):
    def odds(*values: float) -> float:
        return float(mislabels.log_odds(*(np.array([value], float) for value in values))[0])

    base = odds(own, other, lift, known)
    assert odds(own, other + more, lift, known) >= base
    assert odds(own + more, other, lift, known) <= base
    assert odds(own, other, lift + higher, known) >= base
    assert abs(odds(own, other, lift, min(known + more, 1))) >= abs(odds(own, other, lift, known))
    assert odds(own, other, lift, 0) == 0


def blobs(rows: int, classes: int, copies: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    label = np.arange(rows) % classes
    x = 5 * rng.normal(size=(classes, 16))[label] + rng.normal(size=(rows, 16))
    x = np.concatenate([x, x[:copies]])
    return x / np.linalg.norm(x, axis=1, keepdims=True), np.concatenate([label, label[:copies]])


def levels(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return drawn(x, labels, np.full(len(x), -1), 10).found().level


def test_planted_errors_are_found_and_nothing_else():
    x, label = blobs(400, 4)
    wrong = np.arange(0, 400, 27)
    given_ = label.copy()
    given_[wrong] = (label[wrong] + 1) % 4
    found = drawn(x, given_, label, 10).found()
    assert np.flatnonzero(found.level).tolist() == wrong.tolist()
    assert (found.level[wrong] == 2).mean() > 0.9 and (found.suggested[wrong] == label[wrong]).all()
    assert set(np.argsort(-found.score)[: len(wrong)]) == set(wrong)


@pytest.mark.parametrize("classes", [1, 2, 10, 150, 400])
def test_where_labels_mean_nothing_nothing_is_called(classes: int):
    x, _ = blobs(400, 4)
    assert not levels(x, np.random.default_rng(0).integers(classes, size=400)).any()
    assert not levels(x, (np.random.default_rng(0).random(400) < 0.05).astype(int)).any()
    assert not levels(x, np.arange(400)).any()


def test_a_copy_with_another_label_is_a_conflict_that_neighbours_can_settle():
    x, label = blobs(400, 4, copies=3)
    label[400] = (label[0] + 1) % 4
    found = levels(x, label)
    assert np.flatnonzero(found).tolist() == [400] and found[400] == 2
    nonsense = np.random.default_rng(0).integers(2, size=403)  # neighbours cannot say which of two copies is right
    nonsense[:3], nonsense[400:] = 0, (1, 0, 1)
    assert np.flatnonzero(levels(x, nonsense)).tolist() == [0, 2, 400, 402]


def test_two_of_three_copies_are_right():
    x = np.eye(8)[[0, 0, 0, 1, 2, 3, 4, 5, 6, 7]]
    labels = np.array([0, 1, 0, 0, 1, 0, 1, 0, 1, 0])
    assert np.flatnonzero(levels(x, labels) == 2).tolist() == [1]
