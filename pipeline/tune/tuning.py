"""From the store of a run to numbers: the usable rows or a sample of them, their curves, the suggestion."""

import shlex
from dataclasses import dataclass

import numpy as np

from pixsieve.config.cluster import MOST_SAMPLES, Dbscan
from pixsieve.errors import ConfigError
from pixsieve.folder import sample
from pixsieve.folder.run_folder import Run
from pixsieve.runtime.receipts import Receipts
from pixsieve.tune import curves as at
from pixsieve.tune.curves import Curves, Floats
from pixsieve.tune.suggestion import Suggestion, suggest

STEPS = 200  # of the curves over similarity
NICE = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05)  # steps between the lines of the table,
LINES = 20  # of which there are so many at most


@dataclass(frozen=True)
class Curve:
    """What DBSCAN gives at some similarities."""

    similarity: list[float]
    noise: list[int]  # rows in no cluster
    clusters: list[int]
    largest: list[int]  # rows of the largest cluster


@dataclass(frozen=True)
class Tuning:
    source: str
    descriptor: str
    usable: int  # rows of the run that can be compared
    rows: int  # of these in the curves
    min_samples: int  # that was asked for
    min_samples_used: int  # other than that in a sample
    k_distance: list[
        float
    ]  # similarity to the (min_samples_used - 1)-th nearest row, at even shares of the rows, if any
    curve: Curve  # even steps of similarity
    table: Curve  # round similarities, and the suggested one
    suggestion: Suggestion | None
    reason: str  # why there is no suggestion; else empty
    command: str  # how to use the suggestion; else empty

    @property
    def sampled(self) -> bool:
        return self.rows < self.usable


def tune(run: Run, *, min_samples: int | None = None, rows: int = 20_000) -> Tuning:
    """Everything that RUN/tune/ says. Reads the store batch by batch and writes nothing.

    min_samples: default: the run's. rows: of a run with more usable rows as many are drawn, every time the same. A
    share p of the rows has the share p of a row's neighbours: the curves of the sample are made with
    max(2, round(p (min_samples - 1)) + 1), or 1 if 1 was asked for. ConfigError if the rows are not embedded, or
    min_samples is not 1 to 256.
    """
    asked = _min_samples(run) if min_samples is None else min_samples
    if not 1 <= asked <= MOST_SAMPLES:
        raise ConfigError(
            f"tune works with a min_samples of 1 to {MOST_SAMPLES}, not {asked}; choose with --min-samples"
        )
    if rows < 1:
        raise ConfigError(f"--rows is {rows}; at least 1 is needed")
    _check_embedded(run)
    drawn = sample.draw(run, rows, run.config.run.seed)
    used = Dbscan(min_samples=asked).thinned(drawn.share).min_samples
    curves = at.measure(run.backend.to_device(drawn.vectors), used, run.measure.metric)
    suggestion = suggest(curves)
    found = None if isinstance(suggestion, str) else suggestion
    low = lowest(curves)
    return Tuning(
        run.config.source.path,
        run.measure.name,
        drawn.of,
        len(drawn.rows),
        asked,
        used,
        _k_distance(curves),
        _curve(curves, np.linspace(low, 1, STEPS + 1).round(6)),
        _curve(curves, _lines(low, found)),
        found,
        suggestion if isinstance(suggestion, str) else "",
        "" if found is None else _command(run, found, asked),
    )


def _min_samples(run: Run) -> int:
    """The run's, or where its method has none, that of DBSCAN."""
    found: int = getattr(run.config.cluster, "min_samples", Dbscan().min_samples)
    return found


def _check_embedded(run: Run) -> None:
    done = Receipts(run.path, "embed").by_unit
    missing = 0
    for batch, name in enumerate(run.manifest.batch_names()):
        shards = set(run.store.files(batch))
        missing += not (name in done and shards <= done[name].outputs.keys() and done[name].there(run.path))
    if missing:
        raise ConfigError(
            f"{missing} of {len(run.manifest.batches)} batches of {run.path} are not embedded yet;"
            f" first: {_again(run)} --until embed"
        )


def _again(run: Run) -> str:
    moved = str(run.path) != run.config.run.path
    where = ["--out", str(run.path)] if moved else []
    return shlex.join(["pixsieve", "run", str(run.path / "config.yaml"), *where])


def _command(run: Run, suggestion: Suggestion, min_samples: int) -> str:
    settings = [f"--set cluster.similarity={suggestion.similarity!r}"]
    if min_samples != _min_samples(run) or run.config.cluster.method != "dbscan":
        settings.append(f"--set cluster.min_samples={min_samples}")
    if run.config.cluster.method != "dbscan":
        settings.append("--set cluster.method=dbscan")
    return " ".join([_again(run), *settings])


def lowest(curves: Curves) -> float:
    """The similarity where curves begin: a round one, at or below the one where all is one cluster; never below 0.
    Rows that are never core leave nothing to see: half."""
    settled = at.settled(curves)
    if not np.isfinite(settled):
        return 0.5
    step = 0.05 if settled > 0.1 else 0.01
    return float(np.clip(round(np.floor((1 - settled) / step - 1) * step, 2), 0, 0.99))


def _curve(curves: Curves, similarity: Floats) -> Curve:
    length = 1 - similarity
    numbers = (function(curves, length).tolist() for function in (at.noise, at.clusters, at.largest))
    return Curve(similarity.tolist(), *numbers)


def _lines(low: float, suggestion: Suggestion | None) -> Floats:
    """Similarities in round steps from `low` to 1, and the suggested one, descending."""
    step = next((step for step in NICE if (1 - low) / step < LINES - 1), 0.1)
    even = 1 - step * np.arange(int((1 - low) / step + 1e-9) + 1)
    found = [] if suggestion is None else [suggestion.similarity]
    return np.unique(np.concatenate([even, found]).round(15))[::-1]


def _k_distance(curves: Curves) -> list[float]:
    if curves.min_samples == 1 or not len(curves.core) or not np.isfinite(curves.core).all():
        return []
    return np.quantile(1 - curves.core, np.linspace(1, 0, STEPS + 1), method="nearest").round(6).tolist()
