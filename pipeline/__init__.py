"""Pixsieve: audits image datasets for duplicates, outliers and clusters.

from pipeline import Config, run
summary = run(Config.load("photos/", out="runs/photos"))
"""

from typing import TYPE_CHECKING, Any

from pipeline.clusters import Cluster, read_clusters, write_clusters
from pipeline.config import Config, ConfigError
from pipeline.folder import Run
from pipeline.run import run
from pipeline.summary import Summary
from pipeline.vectors import Datapoint, datapoints, write_datapoints

if TYPE_CHECKING:
    from pipeline.clusterer import Clusterer

__version__ = "0.1.0"
__all__ = [
    "Cluster",
    "Clusterer",
    "Config",
    "ConfigError",
    "Datapoint",
    "Run",
    "Summary",
    "datapoints",
    "read_clusters",
    "run",
    "write_clusters",
    "write_datapoints",
]


def __getattr__(name: str) -> Any:
    if name == "Clusterer":  # with the parts of SciPy that only it needs
        from pipeline.clusterer import Clusterer

        return Clusterer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
