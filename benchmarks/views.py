"""What each view of an image finds, by which defaults: clusters, outliers and label errors, with a model and without.

    python -m benchmarks.views --classes FOLDER       clusters and label errors of a folder with a folder for each class
    python -m benchmarks.views --photos FOLDER        charts, pages and screens drawn among photos, named as outliers
    python -m benchmarks.views --speed FOLDER         CPU seconds an image: decoding alone, with dct, with lite0

Clusters: adjusted mutual information with the classes (rows in none as a cluster of their own). Label errors: 3 % of
the labels turned; precision among the likeliest errors when 60 % of them are found, and of what is called certain;
beside cleanlab's filter, where it is installed, on the probabilities of the same heads. Outliers: how many of the
foreign pictures are named, and of the photos, by the defaults of each view, and by the ranks of the scores when 1 % of
the photos are named.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.metrics import adjusted_mutual_info_score, average_precision_score, precision_recall_curve

from benchmarks import record, table
from benchmarks.drawing import generator
from benchmarks.drawing.foreign import FOREIGN
from benchmarks.mislabels import cleaned, turned
from pixsieve import Config, backend, clusterers, files, kernels, run
from pixsieve.config.cluster import Clusterer, Dbscan, Hdbscan, Kmeans, Leiden
from pixsieve.folder import geometry
from pixsieve.folder.geometry import Form
from pixsieve.folder.measure import Measure
from pixsieve.folder.run_folder import Run
from pixsieve.images import decode
from pixsieve.rules.head import cross_fitted
from pixsieve.rules.mislabels import mislabelled

FORMS = ("l2", "centre:256", "whiten:256")
EACH = 4  # foreign pictures of each kind
TURNED = 0.03


def embedded(source: Path, out: Path, until: str | None = "embed", *settings: str) -> Run:
    config = Config.load(source, out=out, settings=["workers.device=cpu", *settings])
    if run(config, until=until).exit_code:
        raise SystemExit(f"{out}: see pixsieve failures")
    return Run.open(out)


def rows_of(this: Run) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Of the usable rows: (n, 63) dct, (n, d) features, keys."""
    copies, model = (this.by(view).store.read(range(len(this.manifest.batches))) for view in ("copies", "model"))
    living = this.manifest.living(["key"])
    rows = living["row"].to_numpy()
    used = copies.usable[rows] & model.usable[rows]
    keys = [key for key, use in zip(living["key"].to_pylist(), used, strict=True) if use]
    return copies.vectors[rows[used]], model.vectors[rows[used]], keys


def seen(dct: np.ndarray, features: np.ndarray) -> dict[str, np.ndarray]:
    """The rows by each view."""
    found = {"dct": dct, "l2": features}
    for name in FORMS[1:]:
        form = Form.of(name)
        assert form is not None
        sample = np.sort(np.random.default_rng(0).permutation(len(features))[: geometry.ROWS])
        found[name] = geometry.fit(features[sample], form, 0).of(features).vectors
    return found


def clusters(views: dict[str, np.ndarray], classes: np.ndarray) -> list[tuple[Any, ...]]:
    count, found = int(classes.max()) + 1, []
    methods: dict[str, Clusterer] = {
        "dbscan, its defaults": Dbscan(),
        "hdbscan, its defaults": Hdbscan(),
        "hdbscan, leaves of 15": Hdbscan(selection="leaf", min_cluster_size=15),
        "leiden 1": Leiden(resolution=1.0),
        "leiden 2, the default": Leiden(),
        "leiden 3": Leiden(resolution=3.0),
        "kmeans, classes known": Kmeans(n_clusters=count),
    }
    for view, x in views.items():
        measure = Measure(view, "cosine", "float16", x.shape[1], 0.95)
        nearest = float((classes[kernels.neighbours(x, k=1)[0][:, 0]] == classes).mean())
        for name, method in methods.items():
            started = time.perf_counter()
            cluster = clusterers.fit(x, method, 0, measure, backend.cpu()).cluster
            seconds = time.perf_counter() - started
            own = np.where(cluster < 0, cluster.max(initial=-1) + 1, cluster)
            information = float(adjusted_mutual_info_score(classes, own))
            none, number = float((cluster < 0).mean()), int(cluster.max(initial=-1)) + 1
            found.append((view, name, nearest, information, number, none, seconds))
    return found


