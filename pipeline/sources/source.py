"""Which kind a source is. Each kind is a module that lists its rows and reads them:

    listing(source, run) -> Listing  all rows (of files also FILES), in the order in which new ones get their numbers;
                                     and what is skipped
    read(source, ...)                bytes of an image, or vectors

To add one: the module, and its line in KINDS.
"""

from pathlib import Path
from types import ModuleType

from pixsieve.config.sections import Source
from pixsieve.errors import ConfigError, SourceError
from pixsieve.sources import folder, vectors

KINDS: dict[str, ModuleType] = {"folder": folder, "vectors": vectors}


def kind(source: Source) -> str:
    """One of KINDS. SourceError if the path is none, ConfigError if source.format says otherwise."""
    path = Path(source.path)
    if not path.exists():
        raise SourceError(f"source.path: {path} does not exist")
    if vectors.is_given(path) and not (path.is_dir() and source.format == "folder"):
        found = "vectors"
    elif path.is_dir():
        found = "folder"
    else:
        raise SourceError(
            f"source.path: {path} is neither a folder of images nor vectors ({', '.join(vectors.SUFFIXES)})"
        )
    if source.format not in ("auto", found):
        raise ConfigError(f"source.format is {source.format!r} but {path} is a {found} source")
    return found
