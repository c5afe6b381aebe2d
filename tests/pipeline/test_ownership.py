"""A run folder is the run of one source, and no source: what is done by mistake is refused, and nothing is lost."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pixsieve import Config, ConfigError, SourceError, run
from tests.pipeline.helpers import audit, by_key, pattern, results, save

ROOT = Path(__file__).parents[2]


def draw(folder: Path, n: int, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    for number in range(n):
        save(folder / f"{number}.png", pattern(rng))
    return folder


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and "logs" not in path.parts}


def command(*words: str, cwd: Path) -> subprocess.CompletedProcess:
    words = (*words, "--set", "embed.model=null") if words[0] == "run" else words
    return subprocess.run([sys.executable, "-m", "pixsieve", *words], capture_output=True, text=True, cwd=cwd)


def test_a_run_folder_as_source_is_continued_as_it_was_asked_for(tmp_path: Path):
    draw(tmp_path / "images", 4)
    said = command("run", "images", "--set", "cluster.similarity=0.8", "--set", "workers.device=cpu", cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    out = tmp_path / "runs/images"
    assert "Nothing to do: 4 rows" in command("run", "runs/images", cwd=tmp_path).stdout
    draw(tmp_path / "images", 5)
    (tmp_path / "runs").rename(tmp_path / "kept")  # a run folder may move
    out = tmp_path / "kept/images"
    summary = run(Config.load(out))
    assert summary.path == out and summary.stage("scan").counts["rows"] == 5
    assert Config.load(out).cluster.similarity == 0.8
    assert run(Config.load(out, settings=["cluster.similarity=0.7"])).stage("match").ran == 1
    assert Config.load(out).cluster.similarity == 0.7


def test_a_run_folder_inside_the_source_is_left_out_and_told(tmp_path: Path):
    draw(tmp_path / "images/a", 3)
    audit(tmp_path / "images", tmp_path / "other/old")
    shutil.copytree(tmp_path / "other/old", tmp_path / "images/a/old")
    said = command("run", "images", "--set", "source.pattern=**", "--set", "workers.device=cpu", cwd=tmp_path)
    assert said.returncode == 0 and "of these, run folders: a/old/" in said.stdout
    assert [row["key"] for row in by_key(tmp_path / "runs/images", "images")] == ["a/0.png", "a/1.png", "a/2.png"]
    entry = pq.read_table(tmp_path / "runs/images/skipped.parquet").to_pylist()
    assert entry == [{"key": "a/old/", "bytes": None, "why": "run"}]


def test_another_source_of_one_name_is_refused(tmp_path: Path):
    draw(tmp_path / "one/images", 4)
    draw(tmp_path / "two/images", 3, seed=1)
    audit(tmp_path / "one/images", tmp_path / "runs/images")
    before = everything(tmp_path / "runs")
    with pytest.raises(ConfigError, match=r"is the run of .*one/images, not of .*two/images: .*--out.*--moved"):
        audit(tmp_path / "two/images", tmp_path / "runs/images")
    assert everything(tmp_path / "runs") == before
    (tmp_path / "three").symlink_to("one")  # another name of the same folder
    assert audit(tmp_path / "three/images", tmp_path / "runs/images").idle or True
    assert len(by_key(tmp_path / "runs/images", "images")) == 4


def test_a_folder_of_something_else_is_no_run_folder(tmp_path: Path):
    images = draw(tmp_path / "runs/images", 3)
    (images / "half.partial").write_bytes(b"of somebody else")
    before = everything(images)
    for out in (images, images / ".."):
        with pytest.raises(ConfigError, match=r"is not empty, and no run folder \(it has '.*'\): .*--out"):
            audit(images, out)
    said = command("run", "runs/images", cwd=tmp_path)  # runs/NAME is the folder of the images
    assert said.returncode == 2 and "--out" in said.stderr
    assert everything(images) == before


def test_a_source_that_is_suddenly_almost_gone(tmp_path: Path):
    images, out = draw(tmp_path / "images", 9), tmp_path / "run"
    audit(images, out)
    for number in range(5):
        (images / f"{number}.png").rename(tmp_path / f"{number}.png")
    before = everything(out)
    with pytest.raises(SourceError, match=r"lacks 5 of the 9 rows .*source\.max_removed allows \(50%\)"):
        audit(images, out)
    assert everything(out) == before
    for number in range(1, 5):  # changed are not gone
        shutil.copy(images / "8.png", images / f"{number}.png")
    assert audit(images, out).stage("scan").counts == {"rows": 8, "new": 4, "removed": 5, "skipped": 0}
    for number in range(8):
        (images / f"{number}.png").unlink(missing_ok=True)
    assert audit(images, out, "source.max_removed=1").stage("scan").counts["rows"] == 1


@pytest.mark.parametrize("word", ["", " "])
def test_an_unset_variable_is_no_folder(tmp_path: Path, word: str):
    draw(tmp_path, 1)
    said = command("run", word, cwd=tmp_path)
    assert said.returncode == 2 and "SOURCE is empty" in said.stderr and not (tmp_path / "runs").exists()


def test_names_that_are_no_text(tmp_path: Path):
    source = bytes(tmp_path) + b"/\xff"
    draw(tmp_path / "images", 1).rename(source.decode("utf-8", "surrogateescape"))
    said = subprocess.run([sys.executable, "-m", "pixsieve", "run", source], capture_output=True, cwd=tmp_path)
    assert said.returncode == 2 and b"is not UTF-8: rename it, or make a link" in said.stderr
    assert b"Traceback" not in said.stderr


@pytest.mark.parametrize(
    ("name", "way_out"),
    [("x.zip", "unpack it"), ("x.tar.gz", "unpack it"), ("x.txt", "source.pattern"), ("x.JPG", "folder that it is in")],
)
def test_files_that_are_no_source(tmp_path: Path, name: str, way_out: str):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(SourceError, match=way_out):
        audit(tmp_path / name, tmp_path / "run")


def test_make_run(tmp_path: Path):
    """What `make` would run: the folder of a run has the name that pixsieve gives it."""

    def said(*words: str) -> str:
        line = ["make", "-n", "--no-print-directory", "-o", ".venv/ready", "run", *words]
        return subprocess.run(line, capture_output=True, text=True, cwd=ROOT, check=True).stdout

    assert said("IMAGES=.").rstrip().endswith('pixsieve run "."')
    assert said("IMAGES=demo", "RUN=there").rstrip().endswith('run "demo" --out "there"')
    assert said().rstrip().endswith('run runs/demo-images --out "runs/demo"')


def test_two_runs_of_the_same_are_equal_wherever_they_lie(tmp_path: Path):
    draw(tmp_path / "images", 4)
    for out in (tmp_path / "run", tmp_path / "images/run"):
        audit(tmp_path / "images", out)
    assert results(tmp_path / "run") == results(tmp_path / "images/run")
