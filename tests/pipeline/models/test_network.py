"""What every kind of network has in common: chunks of one size, rows that are kept, what is said of odd ones."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torchvision
from sklearn.datasets import load_sample_image

from pixsieve import Config, ConfigError, backend, models
from pixsieve.descriptors import network as descriptor
from pixsieve.folder.run_folder import Run
from pixsieve.models import imagenet, lite0
from pixsieve.models.network import AT_ONCE, Asked, directions
from tests.pipeline.helpers import audit, by_key, pattern, save

HERE = "tests.pipeline.models.tiny:"


def test_images_are_prepared_as_torchvision_does():
    """But for the half pixel by which it misses the middle of some images."""
    preset = torchvision.transforms._presets.ImageClassification(crop_size=224, resize_size=256)
    photo = load_sample_image("china.jpg")
    for image, alike in ((photo[:384, :384], 0.9999), (photo, 0.99)):
        want = preset(torch.tensor(image).permute(2, 0, 1)).numpy()
        got = imagenet.preparing(224)(image, image[:, :, 0])
        assert got.shape == want.shape and got.dtype == np.float32
        assert np.corrcoef(got.ravel(), want.ravel())[0, 1] > alike and abs(got.std() / want.std() - 1) < 0.01


@pytest.mark.parametrize("shape", [(1, 5000), (5000, 1), (1, 1), (223, 225), (2, 3)])
def test_images_of_any_shape(shape: tuple[int, int]):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    image.setflags(write=False)
    x = imagenet.preparing(64)(image, image[:, :, 0])
    assert x.shape == (3, 64, 64) and np.isfinite(x).all()


def test_directions():
    rows = np.array([[3, 4], [0, 0], [np.nan, 1], [np.inf, 1], [1e-100, 0], [3e30, 4e30]])
    want = np.array([[0.6, 0.8], [0, 0], [0, 0], [0, 0], [1, 0], [0.6, 0.8]], np.float16)
    np.testing.assert_array_equal(directions(rows), want)


def test_a_row_does_not_depend_on_its_company():
    network = models.load(Asked(HERE + "Tiny", image_size=32))
    x = np.random.default_rng(0).normal(size=(2 * AT_ONCE + 5, 3, 32, 32)).astype(np.float32)
    rows = network.embed(x)
    for at in (0, AT_ONCE, len(x) - 1):
        np.testing.assert_array_equal(network.embed(x[at : at + 1])[0], rows[at])


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        ("Failing", r"Failing fails on images of 48x48 \(embed.image_size\): RuntimeError: only images of 7 x 7"),
        ("Words", "Words gives <U5 of shape .* no row for each"),
        ("Pair", "Pair gives a tuple, not a tensor of features"),
    ],
)
def test_a_network_that_gives_no_rows(factory: str, said: str):
    with pytest.raises(ConfigError, match=said):
        models.load(Asked(HERE + factory))


@pytest.mark.parametrize(
    ("factory", "said"),
    [("Wider", "gives 12 features for some images, 6 for others"), ("Fewer", "of shape .31, 6. for 32 images")],
)
def test_other_shapes_for_some_images(factory: str, said: str, tmp_path: Path):
    network, bright = models.load(Asked(HERE + factory)), np.full((3, 3, 48, 48), 0.5, np.float32)
    bright[1] = 2
    with pytest.raises(ConfigError, match=said):
        network.embed(bright)
    save(tmp_path / "images/bright.png", np.full((50, 50, 3), 255, np.uint8))
    assert audit(tmp_path / "images", tmp_path / "run", f"embed.model={HERE}{factory}").exit_code == 3
    assert Run.open(tmp_path / "run").manifest.rows == 1


def test_odd_images_and_odd_rows_are_all_kept(tmp_path: Path):
    """Grey, of 16 bits, one or two pixels high; and those that the model has no number for."""
    rng, images = np.random.default_rng(0), tmp_path / "images"
    for number in range(5):
        save(images / f"{number}.png", pattern(rng, 60))
    cv2.imwrite(str(images / "grey.png"), pattern(rng, 60)[:, :, 0])
    cv2.imwrite(str(images / "deep.png"), pattern(rng, 60)[:, :, 0].astype(np.uint16) * 257)
    for height in (1, 2):
        cv2.imwrite(str(images / f"strip{height}.png"), rng.integers(0, 256, (height, 5000, 3), np.uint8))
    for name, colour in (("nan", (0, 0, 0)), ("zero", (255, 255, 255)), ("infinite", (255, 0, 0))):
        save(images / f"{name}.png", np.full((60, 60, 3), colour, np.uint8))
    assert audit(images, tmp_path / "run", f"embed.model={HERE}Odd").exit_code == 0
    rows = by_key(tmp_path / "run", "images")
    assert len(rows) == 12
    assert {row["key"]: row["status"] for row in rows if row["status"] != "ok"} == {"strip1.png": "too_small"}
    run = Run.open(tmp_path / "run").embedded.by("model")
    vectors = run.store.read([0])
    keys = run.manifest.table(0)["key"].to_pylist()
    lost = {key for key, usable in zip(keys, vectors.usable, strict=False) if not usable}
    assert lost == {"nan.png", "zero.png", "infinite.png", "strip1.png"} and np.isfinite(vectors.vectors).all()


@pytest.mark.parametrize("name", ["lite0", "resnet18"])
def test_images_of_another_size(name: str, tmp_path: Path):
    """The same part of an image, at another size."""
    photo, file = load_sample_image("flower.jpg"), lite0.weights()
    if name == "resnet18":
        file = tmp_path / "resnet18.pth"
        torch.save(torchvision.models.resnet18(weights=None).state_dict(), file)
    own, small = (models.load(Asked(name, str(file), size)).prepare(photo, photo) for size in (None, 112))
    assert own.shape == (3, 224, 224) and small.shape == (3, 112, 112)
    halved = own.reshape(3, 112, 2, 112, 2).mean((2, 4))
    assert np.corrcoef(halved.ravel(), small.ravel())[0, 1] > 0.99


def test_a_size_that_a_network_does_not_take(tmp_path: Path):
    torch.save(torchvision.models.vit_b_32(weights=None).state_dict(), tmp_path / "vit.pth")
    with pytest.raises(
        ConfigError, match=r"vit_b_32 fails on images of 96x96 \(embed.image_size\).*Wrong image height"
    ):
        models.load(Asked("vit_b_32", str(tmp_path / "vit.pth"), 96))


def test_the_size_is_in_the_fingerprint(tmp_path: Path):
    def made_of(*settings: str) -> object:
        embed = Config.load(tmp_path, settings=[f"embed.model={HERE}Means", *settings]).embed
        return descriptor.DESCRIPTOR.made_of(embed)

    assert (
        made_of()
        == made_of("embed.image_size=null")
        != made_of("embed.image_size=96")
        != made_of("embed.image_size=32")
    )


def test_another_size_embeds_anew(tmp_path: Path):
    for number in range(4):
        save(tmp_path / f"images/{number}.png", pattern(np.random.default_rng(number), 60))
    at = (tmp_path / "images", tmp_path / "run", f"embed.model={HERE}Tiny")
    audit(*at)
    assert "embed" not in {stage.name for stage in audit(*at).stages if stage.ran}
    assert "embed" in {stage.name for stage in audit(*at, "embed.image_size=64").stages if stage.ran}
    assert not audit(*at[:2], "embed.model=auto").stages[1].ran  # goes on with the model of the run, and its size
    assert Config.load(tmp_path / "run").embed.image_size == 64


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("lite0", "lite0"),
        ("timm:resnet18.a1_in1k", "timm-resnet18.a1_in1k"),
        ("open_clip:ViT-B-32/openai", "open_clip-ViT-B-32-openai"),
        ("mine.nets:small", "mine.nets-small"),
        ("/data/my nets/vectors.onnx", "vectors.onnx"),
    ],
)
def test_what_the_rows_of_a_network_are_called(name: str, title: str):
    assert models.title(name) == title


@pytest.mark.gpu
def test_on_the_gpu():
    x = np.random.default_rng(0).normal(size=(40, 3, 32, 32)).astype(np.float32)
    one, two = (
        models.load(Asked(HERE + "Tiny", image_size=32, device=on.torch_device)).embed(x).astype(float)
        for on in (backend.cpu(), backend.gpu())
    )
    assert (np.einsum("ij,ij->i", one, two) > 1 - 1e-3).all()