def labels(views: dict[str, np.ndarray], features: np.ndarray, classes: np.ndarray) -> list[tuple[Any, ...]]:
    given, wrong = turned(classes, TURNED, seed=7)
    nodes, alone, found = np.arange(len(features)), np.full(len(features), -1), []
    heard = cross_fitted(given, nodes, 0, lambda at: features[at], [nodes])

    def line(name: str, score: np.ndarray | None, called: np.ndarray) -> None:
        best: list[Any] = ["-", "-"]
        if score is not None:
            precision, recall, _ = precision_recall_curve(wrong, score)
            best = [float(average_precision_score(wrong, score)), float(precision[recall >= 0.6].max())]
        hits = int((called & wrong).sum())
        found.append((name, *best, hits / max(int(called.sum()), 1), hits / int(wrong.sum())))

    for view, x in views.items():
        index, similarity = kernels.neighbours(x, k=10)
        for name, heads in (("neighbours", None), ("neighbours and heads", heard)):
            if view != "dct" or heads is None:
                one = mislabelled(nodes, given, alone, index, similarity, heads)
                line(f"{view}, {name}", np.nan_to_num(one.log_odds, nan=-99), one.level == 2)
    assert heard is not None
    shares = heard.shares.toarray()
    line("cleanlab's scores on the heads", 1 - shares[nodes, given], np.zeros(len(nodes), bool))
    issues = cleaned(given, shares / shares.sum(axis=1, keepdims=True))
    if issues is not None:
        line("cleanlab's filter on the heads", None, issues)
    return found


def of_classes(source: Path, folder: Path) -> None:
    this = embedded(source, folder / "run", "embed", "embed.model=lite0", "embed.normalise=l2")
    dct, features, keys = rows_of(this)
    classes = np.unique([key.split("/")[0] for key in keys], return_inverse=True)[1]
    views = seen(dct, features)
    found = clusters(views, classes)
    head = ("view", "clusters by", "nearest agrees", "information", "clusters", "in none", "seconds")
    table(f"{len(keys):,} images of {int(classes.max()) + 1} classes", head, found)
    judged = labels(views, features, classes)
    head = ("label errors by", "average precision", "precision at recall .6", "called: precision", "recall")
    table(f"{TURNED:.0%} of the labels turned", head, judged)
    about = {"source": source.name, "rows": len(keys), "classes": int(classes.max()) + 1}
    record("views", about | {"clusters": found, "labels": judged})


def of_photos(source: Path, folder: Path) -> None:
    mixed, lines = folder / "mixed", []
    shutil.copytree(source, mixed / "photos")
    for kind, draw in FOREIGN.items():
        for number in range(EACH):
            name = f"{kind}{number}"
            (mixed / "foreign").mkdir(exist_ok=True)
            Image.fromarray(draw(generator(0, name))).save(mixed / f"foreign/{name}.jpg", quality=92)
    for name, settings in (("dct alone", ["embed.model=null"]), ("dct and lite0", ["embed.model=lite0"])):
        out = folder / name.replace(" ", "-")
        embedded(mixed, out, None, "source.label=none", *settings)
        outliers = files.read_table(out / "outliers.parquet").to_pylist()
        odd = np.array([row["key"].startswith("foreign/") for row in outliers])
        score = np.array([row["score"] or 0.0 for row in outliers])
        level = np.array([row["level"] for row in outliers])
        above = score > np.quantile(score[~odd], 0.99)
        named = level != "none"
        certain = level == "outlier"
        shares = [part[odd].mean() for part in (certain, named, above)] + [
            part[~odd].mean() for part in (certain, named)
        ]
        lines.append((name, *map(float, shares)))
    head = ("view", "foreign named", "or potential", "named at 1 % of photos", "photos named", "or potential ")
    table(f"{int((~odd).sum()):,} photos and {int(odd.sum())} charts, pages and screens", head, lines)
    record("views", {"source": source.name, "photos": int((~odd).sum()), "foreign": int(odd.sum()), "outliers": lines})


def of_speed(source: Path, folder: Path) -> None:
    paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    data = [path.read_bytes() for path in paths]
    started = time.process_time()
    for one in data:
        decode.decode(one, 1 << 28)
    lines = [("decoding alone", (time.process_time() - started) / len(data) * 1e3, 1.0)]
    for name, settings in (("dct", ["embed.model=null"]), ("dct and lite0", ["embed.model=lite0"])):
        config = Config.load(source, out=folder / name, settings=["workers.device=cpu", *settings])
        run(config, until="scan")  # which loads the network
        started = time.process_time()
        run(config, until="embed")
        each = (time.process_time() - started) / len(data) * 1e3
        lines.append((f"embed, {name}", each, each / lines[0][1]))
    table(f"{len(data):,} images", ("", "CPU ms an image", "of decoding"), lines)
    record("views", {"source": source.name, "images": len(data), "cpu_ms": lines})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=Path, action="append", default=[])
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--speed", type=Path)
    options = parser.parse_args()
    asked = [(of_classes, source) for source in options.classes]
    asked += [(what, source) for what, source in ((of_photos, options.photos), (of_speed, options.speed)) if source]
    for what, source in asked:
        with tempfile.TemporaryDirectory() as folder:
            what(source, Path(folder))


if __name__ == "__main__":
    main()
