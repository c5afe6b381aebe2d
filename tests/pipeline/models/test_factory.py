"""Networks of one's own, by module and function."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pixsieve import ConfigError, files, models
from pixsieve.models.network import Asked
from tests.pipeline.helpers import pattern
from tests.pipeline.models import tiny

HERE = "tests.pipeline.models.tiny:"


def batch(network: models.Network, n: int = 5) -> np.ndarray:
    images = [pattern(np.random.default_rng(number), 90) for number in range(n)]
    return np.stack([network.prepare(image, image[:, :, 0]) for image in images])


def test_a_module():
    network = models.load(Asked(HERE + "Tiny"))
    x = batch(network)
    assert x.shape == (5, 3, 224, 224)
    with torch.inference_mode():
        want = tiny.Tiny().eval()(torch.tensor(x)).numpy()
    np.testing.assert_allclose(network.embed(x), want / np.linalg.norm(want, axis=1, keepdims=True), atol=1e-3)
    assert network.dim == tiny.WIDTH


def test_what_embeds_by_itself():
    network = models.load(Asked(HERE + "Means"))
    x = batch(network)
    assert x.shape == (5, 3, 48, 48) and network.dim == 6
    want = tiny.Means().embed(x)
    np.testing.assert_allclose(network.embed(x), want / np.linalg.norm(want, axis=1, keepdims=True), atol=1e-3)
    assert (
        models.load(Asked(HERE + "Means", image_size=30)).prepare(pattern(np.random.default_rng(0)), x).shape[1] == 30
    )


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_from_a_file(suffix: str, tmp_path: Path):
    file, other = tmp_path / f"weights{suffix}", tiny.Tiny(seed=1).eval()
    if suffix == ".safetensors":
        pytest.importorskip("safetensors.torch").save_file(other.state_dict(), file)
    else:
        torch.save(other.state_dict(), file)
    network = models.load(Asked(HERE + "Tiny", str(file)))
    x = batch(network)
    with torch.inference_mode():
        want = other(torch.tensor(x)).numpy()
    np.testing.assert_allclose(network.embed(x), want / np.linalg.norm(want, axis=1, keepdims=True), atol=1e-3)
    assert models.digest(HERE + "Tiny", str(file)) == files.digest(file) != models.digest(HERE + "Tiny", None)


def test_the_digest_of_what_has_no_file(monkeypatch: pytest.MonkeyPatch):
    """That of its weights; of what has none, that of its code."""
    assert models.digest(HERE + "Means", None) == files.digest(Path(str(tiny.__file__)))
    before = models.digest(HERE + "Tiny", None)
    monkeypatch.setattr(tiny, "Another", lambda: tiny.Tiny(seed=1), raising=False)
    monkeypatch.setattr(tiny, "Same", lambda: tiny.Tiny(seed=0), raising=False)
    assert models.digest(HERE + "Same", None) == before != models.digest(HERE + "Another", None)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "mine.nets:small",
            r"the module mine\.nets cannot be imported \(ModuleNotFoundError: No module named 'mine'\)",
        ),
        (HERE + "Tyny", r"the module tests\.pipeline\.models\.tiny has no function 'Tyny'; nearest known: Tiny"),
        (HERE + "broken", "tiny:broken has failed when it was called: OSError: the licence server does not answer"),
        (HERE + "number", r"tiny:number makes a int, which is no nn\.Module and has no embed\(batch\)"),
        (HERE + "random", "tiny:random makes other weights each time: set the seed there, or give embed.weights"),
    ],
)
def test_what_is_wrong_with_a_factory(name: str, said: str):
    with pytest.raises(ConfigError, match=said):
        models.load(Asked(name))


def test_a_module_that_cannot_be_imported_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "half_written.py").write_text("def small(:")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"the module half_written cannot be imported \(SyntaxError"):
        models.load(Asked("half_written:small"))


def test_weights_that_do_not_fit(tmp_path: Path):
    state = tiny.Tiny().state_dict()
    state["norm.scale"] = state.pop("norm.weight")
    state["convolution.bias"] = torch.zeros(9)
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(ConfigError) as error:
        models.load(Asked(HERE + "Tiny", str(tmp_path / "other.pth")))
    assert str(error.value).endswith(
        "other.pth is not a state dict for tests.pipeline.models.tiny:Tiny: missing: norm.weight;"
        " unexpected: norm.scale; of another shape: convolution.bias [9] for [8]"
    )
    with pytest.raises(ConfigError, match=r"there is no file .*none\.pth"):
        models.digest(HERE + "Tiny", str(tmp_path / "none.pth"))
    with pytest.raises(ConfigError, match=r"is no nn\.Module, and reads none: leave the key out"):
        models.load(Asked(HERE + "Means", str(tmp_path / "other.pth")))


@pytest.mark.parametrize("size", ["big", (32, 48), 0, -3, True])
def test_a_size_that_is_none(monkeypatch, size: object):
    monkeypatch.setattr(tiny.Means, "image_size", size)
    with pytest.raises(ConfigError, match=r"image_size of .*Means is .*; wanted: pixels a side"):
        models.load(Asked(HERE + "Means"))


def test_no_features_are_none(monkeypatch):
    monkeypatch.setattr(tiny.Means, "embed", lambda self, batch: np.empty((len(batch), 0), np.float32))
    with pytest.raises(ConfigError, match="and no row for each"):
        models.load(Asked(HERE + "Means"))
