"""The dct descriptor against a slow one, and torchvision networks by name."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.fft import dctn
from scipy.stats import rankdata

from pixsieve import Config, ConfigError, backend
from pixsieve.descriptors import dct, network
from tests.pipeline.helpers import audit, by_key, pattern, save


def slow(grey: np.ndarray) -> np.ndarray:
    rank = rankdata(grey.ravel(), method="average").reshape(64, 64)
    low = dctn(rank - rank.mean(), norm="ortho")[:8, :8] * (1 + np.add.outer(np.arange(8), np.arange(8)))
    vector = low.ravel()[1:]
    length = np.linalg.norm(vector)
    return vector / length if length > 1e-6 else np.zeros(63)


def test_dct_equals_the_slow_one():
    rng = np.random.default_rng(0)
    batch = np.stack([cv2.resize(pattern(rng)[:, :, 0], (64, 64)) for _ in range(20)])
    batch[3], batch[4] = 7, rng.integers(0, 256, (64, 64))
    got = dct.embedder(backend.cpu())(batch)
    assert got.dtype == np.float16 and got.shape == (20, 63)
    for vector, grey in zip(got, batch, strict=True):
        np.testing.assert_allclose(vector, slow(grey), atol=6e-4)
    assert not got[3].any()


def test_dct_does_not_depend_on_the_company():
    rng = np.random.default_rng(0)
    batch = rng.integers(0, 256, (40, 64, 64), dtype=np.uint8)
    embed = dct.embedder(backend.cpu())
    whole = embed(batch)
    for size in (1, 3, 17):
        np.testing.assert_array_equal(np.concatenate([embed(batch[i : i + size]) for i in range(0, 40, size)]), whole)


def test_mirroring_turns_the_signs_of_odd_columns():
    grey = cv2.resize(pattern(np.random.default_rng(0))[:, :, 0], (64, 64))
    plain, mirrored = dct.embedder(backend.cpu())(np.stack([grey, grey[:, ::-1]]))
    signs = np.tile([1, -1], 32)[1:]
    np.testing.assert_allclose(plain * signs, mirrored, atol=1e-3)


@pytest.mark.gpu
def test_dct_on_the_gpu_equals_the_cpu():
    batch = np.random.default_rng(0).integers(0, 256, (300, 64, 64), dtype=np.uint8)
    one, two = (dct.embedder(on)(batch).astype(np.float64) for on in (backend.cpu(), backend.gpu()))
    assert (np.einsum("ij,ij->i", one, two) > 1 - 1e-3).all()


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    import torch
    import torchvision

    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), file)
    return file


def test_a_network_from_a_file(weights: Path, tmp_path: Path):
    rng = np.random.default_rng(0)
    for number in range(6):
        save(tmp_path / f"images/{number}.png", pattern(rng, 80))
    save(tmp_path / "images/copy.bmp", cv2.imread(str(tmp_path / "images/3.png"))[:, :, ::-1])
    summary = audit(tmp_path / "images", tmp_path / "run", "embed.model=resnet18", f"embed.weights={weights}")
    assert summary.exit_code == 0
    kinds = {row["key"]: row["kind"] for row in by_key(tmp_path / "run", "duplicates")}
    assert {kinds["3.png"], kinds["copy.bmp"]} == {"kept", "pixels"}
    import zarr

    group = zarr.open_group(tmp_path / "run/embeddings.zarr")["resnet18"]
    assert group["vectors"].shape[1] == 512
    np.testing.assert_allclose(np.linalg.norm(group["vectors"][:7].astype(float), axis=1), 1, atol=1e-3)
    assert group.attrs["weights"] and group.attrs["metric"] == "cosine"


@pytest.mark.parametrize(
    ("model", "dim"), [("mobilenet_v3_small", 1024), ("squeezenet1_1", 512), ("convnext_tiny", 768)]
)
def test_the_features_before_the_classifier(model: str, dim: int, tmp_path: Path):
    import torch
    import torchvision

    file = tmp_path / "weights.pth"
    torch.save(torchvision.models.get_model(model, weights=None).state_dict(), file)
    config = Config.load(tmp_path, settings=[f"embed.model={model}", f"embed.weights={file}"])
    assert network.DESCRIPTOR.measure(config.embed, backend.cpu()).width == dim


def test_weights_that_change_under_a_live_process(weights: Path, tmp_path: Path):
    import torch
    import torchvision

    file = tmp_path / "weights.pth"
    shutil.copyfile(weights, file)
    config = Config.load(tmp_path, settings=["embed.model=resnet18", f"embed.weights={file}"])
    image = np.ones((1, 3, 224, 224), np.float32)
    before = network.DESCRIPTOR.load(config.embed, backend.cpu()).embed(image)
    torch.manual_seed(1)
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), file)
    assert (network.DESCRIPTOR.load(config.embed, backend.cpu()).embed(image) != before).any()


def test_long_strips_are_not_blown_up(weights: Path, tmp_path: Path):
    """The shorter side is brought to 256: all of this one would be 256 x 2,560,000 pixels."""
    config = Config.load(tmp_path, settings=["embed.model=resnet18", f"embed.weights={weights}"])
    embedder = network.DESCRIPTOR.load(config.embed, backend.cpu())
    strip = np.random.default_rng(0).integers(0, 256, (2, 20_000, 3), np.uint8)
    assert embedder.prepare(strip, strip[:, :, 0]).shape == (3, 224, 224)
    photo = np.random.default_rng(0).integers(0, 256, (60, 400, 3), np.uint8)
    whole, middle = (embedder.prepare(p, p[:, :, 0]) for p in (photo, np.ascontiguousarray(photo[:, 80:320])))
    np.testing.assert_allclose(whole, middle, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["embed.model=resnet19"], "nearest known: resnet18"),
        (["embed.model=lite1"], "neither lite0 nor a classification network of torchvision; nearest known: lite0"),
        (["embed.model=resnet18", "embed.weights=missing.pth"], "neither a file nor one of torchvision's for resnet18"),
        (["embed.model=resnet18", f"embed.weights={__file__}"], "is not a state dict for resnet18"),
    ],
)
def test_what_is_wrong_with_a_model_is_named(settings: list[str], said: str, tmp_path: Path):
    config = Config.load(tmp_path, settings=settings)
    with pytest.raises(ConfigError, match=said):
        network.DESCRIPTOR.load(config.embed, backend.cpu())


def test_a_torchvision_that_does_not_fit_its_torch(tmp_path: Path):
    """A stand-in for one linked against CUDA beside a CPU build of torch."""
    import torch

    save(tmp_path / "images/a.png", pattern(np.random.default_rng(0)))
    (tmp_path / "path/torchvision").mkdir(parents=True)
    said = "operator torchvision::nms does not exist"
    (tmp_path / "path/torchvision/__init__.py").write_text(f"raise RuntimeError({said!r})")
    (tmp_path / "path/torchvision-0.28.7.dist-info").mkdir()
    (tmp_path / "path/torchvision-0.28.7.dist-info/METADATA").write_text("Name: torchvision\nVersion: 0.28.7\n")
    command = [sys.executable, "-m", "pixsieve", "run", str(tmp_path / "images"), "--out", str(tmp_path / "run")]
    command += ["--set", "embed.model=resnet18"]
    path = os.pathsep.join([str(tmp_path / "path"), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)
    assert done.returncode == 2
    assert f"torchvision 0.28.7 does not fit torch {torch.__version__} ({said})" in done.stderr
    assert "install both from one index" in done.stderr


def test_without_a_network_the_file_to_fetch_is_named(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", _no_network)
    config = Config.load(tmp_path, settings=["embed.model=resnet18"])
    with pytest.raises(
        ConfigError, match=r"fetch https://download.pytorch.org/models/resnet18-.*\.pth and set embed.weights"
    ):
        network.DESCRIPTOR.load(config.embed, backend.cpu())


def _no_network(*args, **kwargs):
    from urllib.error import URLError

    raise URLError("no route to host")
