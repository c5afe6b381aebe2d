"""What the features of a network are made comparable by: RUN/geometry.npz, fitted once on RUN/source/sampled.npz.

Features crowd into a cone: those of any two photos are alike. `centre` takes their mean away and keeps the principal
axes; `whiten` divides these, too, by their deviations, from a covariance that is shrunk (Ledoit and Wolf, A
well-conditioned estimator for large-dimensional covariance matrices, 2004). The sample is drawn when a run begins and
stays, so that the vectors of tonight and of last month compare.
"""

from pathlib import Path
from typing import Literal, NamedTuple, Self

import numpy as np
from scipy import linalg
from sklearn.covariance import ledoit_wolf
from threadpoolctl import threadpool_limits

from pixsieve import files
from pixsieve.errors import FolderDamagedError
from pixsieve.folder.manifest import Manifest
from pixsieve.folder.measure import Measure
from pixsieve.plural import counted

SAMPLED, PLACE = "source/sampled.npz", "geometry.npz"
ROWS = 8192  # in the sample, at most
APART = "apart/{}.npy"  # of each batch, how far its rows lie from the mean
DUST = 1e-6  # from the mean: less than any difference of rows in float16
FIRST = 64  # axes: what a few odd rows among hundreds reach along these, chance does along all


class Geometry(NamedTuple):
    mean: np.ndarray  # (width,) float64
    axes: np.ndarray  # (width, d) float64, orthonormal, the principal ones first
    scale: np.ndarray  # (d,) float64, what the places on the axes are multiplied by
    rows: int  # that it was fitted on

    @classmethod
    def load(cls, root: Path) -> Self:
        mean, axes, scale, rows = files.read_arrays(root / PLACE).values()
        return cls(mean, axes, scale, int(rows))

    def save(self, root: Path) -> None:
        files.write_arrays(root / PLACE, **self._asdict())

    def of(self, features: np.ndarray) -> "Placed":
        """Of n rows (n, width)."""
        there = features.any(axis=1)
        wide = (features.astype(np.float64) - self.mean) @ self.axes
        wide[~there] = 0
        at_mean = there & (np.linalg.norm(wide, axis=1) < DUST)
        wide[at_mean] = np.eye(1, wide.shape[1])  # equal rows are equal, also where there are no others
        apart = np.column_stack([np.linalg.norm(wide[:, :axes], axis=1) for axes in (FIRST, None)])
        wide *= self.scale
        length = np.linalg.norm(wide, axis=1, keepdims=True)
        unit = np.divide(wide, length, out=np.zeros_like(wide), where=length > 0)
        return Placed(unit.astype(np.float16), apart.astype(np.float32))


class Placed(NamedTuple):
    vectors: np.ndarray  # (n, d) float16 of unit length, of the mean the first axis; zeros where features are zeros
    apart: np.ndarray  # (n, 2) float32: how far from the mean, along the FIRST axes and along all


class Form(NamedTuple):
    """What embed.normalise asks for, where it is not l2."""

    kind: Literal["centre", "whiten"]
    dims: int | None  # None: all

    @classmethod
    def of(cls, asked: str) -> "Form | None":
        """Of embed.normalise; None for l2."""
        kind, _, dims = asked.partition(":")
        return None if kind == "l2" else cls("centre" if kind == "centre" else "whiten", int(dims) if dims else None)


def fit(features: np.ndarray, form: Form, seed: int) -> Geometry:
    """Of n rows (n, width) in an order that is always the same. Fewer than two have no mean to take away. Axes that n
    rows do not determine are drawn, so that rows of later keep what they have there."""
    n, width = features.shape
    x, d = features.astype(np.float64), min(form.dims or width, width)
    mean = x.mean(axis=0) if n > 1 else np.zeros(width)
    # One thread: sums of several may differ in their last bits, and near-equal eigenvalues make much of that.
    with threadpool_limits(1):
        covariance = np.eye(width)
        if n > 1 and form.kind == "whiten":
            covariance = ledoit_wolf(x - mean, assume_centered=True)[0]
        elif n > 1:
            covariance = (x - mean).T @ (x - mean) / n
        known = min(d, max(n - 1, 0))
        values, axes = linalg.eigh(covariance, subset_by_index=[width - d, width - 1])
        values, axes = values[::-1], axes[:, ::-1]
        drawn = np.random.default_rng(seed).normal(size=(width, d - known))
        axes = linalg.qr(np.hstack([axes[:, :known], drawn]), mode="economic")[0]
    axes *= np.where(axes[np.abs(axes).argmax(axis=0), np.arange(d)] < 0, -1, 1)
    scale = 1 / np.sqrt(np.where(values > 0, values, 1)) if form.kind == "whiten" else np.ones(d)
    return Geometry(mean, axes, scale, n)


def sampled(root: Path) -> np.ndarray:
    """(m,) row numbers, in the order of their keys."""
    return files.read_arrays(root / SAMPLED)["rows"]


def scanned(root: Path, manifest: Manifest, seed: int, again: bool) -> None:
    """Draws the sample, where there is none yet or it is asked for again. FolderDamagedError where there was one."""
    if (root / SAMPLED).exists() and not again:
        return
    if (root / PLACE).exists() and not again:
        raise FolderDamagedError(
            f"{root} has lost {SAMPLED}, the rows that its model's vectors are made comparable by: restore it, or add"
            " --refit, which makes these vectors and what follows from them anew"
        )
    rows = np.flatnonzero(manifest.live())
    rows = rows[np.argsort(manifest.key_rank()[rows])]
    drawn = np.random.default_rng(seed).choice(len(rows), min(ROWS, len(rows)), replace=False)
    files.write_arrays(root / SAMPLED, rows=rows[np.sort(drawn)])


def said(root: Path, measure: Measure) -> list[str]:
    """A line on how many rows the vectors of a model's view were fitted; none where they were not."""
    if measure.features is None or not (root / PLACE).exists():
        return []
    rows = Geometry.load(root).rows
    few = (
        f", fewer than its {measure.width} axes: --refit fits them to the rows of now" if rows <= measure.width else ""
    )
    return [f"Vectors of {measure.name} were fitted on {counted(rows, 'row')}{few}"]


def digests(root: Path) -> dict[str, str]:
    """As units name it."""
    return {SAMPLED: files.digest(root / SAMPLED)} if (root / SAMPLED).exists() else {}
