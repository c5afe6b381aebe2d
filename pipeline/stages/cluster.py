"""cluster: the clusters of each batch on its own, and a representative of each."""

import numpy as np
import pyarrow as pa

from pipeline import files, images, store
from pipeline.folder import Run
from pipeline.stage import Counts, Stage, Unit


def units(run: Run) -> list[Unit]:
    return [
        Unit(name, store.files_of(run.descriptor, batch), (f"clusters/{name}.parquet", f"representatives/{name}.npz"))
        for batch, name in enumerate(run.manifest.batch_names())
    ]


def work(run: Run, unit: Unit) -> Counts:
    batch, settings = int(unit.name), run.config.cluster
    vectors, status = store.read(run.path, run.descriptor, (batch,))
    usable = np.flatnonzero(np.isin(status, images.USABLE) & vectors.any(axis=1))
    x = vectors[usable]
    if settings.method == "dbscan":
        found, core = run.backend.dbscan(x, settings.similarity, settings.min_samples)
        force = np.where(core, 1.0, np.where(found >= 0, 0.5, 0.0))
    else:
        found, force = run.backend.hdbscan(x, settings.min_cluster_size, settings.min_samples)
    labels, strength = np.full(len(status), -1), np.zeros(len(status), np.float32)
    labels[usable], strength[usable] = found, force
    present = np.flatnonzero(status != images.ABSENT)
    files.write_table(
        run.path / unit.writes[0],
        pa.table({"row": present + batch * len(status), "label": labels[present], "strength": strength[present]}),
    )
    files.write_arrays(run.path / unit.writes[1], **representatives(x, found, usable + batch * len(status)))
    return {"rows": len(present), "clusters": int(found.max(initial=-1)) + 1, "noise": int((labels[present] < 0).sum())}


def representatives(x: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> dict[str, np.ndarray]:
    """For each label: `size`, `mean` (of the unit vectors, float32), `row` of the medoid (the member most similar to
    the mean, the first of equals) and `radius`, the least similarity of a member to the medoid."""
    members = np.flatnonzero(labels >= 0)
    members = members[np.argsort(labels[members], kind="stable")]
    starts = np.searchsorted(labels[members], np.arange(labels.max(initial=-1) + 1))
    wide = x.astype(np.float64)
    wide /= np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-30)
    groups = np.split(members, starts[1:]) if len(starts) else []
    means = np.array([wide[group].mean(axis=0) for group in groups]).reshape(-1, x.shape[1])
    medoids = np.array([group[np.argmax(wide[group] @ m)] for group, m in zip(groups, means, strict=True)], np.int64)
    radius = np.array([(wide[group] @ wide[medoid]).min() for group, medoid in zip(groups, medoids, strict=True)])
    size = np.array([len(group) for group in groups], np.int64)
    return {"size": size, "row": rows[medoids], "radius": radius, "mean": means.astype(np.float32)}


CLUSTER = Stage(
    "cluster",
    ("cluster.method", "cluster.similarity", "cluster.min_samples", "cluster.min_cluster_size"),
    units,
    work,
)
