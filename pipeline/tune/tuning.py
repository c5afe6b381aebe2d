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
from pixsieve.tune.axis import DISTANCE, SIMILARITY, Axis
from pixsieve.tune.curves import Curves, Floats
from pixsieve.tune.suggestion import Suggestion, suggest

STEPS = 200  # of the curves
NICE = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05)  # of the unit, steps between the lines of the table,
LINES = 20  # of which there are so many at most


@dataclass(frozen=True)
class Curve:
    """What DBSCAN gives at some similarities, or distances."""

    value: list[float]
    noise: list[int]  # rows in no cluster
    clusters: list[int]
    largest: list[int]  # rows of the largest cluster


@dataclass(frozen=True)
class Tuning:
    source: str
    descriptor: str
    axis: Axis
    usable: int  # rows of the run that can be compared
    rows: int  # of these in the curves
    min_samples: int  # that was asked for
    min_samples_used: int  # other than that in a sample
    k_distance: list[float]  # to the (min_samples_used - 1)-th nearest row, nearest first, at even shares of the rows
    curve: Curve  # in even steps
    table: Curve  # at round values, and the suggested one
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
    run = run.by(run.config.cluster.by)
    _check_embedded(run)
    drawn = sample.draw(run, rows, run.config.run.seed)
    used = Dbscan(min_samples=asked).thinned(drawn.share).min_samples
    curves = at.measure(run.backend.to_device(drawn.vectors), used, run.measure.metric)
    axis = SIMILARITY
    if run.measure.euclidean:
        curves, axis = at.relengthened(curves, run.measure.distance), DISTANCE
    suggestion = suggest(curves, axis)
    found = None if isinstance(suggestion, str) else suggestion
    end = widest(curves, axis)
    return Tuning(
        run.config.source.path,
        run.measure.name,
        axis,
        drawn.of,
        len(drawn.rows),
        asked,
        used,
        _k_distance(curves, axis),
        _curve(curves, axis, _steps(axis, end)),
        _curve(curves, axis, _lines(end, axis, found)),
        found,
        suggestion if isinstance(suggestion, str) else "",
        "" if found is None else _command(run, axis, found, asked),
    )


def _min_samples(run: Run) -> int:
    """The run's, or where its method has none, that of DBSCAN."""
    found: int = getattr(run.config.cluster, "min_samples", Dbscan().min_samples)
    return found


def _check_embedded(run: Run) -> None:
    stage = "normalise" if run.measure.features else "embed"  # the one that writes these vectors
    done = Receipts(run.path, stage).by_unit
    missing = 0
    for batch, name in enumerate(run.manifest.batch_names()):
        shards = set(run.store.files(batch))
        missing += not (name in done and shards <= done[name].outputs.keys() and done[name].there(run.path))
    if missing:
        raise ConfigError(
            f"{missing} of {len(run.manifest.batches)} batches of {run.path} are not embedded yet;"
            f" first: {_again(run)} --until {stage}"
        )


def _again(run: Run) -> str:
    moved = str(run.path) != run.config.run.path
    where = ["--out", str(run.path)] if moved else []
    return shlex.join(["pixsieve", "run", str(run.path / "config.yaml"), *where])


def _command(run: Run, axis: Axis, suggestion: Suggestion, min_samples: int) -> str:
    settings = [f"--set {axis.setting}={suggestion.value!r}"]
    if min_samples != _min_samples(run) or run.config.cluster.method != "dbscan":
        settings.append(f"--set cluster.min_samples={min_samples}")
    if run.config.cluster.method != "dbscan":
        settings.append("--set cluster.method=dbscan")
    return " ".join([_again(run), *settings])


def widest(curves: Curves, axis: Axis) -> float:
    """The value where curves end, at the greatest length: a round one, at or beyond the one where all is one cluster;
    no similarity below 0. Rows that are never core leave nothing to see: a similarity of a half, a distance of 1."""
    settled = at.settled(curves)
    if not np.isfinite(settled):
        return 0.5 if axis.falls else 1.0
    if axis.falls:
        step = 0.05 if settled > 0.1 else 0.01
        return float(np.clip(round(np.floor((1 - settled) / step - 1) * step, 2), 0, 0.99))
    step = 10.0 ** np.floor(np.log10(settled or 1.0)) / 2
    return float(np.ceil(settled / step + 0.2) * step)


def _digits(axis: Axis, end: float) -> int:
    """Of a value of a curve."""
    return 6 if axis.falls else 6 - int(np.floor(np.log10(end)))


def _steps(axis: Axis, end: float) -> Floats:
    """Even ones of the values from length 0 to the end, ascending."""
    first = float(axis.value(0))
    return np.linspace(min(first, end), max(first, end), STEPS + 1).round(_digits(axis, end))


def _curve(curves: Curves, axis: Axis, value: Floats) -> Curve:
    length = axis.value(value)
    numbers = (function(curves, length).tolist() for function in (at.noise, at.clusters, at.largest))
    return Curve(value.tolist(), *numbers)


def _lines(end: float, axis: Axis, suggestion: Suggestion | None) -> Floats:
    """Values in round steps of length from 0 to the end, and the suggested one, by length."""
    length = axis.value(end)
    unit = 1.0 if axis.falls else 10.0 ** np.ceil(np.log10(length))
    step = next((unit * step for step in NICE if length / (unit * step) < LINES - 1), 0.1 * unit)
    even = axis.value(step * np.arange(int(length / step + 1e-9) + 1))
    found = [] if suggestion is None else [suggestion.value]
    lines = np.unique(np.concatenate([even, found]).round(_digits(axis, end) + 9))
    return lines[::-1] if axis.falls else lines


def _k_distance(curves: Curves, axis: Axis) -> list[float]:
    if curves.min_samples == 1 or not len(curves.core) or not np.isfinite(curves.core).all():
        return []
    found = axis.value(np.quantile(curves.core, np.linspace(0, 1, STEPS + 1), method="nearest"))
    return found.round(_digits(axis, float(curves.core.max()) or 1.0)).tolist()
