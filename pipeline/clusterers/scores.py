"""Which of several clusterings is best: the scores that are usual, and two ways to make one of them.

robust  rows in no cluster are left out of the scores; silhouette, Davies-Bouldin and Calinski-Harabasz are brought to
        [0, 1] between the worst and the best candidate, the second turned round; their mean times the share of rows in
        clusters. Candidates without two clusters of what was sampled, or with a score that is no number, come last.
minmax  silhouette - Davies-Bouldin + Calinski-Harabasz, each brought to [0, 1]; rows in no cluster count as a cluster
        of their own. As tools do that know no noise.
"""

from typing import Any

import numpy as np

from pixsieve.backend import Backend
from pixsieve.clusterers import fit
from pixsieve.config.cluster import Clusterer, candidates
from pixsieve.folder.measure import Measure
from pixsieve.folder.sample import Sample

SCORES = ("silhouette", "davies_bouldin", "calinski_harabasz")


def tried(settings: Clusterer, sample: Sample, seed: int, measure: Measure, backend: Backend) -> list[dict[str, Any]]:
    """A record of each candidate: parameters, those used on the sample, clusters, share of noise, the three scores and
    the total (null where there is none), and what went wrong."""
    search = settings.search
    assert search is not None
    x = sample.vectors
    scored = np.sort(np.random.default_rng(seed).permutation(len(x))[: search.sample])
    records = []
    for candidate in candidates(settings):
        used = candidate.thinned(sample.share)
        record: dict[str, Any] = {"parameters": candidate.parameters, "used": used.parameters, "error": None}
        cluster = np.full(len(x), -1)
        try:
            cluster = fit(x, used, seed, measure, backend).cluster
        except (ValueError, ArithmeticError, MemoryError) as error:
            record["error"] = f"{type(error).__name__}: {error}"
        record |= {
            "clusters": int(cluster.max(initial=-1)) + 1,
            "noise": float((cluster < 0).mean()) if len(x) else 0.0,
        }
        records.append(record | _scores(measure.points(x[scored]), cluster[scored], search.rule))
    for record, total in zip(records, totals(records, search.rule), strict=True):
        record["score"] = total
    return records


def choose(records: list[dict[str, Any]]) -> int:
    """The first of the best; the first of all where none has a score."""
    totals = [-np.inf if record["score"] is None else record["score"] for record in records]
    return int(np.argmax(totals))


def _scores(x: np.ndarray, cluster: np.ndarray, rule: str) -> dict[str, float | None]:
    from sklearn import metrics

    if rule == "robust":
        x, cluster = x[cluster >= 0], cluster[cluster >= 0]
    if not 2 <= len(np.unique(cluster)) < len(cluster):
        return dict.fromkeys(SCORES)
    values = (
        metrics.silhouette_score(x, cluster),
        metrics.davies_bouldin_score(x, cluster),
        metrics.calinski_harabasz_score(x, cluster),
    )
    return {name: float(v) if np.isfinite(v) else None for name, v in zip(SCORES, values, strict=True)}


def totals(records: list[dict[str, Any]], rule: str) -> list[float | None]:
    """The total of each candidate; null for one that lacks a score."""
    known = [at for at, record in enumerate(records) if all(record[name] is not None for name in SCORES)]
    scaled = (_scaled([records[at][name] for at in known]) for name in SCORES)
    found: list[float | None] = [None] * len(records)
    for at, silhouette, davies, calinski in zip(known, *scaled, strict=True):
        if rule == "minmax":
            found[at] = silhouette - davies + calinski
        else:
            found[at] = (silhouette + (1 - davies) + calinski) / 3 * (1 - records[at]["noise"])
    return found


def _scaled(values: list[float]) -> list[float]:
    low, high = min(values, default=0.0), max(values, default=0.0)
    return [(value - low) / (high - low) if high > low else 0.5 for value in values]
