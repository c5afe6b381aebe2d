"""Pixsieve: audits image datasets for duplicates, outliers and clusters.

from pipeline import Config, run
summary = run(Config.load("photos/", out="runs/photos"))
"""

from pipeline.clusters import Cluster, read_clusters, write_clusters
from pipeline.config import Config, ConfigError
from pipeline.folder import Run
from pipeline.run import run
from pipeline.summary import Summary
from pipeline.vectors import Datapoint, datapoints, write_datapoints

__version__ = "0.1.0"
__all__ = [
    "Cluster",
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
