"""Networks of timm, where it is installed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pixsieve import ConfigError, files, models
from pixsieve.models.network import Asked
from tests.pipeline.helpers import pattern

timm = pytest.importorskip("timm")
IMAGE = pattern(np.random.default_rng(0), 90)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As timm's own files have them: with the classifier."""
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "model.pth"
    torch.save(timm.create_model("resnet10t").state_dict(), file)
    return file


def test_features_are_those_before_the_classifier(weights: Path):
    network = models.load(Asked("timm:resnet10t", str(weights)))
    model = timm.create_model("resnet10t", num_classes=0)
    state = torch.load(weights, weights_only=True)
    model.load_state_dict({key: value for key, value in state.items() if not key.startswith("fc.")})
    config = timm.data.resolve_data_config({}, model=model)
    x = network.prepare(IMAGE, IMAGE[:, :, 0])
    np.testing.assert_array_equal(x, timm.data.create_transform(**config)(Image.fromarray(IMAGE)).numpy())
    with torch.inference_mode():
        want = model.eval()(torch.tensor(x[None]))[0].numpy()
    np.testing.assert_allclose(network.embed(x[None])[0], want / np.linalg.norm(want), atol=1e-3)
    assert network.dim == 512 and models.digest("timm:resnet10t", str(weights)) == files.digest(weights)


@pytest.mark.parametrize("name", ["resnet10t", "vit_tiny_patch16_224"])
def test_images_of_another_size(name: str, tmp_path: Path):
    """Of a network whose positions have a size, timm adapts them."""
    torch.save(timm.create_model(name).state_dict(), tmp_path / "model.pth")
    network = models.load(Asked(f"timm:{name}", str(tmp_path / "model.pth"), 96))
    x = network.prepare(IMAGE, IMAGE[:, :, 0])
    assert x.shape == (3, 96, 96) and np.isfinite(network.embed(x[None])).all()
    strip = np.zeros((1, 5000, 3), np.uint8)
    assert network.prepare(strip, strip[:, :, 0]).shape == x.shape


def test_without_a_network_the_file_to_fetch_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    said = (
        "fetch https://huggingface.co/timm/resnet10t.c3_in1k/resolve/main/model.safetensors"
        " and set embed.weights to the file"
    )
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub, "hf_hub_download", _no_network)
    for asked in (Asked("timm:resnet10t"), Asked("timm:resnet10t.c3_in1k"), Asked("timm:resnet10t", "c3_in1k")):
        with pytest.raises(ConfigError, match=r"resnet10t.* cannot be downloaded \(no route to host\); fetch") as error:
            models.load(asked)
        assert said in str(error.value)


def test_what_is_wrong_is_named(weights: Path):
    for asked, said in (
        (Asked("timm:resnet11t"), "timm has no 'resnet11t'; nearest known: resnet"),
        (Asked("timm:resnet10t.best"), "embed.model: 'best' is none of timm's weights for resnet10t: c3_in1k"),
        (Asked("timm:resnet10t", "best"), "embed.weights: 'best' is neither a file nor one of timm's weights"),
        (Asked("timm:resnet18", str(weights)), "is not a state dict for timm:resnet18: missing: conv1.weight, .* more"),
    ):
        with pytest.raises(ConfigError, match=said):
            models.load(asked)


def _no_network(*args: object, **kwargs: object) -> None:
    raise OSError("no route to host")
