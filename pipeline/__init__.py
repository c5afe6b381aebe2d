"""Pixsieve: audits image datasets for duplicates, outliers and clusters.

from pixsieve import Config, run
summary = run(Config.load("photos/", out="runs/photos"))
"""

from typing import TYPE_CHECKING, Any

from pixsieve.config.sections import Config
from pixsieve.errors import (
    ClusterError,
    ConfigError,
    FolderBusyError,
    FolderDamagedError,
    PixsieveError,
    SourceError,
)
from pixsieve.flow import run
from pixsieve.folder.cluster_table import Cluster, read_clusters, write_clusters
from pixsieve.folder.run_folder import Run
from pixsieve.runtime.summary import Summary
from pixsieve.sources.vectors import Datapoint, datapoints, write_datapoints

if TYPE_CHECKING:
    from pixsieve.dataeval.clusterer import Clusterer

__version__ = "0.1.0"
__all__ = [
    "Cluster",
    "ClusterError",
    "Clusterer",
    "Config",
    "ConfigError",
    "Datapoint",
    "FolderBusyError",
    "FolderDamagedError",
    "PixsieveError",
    "Run",
    "SourceError",
    "Summary",
    "datapoints",
    "read_clusters",
    "run",
    "write_clusters",
    "write_datapoints",
]


def __getattr__(name: str) -> Any:
    if name == "Clusterer":  # with the parts of SciPy that only it needs
        from pixsieve.dataeval.clusterer import Clusterer

        return Clusterer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
