"""The rows that stand for a cluster, against a slow search."""

import numpy as np
import pytest

from pixsieve.clusterers.representatives import representatives
from pixsieve.config.cluster import Dbscan
from tests.pipeline.clusterers.drawn import fit, rows, wide
from tests.pipeline.helpers import GIVEN


def test_representatives():
    x = rows(1)
    found = fit(x, Dbscan(similarity=0.93, min_samples=5))
    dense = found.strength == 1
    standing = representatives(GIVEN.points(x), found.cluster, np.arange(len(x)) + 1000, dense, 4)
    count = found.cluster.max() + 1
    assert len(standing.size) == len(standing.medoid) == count
    for label in range(count):
        members = np.flatnonzero(found.cluster == label)
        mean = wide(x)[members].mean(axis=0)
        of = standing.cluster == label
        picks = standing.row[of] - 1000
        core = members[dense[members]]
        near_mean = ((wide(x)[core] - wide(x)[core].mean(axis=0)) ** 2).sum(axis=1)
        assert picks[0] == core[np.argmin(near_mean)] and standing.medoid[label] == picks[0] + 1000
        assert standing.size[label] == len(members) == standing.covers[of].sum()
        np.testing.assert_allclose(standing.mean[label], mean, atol=1e-6)
        near = wide(x)[members] @ wide(x)[picks].T
        owner = near.argmax(axis=1)
        for at in range(len(picks)):
            if (mine := owner == at).any():
                farthest = np.sqrt(np.maximum(2 - 2 * near[mine, at].min(), 0))
                assert standing.radius[of][at] == pytest.approx(farthest, abs=1e-6)
        # Each pick is the core row that was farthest from those before it.
        for at in range(1, len(picks)):
            covered = (wide(x)[core] @ wide(x)[picks[:at]].T).max(axis=1)
            assert covered[core == picks[at]][0] == pytest.approx(covered.min())
        assert dense[picks].all() and len(set(picks)) == len(picks) <= 4
    none = representatives(GIVEN.points(x)[:0], found.cluster[:0], np.arange(0), dense[:0], 4)
    assert len(none.size) == len(none.row) == 0
