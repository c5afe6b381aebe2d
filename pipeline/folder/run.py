"""The run folder: everything about one audited data set."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pixsieve import backend
from pixsieve.config.sections import Config
from pixsieve.errors import ConfigError
from pixsieve.folder.manifest import Manifest
from pixsieve.sources import source


@dataclass(frozen=True)
class Run:
    """What a unit of work gets to know: where the run is, its configuration, and what computes."""

    path: Path
    config: Config
    device: Literal["cpu", "gpu"]
    threads: int

    @classmethod
    def open(cls, path: str | Path, device: Literal["cpu", "gpu"] = "cpu", threads: int = 1) -> "Run":
        """An existing run folder. Raises ConfigError."""
        config = Path(path) / "config.yaml"
        if not config.exists():
            raise ConfigError(f"{path} is not a run folder: it has no config.yaml")
        return cls(Path(path).absolute(), Config.load(config), device, threads)

    @property
    def manifest(self) -> Manifest:
        manifest = Manifest.load(self.path)
        if manifest is None:
            raise ConfigError(f"{self.path} has no manifest yet: the source has not been scanned")
        return manifest

    @property
    def backend(self) -> "backend.Backend":
        return backend.gpu() if self.device == "gpu" else backend.cpu()

    @property
    def descriptor(self) -> str:
        """The name of the descriptor, and of its group in the store."""
        if source.kind(self.config.source) == "vectors":
            return "vectors"
        return self.config.embed.model or self.config.embed.descriptor
