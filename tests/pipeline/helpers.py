"""Small data sets and ways to look at a run."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq

from pixsieve import Config, Summary, run
from pixsieve.config.cluster import METHODS
from pixsieve.folder.measure import Measure

TABLES = ("assignments", "clusters", "duplicates", "better", "outliers", "mislabels", "findings", "images")

UNSEEN = ("workers.device=cpu", "embed.model=null")

GIVEN = Measure("vectors", "cosine", "float16", 16, 0.95)  # of rows of 16 numbers


def audit(source: Path, out: Path, *settings: str, until: str | None = None, moved: bool = False) -> Summary:
    """Without a model, where the settings name none."""
    own = fitting(settings)
    return run(Config.load(source, out=out, settings=[*UNSEEN, *own]), until=until, moved=moved)


def fitting(settings: Sequence[str]) -> list[str]:
    """Without the keys of `cluster` that its method does not have, as those of a cut that serves several methods."""
    method = next((s.partition("=")[2] for s in reversed(settings) if s.startswith("cluster.method=")), "dbscan")
    every = {key for model in METHODS.values() for key in model.model_fields}
    names = [(setting, setting.partition("=")[0].removeprefix("cluster.")) for setting in settings]
    return [s for s, key in names if key not in every or key in METHODS[method].model_fields]


def pattern(rng: np.random.Generator, side: int = 40) -> np.ndarray:
    """(side, side, 3) uint8: smooth, and unlike any other."""
    coarse = rng.uniform(0, 255, (6, 6, 3)).astype(np.float32)
    return np.clip(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, pixels[:, :, ::-1])[1].tobytes())


def by_key(out: Path, name: str) -> list[dict]:
    """A result table without row numbers and batches, which depend on the history of a run; `related` as a key."""
    rows = pq.read_table(out / f"{name}.parquet").to_pylist()
    known = pq.read_table(out / "assignments.parquet")
    keys = dict(zip(known["row"].to_pylist(), known["key"].to_pylist(), strict=True))
    for row in rows:
        if "related" in row:
            row["related"] = keys.get(row["related"])
        for column in ("row", "medoid", "batches"):
            row.pop(column, None)
    return sorted(rows, key=lambda row: str(row.get("key", row.get("cluster"))))


def results(out: Path) -> dict[str, bytes]:
    """The bytes of every result table."""
    return {name: (out / f"{name}.parquet").read_bytes() for name in TABLES}


def ran(summary: Summary) -> dict[str, int]:
    """How many units ran in each stage that ran any."""
    return {stage.name: stage.ran for stage in summary.stages if stage.ran}


def unit_rows(rng: np.random.Generator, n: int, d: int, spread: float, copies: int = 0) -> np.ndarray:
    """Groups of vectors of different density, some noise and some exact copies."""
    centres = rng.normal(size=(max(1, n // 15), d))
    x = centres[rng.integers(len(centres), size=n)] + spread * rng.uniform(0.2, 1.5, (n, 1)) * rng.normal(size=(n, d))
    x[rng.random(n) < 0.2] = rng.normal(size=d)
    for _ in range(copies if n else 0):
        x[rng.integers(n)] = x[rng.integers(n)]
    return x.astype(np.float32)
