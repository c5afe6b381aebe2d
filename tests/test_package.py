"""What is installed, and that it lives beside other people's packages."""

import os
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path
from sysconfig import get_path

import pytest

import pixsieve

ROOT = Path(__file__).parents[1]
FOLDERS = {"pipeline": "pixsieve", "kernels": "pixsieve/kernels"}
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
# Nothing of this checkout may be found but through what is installed.
CLEAN = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def sources() -> dict[str, bytes]:
    """Every file of the package by its path in the wheel."""
    return {
        f"{name}/{path.relative_to(ROOT / folder).as_posix()}": path.read_bytes()
        for folder, name in FOLDERS.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy: setuptools leaves folders beside what it builds."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    run(*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, folder)
    (built,) = folder.glob("*.whl")
    return built


def run(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=CLEAN, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_folder_with_modules_is_a_package():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    folders = {path.rpartition("/")[0] for path in sources() if path.endswith(".py")}
    assert sorted(listed) == sorted(folder.replace("/", ".") for folder in folders)
    assert {f"{folder}/__init__.py" for folder in folders} <= set(sources())


def test_the_wheel_holds_every_file_and_no_other(wheel: Path):
    with zipfile.ZipFile(wheel) as file:
        held = {name: file.read(name) for name in file.namelist()}
    info = f"pixsieve-{pixsieve.__version__}.dist-info"
    assert {name: data for name, data in held.items() if not name.startswith(info)} == sources()
    metadata = message_from_bytes(held[f"{info}/METADATA"])
    assert metadata["License-Expression"] == "Apache-2.0" and metadata["Version"] == pixsieve.__version__
    assert held[f"{info}/licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """Of an environment that sees what the tests have installed, but no editable installation."""
    venv.create(tmp_path / "venv")
    place = {"base": str(tmp_path / "venv"), "platbase": str(tmp_path / "venv")}
    Path(get_path("purelib", "venv", place), "tests.pth").write_text(get_path("purelib"))
    return Path(get_path("scripts", "venv", place))


def test_beside_modules_of_the_user(wheel: Path, scripts: Path, tmp_path: Path):
    run(*PIP, "--python", scripts / "python", "install", "--no-deps", wheel)
    (tmp_path / "user").mkdir()
    for name in FOLDERS:
        (tmp_path / "user" / f"{name}.py").write_text("THEIRS = True\n")
    code = "import pixsieve.stages, pixsieve.kernels, pipeline, kernels; print(pipeline.THEIRS and kernels.THEIRS)"
    assert run(scripts / "python", "-c", code, cwd=tmp_path / "user") == "True\n"
    assert run(scripts / "pixsieve", "--version", cwd=tmp_path / "user") == f"pixsieve {pixsieve.__version__}\n"


@pytest.fixture(scope="module")
def theirs(tmp_path_factory) -> Path:
    """The wheel of Hugging Face's package kernels."""
    folder = tmp_path_factory.mktemp("kernels")
    command = [*PIP, "download", "--no-deps", "--retries", "1", "--constraint", ROOT / "constraints.txt", "kernels"]
    done = subprocess.run(command, cwd=folder, env=CLEAN, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"the package kernels cannot be downloaded: {done.stderr}")
    (found,) = folder.glob("*.whl")
    return found


def test_beside_the_package_kernels(wheel: Path, theirs: Path, scripts: Path, tmp_path: Path):
    """Installed and removed in either order, neither touches the other."""

    def pip(*arguments: str | Path) -> None:
        run(*PIP, "--python", scripts / "python", *arguments)

    def check(*modules: str) -> None:
        """They are imported, from where they were installed."""
        code = "import importlib, sys; print(*[importlib.import_module(name).__file__ for name in sys.argv[1:]])"
        found = run(scripts / "python", "-c", code, *modules, cwd=tmp_path).split()
        assert found == [str(site / module.replace(".", "/") / "__init__.py") for module in modules]

    def contents() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in site.rglob("*") if path.is_file() and path.suffix != ".pyc"}

    site = next((tmp_path / "venv").rglob("tests.pth")).parent
    pip("install", "--no-compile", theirs)  # with all that it needs; below, the two come and go alone
    pip("uninstall", "--yes", "kernels")
    without = contents()
    packages = {"pixsieve": (wheel, ("pixsieve", "pixsieve.kernels")), "kernels": (theirs, ("kernels",))}
    for first, second in (packages, reversed(packages)):
        (file, modules), (other_file, other_modules) = packages[first], packages[second]
        pip("install", "--no-deps", "--no-compile", file)
        alone = contents()
        pip("install", "--no-deps", "--no-compile", other_file)
        assert contents().items() > alone.items() > without.items()
        check(*modules, *other_modules)
        pip("uninstall", "--yes", second)
        assert contents() == alone
        check(*modules)
        pip("uninstall", "--yes", first)
        assert contents() == without
