"""DataEval's rule written down slowly: an n x n matrix, every cluster at every level, lists of members."""

import warnings

import numpy as np
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist, squareform


def evaluate(x, last=None):
    """The four lists and the last good merge levels; or the lists of given levels."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return _evaluate(np.asarray(x, np.float64), last)


def _evaluate(x, last):
    n = len(x)
    d = squareform(pdist(x))
    least = min(max(2, int(0.05 * n)), 100)
    at, seeds, top = clusters(linkage(pdist(x), "single"))
    if last is None:
        last = {0: int(0.1 * n)} if seeds <= 1 else _last(at, d, top, least)
    out, potential = outliers(at, last, least)
    spread = []
    for c, level in last.items():
        members, _, mean_std, *_ = at[level][c]
        if len(members) >= least:
            spread.append(mean_std[1])
    s = np.mean(spread)
    upper = np.triu(np.ones((n, n), bool), 1)
    exact, near = upper & (d <= s / 100), upper & (d <= s) & (d > s / 100)
    return {
        "outliers": out,
        "potential_outliers": potential,
        "duplicates": _groups(n, exact),
        "near_duplicates": _groups(n, near),
    }, last


def clusters(z):
    """level -> id -> (members, heights, (mean, std), out1, out2, absorbed id); ids; the highest level of a merge."""
    n, at, where, seeds, top = len(z) + 1, {}, {}, 0, 1

    def put(level, c, members, heights, absorbed):
        heights = np.array(heights, np.float32)
        mean, std = float(np.mean(heights)), float(np.std(heights)) if len(heights) > 1 else 1e-5
        last = float(heights[-1])
        cluster = (members, heights, (mean, std), last > mean + std, last > mean + std + std, absorbed)
        at.setdefault(level, {})[c] = cluster

    for k, (i, j, height, _) in enumerate(z):
        i, j = int(i), int(j)
        if i < n and j < n:
            put(0, seeds, [i, j], [height], None)
            where[n + k] = (0, seeds)
            seeds += 1
        elif i < n or j < n:
            row, (level, c) = (i, where[j]) if i < n else (j, where[i])
            members, heights = at[level][c][:2]
            put(level + 1, c, [*members, row], [*heights, height], None)
            where[n + k] = (level + 1, c)
        else:
            (low, a), (high, b) = where[i], where[j]
            (one, e1), (two, e2) = at[low][a][:2], at[high][b][:2]
            level = max(low, high)
            top = max(top, level)
            for start, c in ((low, a), (high, b)):
                members, heights = at[start][c][:2]
                for q in range(start + 1, level + 1):
                    at[q][c] = (members, heights, (0.0, 0.0), False, False, None)
            members = one + two if len(one) >= len(two) else two + one
            put(level + 1, min(a, b), members, [*e2, *e1, height], max(a, b))
            where[n + k] = (level + 1, min(a, b))
    return at, seeds, top


def _last(at, d, top, least):
    merges = []
    for level in sorted(at):
        for outer, (members, _, _, one, two, inner) in at[level].items():
            if inner is None:
                continue
            gaps = np.array(
                [d[np.ix_(at[q][outer][0], at[q][inner][0])].min() for q in range(min(level, top))], np.float32
            )
            value = np.mean(gaps) if two or (one and len(members) >= least) else np.max(gaps)
            inside = max(np.float32(at[q][outer][2][0]) for q in range(top) if outer in at.get(q, {}))
            merges.append((level, outer, inner, value, inside))
    u = np.log(np.unique(np.array([merge[4] for merge in merges], np.float32)))
    v = np.log(np.array([merge[3] for merge in merges], np.float32))
    t = u.mean() + 2 * u.std()
    r = np.abs((v - t) / t)
    rest = r[~(v < t)]
    rest = rest[rest < 1]
    good = (v < t) | (r < rest.mean() + rest.std())
    last = {}
    for k in sorted(range(len(merges)), key=lambda k: -merges[k][0]):
        level, outer, inner = merges[k][:3]
        if good[k]:
            if outer in last:
                last[outer] = max(last[outer], level)
            continue
        for c in (outer, inner):
            last.setdefault(c, 0)
        if last[outer] > level:
            last[outer] = level - 1
    return last


def outliers(at, last, least):
    final = {c: level for level in sorted(at) for c in at[level]}
    out, potential, seen = set(), set(), set()
    for level in sorted(at):
        for c, (members, _, _, one, two, absorbed) in at[level].items():
            if absorbed is not None or c not in last or level <= last[c]:
                continue
            few = len(members) < least
            if c in seen and members[-1] not in out:
                out.add(members[-1])
            elif two:
                out.update(members if few else members[-1:])
                seen.add(c)
            elif one and not few:
                potential.add(members[-1])
            elif level == final[c] and few:
                out.update(members)
    return sorted(out), sorted(potential)


def _groups(n, pairs):
    group = list(range(n))
    for i, j in zip(*np.nonzero(pairs), strict=True):
        if group[i] != group[j]:
            old = group[j]
            group = [group[i] if g == old else g for g in group]
    found = [[i for i in range(n) if group[i] == g] for g in set(group)]
    return sorted(rows for rows in found if len(rows) > 1)
