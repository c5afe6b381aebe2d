"""The run folder: everything about one audited data set."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pixsieve import backend as backends
from pixsieve.backend import Backend
from pixsieve.config.load import CONFIG
from pixsieve.config.sections import Config
from pixsieve.errors import FolderDamagedError
from pixsieve.folder import scale, skipped
from pixsieve.folder.embeddings import Store
from pixsieve.folder.links import Links
from pixsieve.folder.manifest import Manifest
from pixsieve.folder.measure import VECTORS, Measure
from pixsieve.folder.metadata import Metadata


@dataclass(frozen=True)
class Run:
    """What a unit of work gets to know: where the run is, its configuration, what is in it, and what computes. It is
    read once, when it is scanned or opened; no attribute reads a file."""

    path: Path
    config: Config
    backend: Backend
    threads: int
    manifest: Manifest
    measure: Measure
    metadata: Metadata
    skipped: dict[str, str]  # the digest of skipped.parquet, as units name it
    links: Links
    scale: dict[str, str]  # the digest of source/scale.npz, if there is one, as units name it

    @classmethod
    def open(cls, path: str | Path, device: Literal["cpu", "gpu"] = "cpu", threads: int = 1) -> Self:
        """An existing run folder, as its last scan left it; its source need not be there. Raises FolderDamagedError."""
        root = Path(path).absolute()
        if not (root / CONFIG).exists():
            raise FolderDamagedError(f"{path} is not a run folder: it has no {CONFIG}")
        manifest, measure = Manifest.load(root), Measure.load(root)
        if manifest is None:
            raise FolderDamagedError(f"{path} has no manifest yet: the source has not been scanned")
        if measure is None:
            raise FolderDamagedError(
                f"{path} has no measure.json, as those of former versions: run it once more with its source and --out"
            )
        config = Config.load(root / CONFIG)
        return cls.of(root, config, backends.of(device), threads, manifest, measure)

    @classmethod
    def of(cls, root: Path, config: Config, on: Backend, threads: int, manifest: Manifest, measure: Measure) -> Self:
        """With what a scan has written beside the manifest."""
        metadata = Metadata.load(root, config.source, measure.name != VECTORS)
        beside = metadata, skipped.digests(root), Links.load(root), scale.digests(root)
        return cls(root, config, on, threads, manifest, measure, *beside)

    @property
    def digests(self) -> dict[str, str]:
        """Of the files that the scan has written, by their paths in the run folder."""
        return self.manifest.digests() | self.metadata.digests | self.skipped | self.links.digests | self.scale

    @property
    def store(self) -> Store:
        return Store(self.path, self.measure, self.manifest.batch_rows)

    @property
    def near(self) -> float:
        """The threshold of near duplicates."""
        return self.config.duplicates.similarity or self.measure.near
