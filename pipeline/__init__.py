"""Pixsieve: audits image datasets for duplicates, outliers and clusters.

from pipeline import Config, run
summary = run(Config.load("photos/", out="runs/photos"))
"""

from pipeline.config import Config, ConfigError
from pipeline.folder import Run
from pipeline.run import run
from pipeline.summary import Summary
from pipeline.vectors import Datapoint, datapoints

__version__ = "0.1.0"
__all__ = ["Config", "ConfigError", "Datapoint", "Run", "Summary", "datapoints", "run"]
