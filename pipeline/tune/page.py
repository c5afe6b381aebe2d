"""The page of a tuning: curves as inline SVG, in one file that needs no network."""

from dataclasses import dataclass
from typing import NamedTuple

import jinja2
import numpy as np

from pixsieve.tune.tuning import Tuning
from pixsieve.tune.words import HEADINGS, advice, basis, k_distance_title, percent, table

WIDTH, HEIGHT = 560, 250  # of a panel, with its margins
LEFT, RIGHT, TOP, BOTTOM = 56, 24, 12, 40


class Box(NamedTuple):
    x: float
    y: float
    width: float
    height: float


class Line(NamedTuple):
    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Panel:
    """A curve in pixels."""

    title: str
    under: str  # the name of the x axis
    line: str  # points of an SVG polyline
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    band: Box | None  # the range in which clusters stay the same
    mark: Line | None  # the suggestion


def render(tuning: Tuning) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pixsieve", "tune"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    curve, total = tuning.curve, max(tuning.rows, 1)
    shares = [("noise: rows in no cluster", curve.noise), ("the largest cluster", curve.largest)]
    panels = [
        *([_k_distance(tuning)] if tuning.k_distance else []),
        _over_values(tuning, "Clusters", [float(value) for value in curve.clusters], ""),
        *(
            _over_values(tuning, f"Share of {name}", [100 * value / total for value in values], " %")
            for name, values in shares
        ),
    ]
    return environment.get_template("index.html.jinja").render(
        tuning=tuning,
        basis=basis(tuning),
        advice=advice(tuning)[1 if tuning.suggestion else 0 :],
        panels=panels,
        size=(WIDTH, HEIGHT),
        frame=(LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM),
        headings=(tuning.axis.name, *HEADINGS),
        table=table(tuning),
        percent=percent,
    )


def _over_values(tuning: Tuning, title: str, values: list[float], unit: str) -> Panel:
    x = tuning.curve.value
    y_range = (0.0, 100.0 if unit else max(1.0, *values))
    band: Box | None = None
    mark: Line | None = None
    if found := tuning.suggestion:
        ends = [_x(float(np.clip(end, x[0], x[-1])), x[0], x[-1]) for end in (found.least, found.most)]
        band = Box(ends[0], float(TOP), ends[1] - ends[0], float(HEIGHT - TOP - BOTTOM))
        at = _x(found.value, x[0], x[-1])
        mark = Line(at, float(TOP), at, float(HEIGHT - BOTTOM))
    return Panel(
        title,
        tuning.axis.name,
        _points([_x(value, x[0], x[-1]) for value in x], [_y(value, *y_range) for value in values]),
        [(_x(value, x[0], x[-1]), f"{value:g}") for value in _ticks(x[0], x[-1])],
        [(_y(value, *y_range), f"{value:,g}{unit}") for value in _ticks(*y_range)],
        band,
        mark,
    )


def _k_distance(tuning: Tuning) -> Panel:
    y = tuning.k_distance
    low, high = tuning.axis.limits(y)
    low = min(low, 0.99 * high)
    band: Box | None = None
    mark: Line | None = None
    if found := tuning.suggestion:
        top, bottom = (_y(float(np.clip(end, low, high)), low, high) for end in (found.most, found.least))
        band = Box(float(LEFT), top, float(WIDTH - LEFT - RIGHT), bottom - top)
        if low <= found.value <= high:
            at = _y(found.value, low, high)
            mark = Line(float(LEFT), at, float(WIDTH - RIGHT), at)
    return Panel(
        k_distance_title(tuning),
        "share of the rows",
        _points([_x(at, 0, len(y) - 1) for at in range(len(y))], [_y(value, low, high) for value in y]),
        [(_x(value, 0, 100), f"{value:g} %") for value in _ticks(0, 100)],
        [(_y(value, low, high), f"{value:g}") for value in _ticks(low, high)],
        band,
        mark,
    )


def _x(value: float, low: float, high: float) -> float:
    return round(LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT), 2)


def _y(value: float, low: float, high: float) -> float:
    return round(HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM), 2)


def _points(x: list[float], y: list[float]) -> str:
    return " ".join(f"{a:g},{b:g}" for a, b in zip(x, y, strict=True))


def _ticks(low: float, high: float) -> list[float]:
    """Up to seven round numbers."""
    unit = 10.0 ** np.floor(np.log10(high - low))
    step = next(step for step in unit * np.array([0.1, 0.2, 0.5, 1, 2, 5]) if (high - low) / step <= 6)
    return [round(float(at * step), 9) for at in range(int(np.ceil(low / step - 1e-9)), int(high / step + 1e-9) + 1)]
