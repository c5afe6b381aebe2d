"""Whether a run may go on in a folder: what lies there must be its own."""

import os
from pathlib import Path

from pixsieve.config.load import CONFIG, read
from pixsieve.config.sections import Config
from pixsieve.errors import ConfigError
from pixsieve.folder.manifest import BLOCKS, Manifest

# What a run writes before its first scan is committed.
FIRST = {".lock", "lock", "logs", "source", "measure.json", "manifest", "removed", "skipped.parquet", CONFIG}


def check_ours(path: Path) -> None:
    """ConfigError for a folder that holds something else, as that of the images: nothing may be written there."""
    if (path / BLOCKS).exists() or not path.is_dir():
        return
    others = sorted({entry.name for entry in path.iterdir()} - FIRST)
    if others:
        raise ConfigError(
            f"{path} is not empty, and no run folder (it has {others[0]!r}): choose another run folder with --out"
        )


def check_fits(path: Path, config: Config, known: Manifest, moved: bool) -> None:
    """ConfigError for a configuration that a run begun in `path` cannot go on with. moved: its source may have another
    path than it had."""
    if known.batch_rows != config.run.batch_rows:
        raise ConfigError(
            f"run.batch_rows is {config.run.batch_rows}, but {path} was begun with {known.batch_rows};"
            " set it back or start a new run folder"
        )
    if not moved and (path / CONFIG).exists():
        before = read(path / CONFIG).get("source", {}).get("path", config.source.path)
        if os.path.realpath(before) != os.path.realpath(config.source.path):
            raise ConfigError(
                f"{path} is the run of {before}, not of {config.source.path}: give this one a run folder of its own"
                " with --out; or, if the images have moved there, add --moved"
            )
