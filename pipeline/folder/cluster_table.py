"""clusters.parquet: what there is to say of each global cluster, and the same as Python values."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from pixsieve import files

ASSIGNMENTS = "assignments.parquet"  # the cluster of each row


@dataclass(frozen=True)
class Cluster:
    """One global cluster of a run."""

    number: int
    size: int
    medoid: str  # key of the member most similar to the mean
    mean: np.ndarray  # (d,) float32
    std: np.ndarray  # (d,) float32, of the population
    persistence: float | None
    labels: dict[str, float]  # share of the rows that have each label of the source
    batches: dict[int, float]  # share of the rows in each batch


SHARES = [("labels", "label", pa.string()), ("batches", "batch", pa.int32())]


def schema(dim: int) -> pa.Schema:
    shares = [(name, pa.list_(pa.struct([(of, kind), ("share", pa.float64())]))) for name, of, kind in SHARES]
    vectors = [(name, pa.list_(pa.float32(), dim)) for name in ("mean", "std")]
    return pa.schema(
        [
            ("cluster", pa.int64()),
            ("size", pa.int64()),
            ("medoid", pa.int64()),
            ("medoid_key", pa.string()),
            *vectors,
            ("persistence", pa.float64()),
            *shares,
        ]
    )


def read_clusters(path: str | Path) -> list[Cluster]:
    """From a clusters.parquet, or the run folder that holds one."""
    path = Path(path)
    found = files.read_table(path / "clusters.parquet" if path.is_dir() else path)
    return [
        Cluster(
            row["cluster"],
            row["size"],
            row["medoid_key"],
            np.array(row["mean"], np.float32),
            np.array(row["std"], np.float32),
            row["persistence"],
            *({each[of]: each["share"] for each in row[name]} for name, of, _ in SHARES),
        )
        for row in found.to_pylist()
    ]


def write_clusters(path: str | Path, clusters: list[Cluster]) -> None:
    """A Parquet file that `read_clusters` reads. Row numbers of medoids are not known: they are -1."""
    dims = {len(vector) for cluster in clusters for vector in (cluster.mean, cluster.std)}
    if len(dims) > 1:
        raise ValueError(f"means and deviations have {sorted(dims)} numbers; all must have as many")
    rows = [
        {
            "cluster": c.number,
            "size": c.size,
            "medoid": -1,
            "medoid_key": c.medoid,
            "mean": c.mean.tolist(),
            "std": c.std.tolist(),
            "persistence": c.persistence,
            "labels": [{"label": label, "share": share} for label, share in c.labels.items()],
            "batches": [{"batch": batch, "share": share} for batch, share in c.batches.items()],
        }
        for c in clusters
    ]
    files.write_table(Path(path), pa.Table.from_pylist(rows, schema(dims.pop() if dims else 0)))
