"""Networks of OpenCLIP, where it is installed."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pixsieve import ConfigError, files, models
from pixsieve.models.network import Asked
from tests.pipeline.helpers import pattern

open_clip = pytest.importorskip("open_clip")
IMAGE = pattern(np.random.default_rng(0), 90)
SMALL = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 8, "vocab_size": 50, "width": 16, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> torch.nn.Module:
    folder = tmp_path_factory.mktemp("models")
    (folder / "Small.json").write_text(json.dumps(SMALL))
    open_clip.add_model_config(folder / "Small.json")
    torch.manual_seed(0)
    return open_clip.create_model("Small").eval()


@pytest.fixture(scope="module")
def weights(model: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("weights") / "small.pth"
    torch.save(model.state_dict(), file)
    return file


def test_features_are_those_of_the_image_tower(model: torch.nn.Module, weights: Path):
    network = models.load(Asked("open_clip:Small", str(weights)))
    x = network.prepare(IMAGE, IMAGE[:, :, 0])
    np.testing.assert_array_equal(x, open_clip.image_transform(32, is_train=False)(Image.fromarray(IMAGE)).numpy())
    with torch.inference_mode():
        want = model.encode_image(torch.tensor(x[None]))[0].numpy()
    np.testing.assert_allclose(network.embed(x[None])[0], want / np.linalg.norm(want), atol=1e-3)
    assert network.dim == 16 and models.digest("open_clip:Small", str(weights)) == files.digest(weights)


def test_images_of_another_size(weights: Path):
    network = models.load(Asked("open_clip:Small", str(weights), 64))
    x = network.prepare(IMAGE, IMAGE[:, :, 0])
    assert x.shape == (3, 64, 64) and np.isfinite(network.embed(x[None])).all()
    strip = np.zeros((1, 5000, 3), np.uint8)
    assert network.prepare(strip, strip[:, :, 0]).shape == x.shape


def test_without_a_network_the_file_to_fetch_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(open_clip, "download_pretrained", _no_network)
    for asked in (Asked("open_clip:ViT-B-32/laion2b_s34b_b79k"), Asked("open_clip:ViT-B-32", "laion2b_s34b_b79k")):
        with pytest.raises(ConfigError, match=r"ViT-B-32/laion2b_s34b_b79k cannot be downloaded \(no route") as error:
            models.load(asked)
        assert str(error.value).endswith(
            "fetch open_clip_model.safetensors (or open_clip_pytorch_model.bin) from"
            " https://huggingface.co/laion/CLIP-ViT-B-32-laion2B-s34B-b79K and set embed.weights to the file"
        )


def test_what_is_wrong_is_named(weights: Path, tmp_path: Path):
    torch.save({"visual.proj": torch.zeros(3)}, tmp_path / "other.pth")
    for asked, said in (
        (Asked("open_clip:RN51/openai"), "OpenCLIP has no 'RN51'; nearest known: RN50"),
        (Asked("open_clip:RN50"), "write open_clip:NAME/PRETRAINED with one of OpenCLIP's weights for RN50: openai, "),
        (Asked("open_clip:RN50/best"), "'best' is none of OpenCLIP's weights for RN50: openai, "),
        (
            Asked("open_clip:Small", str(tmp_path / "other.pth")),
            "not a state dict for open_clip:Small: missing: .* more",
        ),
    ):
        with pytest.raises(ConfigError, match=said):
            models.load(asked)


def _no_network(*args: object, **kwargs: object) -> None:
    raise OSError("no route to host")
