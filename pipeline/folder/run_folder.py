"""The run folder: everything about one audited data set."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

from pixsieve import backend as backends
from pixsieve.backend import Backend
from pixsieve.config.load import CONFIG
from pixsieve.config.section import View
from pixsieve.config.sections import Config
from pixsieve.errors import FolderDamagedError
from pixsieve.folder import geometry, scale, skipped
from pixsieve.folder.embeddings import Store
from pixsieve.folder.links import Links
from pixsieve.folder.manifest import Manifest
from pixsieve.folder.measure import VECTORS, Measure
from pixsieve.folder.metadata import Metadata
from pixsieve.folder.views import Views


@dataclass(frozen=True)
class Run:
    """What a unit of work gets to know: where the run is, its configuration, what is in it, and what computes. It is
    read once, when it is scanned or opened; no attribute reads a file."""

    path: Path
    config: Config
    backend: Backend
    threads: int
    manifest: Manifest
    views: Views
    metadata: Metadata
    skipped: dict[str, str]  # the digest of skipped.parquet, as units name it
    links: Links
    scale: dict[str, str]  # the digest of source/scale.npz, if there is one, as units name it
    sampled: dict[str, str]  # that of source/sampled.npz
    view: View | None = None  # by which its vectors and pairs are seen; None: nobody needs any

    @classmethod
    def open(cls, path: str | Path, device: Literal["cpu", "gpu"] = "cpu", threads: int = 1) -> Self:
        """An existing run folder, as its last scan left it; its source need not be there. Raises FolderDamagedError."""
        root = Path(path).absolute()
        if not (root / CONFIG).exists():
            raise FolderDamagedError(f"{path} is not a run folder: it has no {CONFIG}")
        manifest, views = Manifest.load(root), Views.load(root)
        if manifest is None:
            raise FolderDamagedError(f"{path} has no manifest yet: the source has not been scanned")
        if views is None:
            raise FolderDamagedError(
                f"{path} has no measure.json, as those of former versions: run it once more with its source and --out"
            )
        config = Config.load(root / CONFIG)
        return cls.of(root, config, backends.of(device), threads, manifest, views)

    @classmethod
    def of(cls, root: Path, config: Config, on: Backend, threads: int, manifest: Manifest, views: Views) -> Self:
        """With what a scan has written beside the manifest."""
        metadata = Metadata.load(root, config.source, views.copies.name != VECTORS)
        beside = metadata, skipped.digests(root), Links.load(root), scale.digests(root), geometry.digests(root)
        return cls(root, config, on, threads, manifest, views, *beside)

    @property
    def digests(self) -> dict[str, str]:
        """Of the files that the scan has written, by their paths in the run folder."""
        return (
            self.manifest.digests()
            | self.metadata.digests
            | self.skipped
            | self.links.digests
            | self.scale
            | self.sampled
        )

    def by(self, view: View) -> Self:
        """The same run, seen by a view."""
        return replace(self, view=view)

    @property
    def embedded(self) -> Self:
        """The same run, seen as images are embedded, before folder/geometry.py."""
        return replace(self, views=self.views.embedded)

    @property
    def measure(self) -> Measure:
        """What the rows are compared by, in this view."""
        if self.view is None and self.views.apart:
            raise ValueError("a run of two measures is seen by none; whoever reads vectors or pairs names the view")
        return self.views.model if self.view == "model" else self.views.copies

    @property
    def store(self) -> Store:
        return Store(self.path, self.measure, self.manifest.batch_rows)

    @property
    def near(self) -> float:
        """The threshold of near duplicates."""
        return self.config.duplicates.similarity or self.measure.near
