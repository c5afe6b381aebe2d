"""Networks in files: TorchScript and ONNX."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pixsieve import Config, ConfigError, files, models
from pixsieve.models.network import Asked
from tests.pipeline.helpers import audit, by_key, pattern, save
from tests.pipeline.models.tiny import WIDTH, Tiny


def scripted(path: Path, seed: int = 0) -> Path:
    with pytest.warns(FutureWarning):
        torch.jit.script(Tiny(seed).eval()).save(str(path))
    return path


def exported(path: Path, shape: tuple = ("n", 3, 32, 32), kind: str = "FLOAT") -> Path:
    """A graph of ONNX: means of the colours of an image, and of their squares."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    node, info, element = onnx.helper.make_node, onnx.helper.make_tensor_value_info, getattr(onnx.TensorProto, kind)
    nodes = [
        node("GlobalAveragePool", ["images"], ["mean"]),
        node("Mul", ["images", "images"], ["square"]),
        node("GlobalAveragePool", ["square"], ["power"]),
        node("Concat", ["mean", "power"], ["features"], axis=1),
    ]
    given, made = info("images", element, shape), info("features", element, [shape[0], 6, 1, 1])
    graph = onnx.helper.make_graph(nodes, "colours", [given], [made])
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))
    return path


def rows_of(x: np.ndarray) -> np.ndarray:
    rows = np.concatenate([x.mean((2, 3)), (x**2).mean((2, 3))], axis=1)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_torchscript(tmp_path: Path):
    network = models.load(Asked(str(scripted(tmp_path / "tiny.torchscript")), image_size=64))
    x = np.random.default_rng(0).normal(size=(40, 3, 64, 64)).astype(np.float32)
    with torch.inference_mode():
        want = Tiny().eval()(torch.tensor(x)).numpy()
    got = network.embed(x)
    assert got.dtype == np.float16 and got.shape == (40, WIDTH)
    np.testing.assert_allclose(got, want / np.linalg.norm(want, axis=1, keepdims=True), atol=1e-3)
    assert network.prepare(pattern(np.random.default_rng(0)), x).shape == (3, 64, 64)


def test_torchscript_in_bfloat16(tmp_path: Path):
    file = str(scripted(tmp_path / "tiny.pt"))
    x = np.random.default_rng(0).normal(size=(9, 3, 64, 64)).astype(np.float32)
    one, two = (
        models.load(Asked(file, image_size=64, precision=precision)).embed(x).astype(float)
        for precision in ("float32", "bfloat16")
    )
    cosine = np.einsum("ij,ij->i", one, two)
    assert (cosine > 0.99).all() and (cosine < 1 - 1e-7).any()


@pytest.mark.parametrize("many", ["n", 1, 7])
@pytest.mark.parametrize("kind", ["FLOAT", "FLOAT16"])
def test_onnx(many: str | int, kind: str, tmp_path: Path):
    file = exported(tmp_path / "colours.onnx", (many, 3, 32, 32), kind)
    network = models.load(Asked(str(file)))
    x = np.random.default_rng(0).normal(size=(40, 3, 32, 32)).astype(np.float32)
    got = network.embed(x)
    assert got.dtype == np.float16 and got.shape == (40, 6)
    np.testing.assert_allclose(got, rows_of(x), atol=1e-3 if kind == "FLOAT" else 1e-2)
    np.testing.assert_array_equal(network.embed(x[5:6])[0], got[5])
    assert network.prepare(pattern(np.random.default_rng(0)), x).shape == (3, 32, 32)


def test_onnx_needs_no_torch(tmp_path: Path):
    file = exported(tmp_path / "colours.onnx")
    code = "import sys; from pixsieve import models; from pixsieve.models.network import Asked; "
    code += f"models.load(Asked({str(file)!r}))"
    assert subprocess.run([sys.executable, "-c", f"{code}; sys.exit('torch' in sys.modules)"]).returncode == 0


