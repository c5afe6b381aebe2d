"""Pixsieve: audits image datasets for duplicates, outliers and clusters.

from pixsieve import Config, run
summary = run(Config.load("photos/", out="runs/photos"))
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pixsieve.config.sections import Config
    from pixsieve.dataeval.clusterer import Clusterer
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
# Imported when asked for: who needs one module only, as the processes that decode do, starts in a tenth of a second.
_HOMES = {
    "config.sections": ("Config",),
    "dataeval.clusterer": ("Clusterer",),
    "errors": (
        "ClusterError",
        "ConfigError",
        "FolderBusyError",
        "FolderDamagedError",
        "PixsieveError",
        "SourceError",
    ),
    "flow": ("run",),
    "folder.cluster_table": ("Cluster", "read_clusters", "write_clusters"),
    "folder.run_folder": ("Run",),
    "runtime.summary": ("Summary",),
    "sources.vectors": ("Datapoint", "datapoints", "write_datapoints"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
