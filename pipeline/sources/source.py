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
from pixsieve.images import signs
from pixsieve.sources import folder, vectors

KINDS: dict[str, ModuleType] = {"folder": folder, "vectors": vectors}


ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar")
LISTS = (".txt", ".lst", ".csv", ".tsv", ".json", ".jsonl", ".xml")


def _what_else(path: Path) -> str:
    """What a file is that no source can be, and the way out."""
    suffix = path.suffix.lower()
    if suffix in ARCHIVES:
        return "is an archive: unpack it, and give the folder"
    if suffix in LISTS:
        return (
            "is a list: give the folder that its files are in, with source.pattern or source.exclude; or a folder of"
            " links to them (ln -s)"
        )
    if suffix in signs.IMAGES:
        return "is one image: give the folder that it is in"
    return f"is neither a folder of images nor vectors ({', '.join(vectors.SUFFIXES)})"


def kind(source: Source) -> str:
    """One of KINDS. SourceError if the path is none, ConfigError if source.format says otherwise."""
    path = Path(source.path)
    if not path.exists():
        raise SourceError(f"source.path: {path} does not exist")
    if path.is_dir() and source.format != "auto":
        found = source.format
    elif vectors.is_given(path):
        found = "vectors"
    elif path.is_dir():
        found = "folder"
    else:
        raise SourceError(f"source.path: {path} {_what_else(path)}")
    if source.format not in ("auto", found):
        raise ConfigError(f"source.format is {source.format!r} but {path} is a {found} source")
    return found