def test_onnx_of_any_size(tmp_path: Path):
    file = str(exported(tmp_path / "colours.onnx", ("n", 3, "height", "width")))
    image = pattern(np.random.default_rng(0))
    assert models.load(Asked(file)).prepare(image, image).shape == (3, 224, 224)
    assert models.load(Asked(file, image_size=40)).prepare(image, image).shape == (3, 40, 40)


@pytest.mark.parametrize(
    ("shape", "kind", "size", "said"),
    [
        (("n", 3, 32, 32), "FLOAT", 64, r"embed.image_size: .*colours.onnx takes images of 32 x 32 pixels, not of 64"),
        (("n", 3, 32, 48), "FLOAT", None, r"takes images of 32 x 48 pixels, not of equal sides"),
        (("n", 32, 32, 3), "FLOAT", None, r"takes images: tensor\(float\) \['n', 32, 32, 3\]; it must take one batch"),
        (("n", 3, 32, 32), "INT32", None, r"tensor\(int32\)|is no network of ONNX"),
    ],
)
def test_an_onnx_that_takes_something_else(shape: tuple, kind: str, size: int | None, said: str, tmp_path: Path):
    file = str(exported(tmp_path / "colours.onnx", shape, kind))
    with pytest.raises(ConfigError, match=said):
        models.load(Asked(file, image_size=size))


@pytest.mark.parametrize(("name", "said"), [("a.onnx", "no network of ONNX"), ("a.pt", "no TorchScript archive")])
def test_files_that_are_something_else(name: str, said: str, tmp_path: Path):
    if name == "a.onnx":
        pytest.importorskip("onnxruntime")
    torch.save(Tiny().state_dict(), tmp_path / name)
    with pytest.raises(ConfigError, match=said):
        models.load(Asked(str(tmp_path / name)))
    with pytest.raises(ConfigError, match="has its weights within: leave the key out"):
        models.load(Asked(str(tmp_path / name), "other.pth"))
    with pytest.raises(ConfigError, match=rf"embed.model: there is no file .*none{name[1:]}"):
        models.digest(str(tmp_path / f"none{name[1:]}"), None)


def test_the_digest_is_of_the_file_and_what_is_beside_it(tmp_path: Path):
    file = tmp_path / "a.onnx"
    file.write_bytes(b"graph")
    alone = models.digest(str(file), None)
    (tmp_path / "another.onnx").write_bytes(b"graph")
    assert alone == models.digest(str(file), None) == files.digest(file)
    (tmp_path / "a.onnx.data").write_bytes(b"weights")
    first = models.digest(str(file), None)
    (tmp_path / "a.onnx.data").write_bytes(b"others")
    assert len({alone, first, models.digest(str(file), None)}) == 3


def test_without_onnxruntime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a.onnx").write_bytes(b"")
    monkeypatch.setattr("pixsieve.models.network.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"embed.model needs onnxruntime: pip install 'pixsieve\[onnx\]'"):
        models.load(Asked(str(tmp_path / "a.onnx")))


def test_a_run_by_a_relative_path_and_another_file_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for number in range(4):
        save(tmp_path / f"images/{number}.png", pattern(np.random.default_rng(number), 60))
    scripted(tmp_path / "tiny.pt")
    assert Config.load("images", settings=["embed.model=tiny.pt"]).embed.model == str(tmp_path / "tiny.pt")
    assert Config.load("images", settings=["embed.model=lite0"]).embed.model == "lite0"
    audit(Path("images"), tmp_path / "run", "embed.model=tiny.pt")
    first = audit(Path("images"), tmp_path / "run", "embed.model=tiny.pt")
    scripted(tmp_path / "tiny.pt", seed=1)
    second = audit(Path("images"), tmp_path / "run", "embed.model=tiny.pt")
    assert [[stage.ran for stage in one.stages if stage.name == "embed"] for one in (first, second)] == [[0], [1]]
    assert len(by_key(tmp_path / "run", "images")) == 4
