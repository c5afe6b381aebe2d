"""Networks that embed images, one module a kind: lite0, whose weights come in a package, and torchvision's by name."""

from importlib.util import find_spec
from pathlib import Path

from pixsieve.errors import ConfigError
from pixsieve.models import torchvision
from pixsieve.models.network import Network

LITE0 = "lite0"


def load(name: str, weights: str | None, precision: str, device: str) -> Network:
    """weights: a file with a state dict, or the name of what the library has for the network; None: its default. Raises
    ConfigError."""
    _check_torch()
    if name != LITE0:
        return torchvision.load(name, weights, precision, device)
    from pixsieve.models import lite0  # with torch, which takes a second to import

    return lite0.load(_of_lite0(weights), precision, device)


def file_of(name: str, weights: str | None) -> Path | None:
    """The file of the weights; None where they have a name only. Raises ConfigError where one should be there."""
    if name == LITE0:
        return _of_lite0(weights)
    return Path(weights) if weights is not None and Path(weights).is_file() else None


def _check_torch() -> None:
    missing = [package for package in ("torch", "torchvision") if find_spec(package) is None]
    if missing:
        raise ConfigError(
            f"embed.model needs {' and '.join(missing)}: pip install 'pixsieve[models]';"
            " without a model: embed.model=null"
        )


def _of_lite0(weights: str | None) -> Path:
    _check_torch()
    from pixsieve.models import lite0

    if weights is None:
        return lite0.weights()
    if not Path(weights).is_file():
        raise ConfigError(f"embed.weights: there is no file {weights}; lite0 has weights of its own: leave the key out")
    return Path(weights)
