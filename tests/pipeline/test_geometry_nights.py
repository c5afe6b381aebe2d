"""What a model's features are made comparable by, over the nights of a run."""

from pathlib import Path

import numpy as np
import pytest

from pixsieve import Config, ConfigError, FolderDamagedError, run
from pixsieve.cli.app import app
from pixsieve.folder.geometry import Geometry, sampled
from pixsieve.folder.run_folder import Run
from tests.pipeline.helpers import audit, by_key, pattern, ran, results, save

CUT = ("run.batch_rows=8", "run.block_rows=16", "outliers.neighbours=4", "embed.model=lite0", "embed.image_size=64")
CUT = (*CUT, "embed.normalise=centre:6", "cluster.method=leiden", "cluster.neighbours=4")


def draw(folder: Path, names: range) -> None:
    for name in names:
        save(folder / f"{name:02}.png", pattern(np.random.default_rng(name)))


def vectors(out: Path) -> dict[str, list[float]]:
    this = Run.open(out).by("model")
    shard = this.store.read(range(len(this.manifest.batches)))
    table = this.manifest.living(["key"])
    return {
        key: shard.vectors[row].tolist()
        for row, key in zip(table["row"].to_pylist(), table["key"].to_pylist(), strict=True)
    }


@pytest.fixture(scope="module")
def begun(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("nights")
    draw(folder / "images", range(20))
    audit(folder / "images", folder / "run", *CUT)
    return folder


@pytest.fixture
def night(begun: Path, tmp_path: Path) -> Path:
    import shutil

    shutil.copytree(begun, tmp_path / "night")
    return tmp_path / "night"


def again(night: Path, *settings: str, refit: bool = False):
    fixed = ["workers.device=cpu", "source.max_removed=1", *CUT, *settings]
    config = Config.load(night / "images", out=night / "run", settings=fixed)
    return run(config, moved=True, refit=refit)


def test_rows_of_later_change_no_vector_of_before(night: Path):
    before = vectors(night / "run")
    draw(night / "images", range(20, 31))
    (night / "images/03.png").unlink()
    summary = again(night)
    assert "fit" not in ran(summary) and ran(summary)["normalise"] == 2  # the batch that grew, and a new one
    after = vectors(night / "run")
    assert len(after) == 30 and all(after[key] == before[key] for key in before.keys() & after.keys())
    assert sorted(sampled(night / "run")) == list(range(20)) and Geometry.load(night / "run").rows == 20


def test_a_refit_is_asked_for_by_name(night: Path):
    draw(night / "images", range(20, 40))
    again(night)
    before = vectors(night / "run")
    summary = again(night, refit=True)
    assert "embed" not in ran(summary) and ran(summary)["fit"] == 1 and ran(summary)["normalise"] == 5
    assert Geometry.load(night / "run").rows == 40 and vectors(night / "run") != before
    other = night.parent / "fresh"
    audit(night / "images", other, *CUT)
    assert vectors(other) == vectors(night / "run")
    for name in ("assignments", "outliers"):
        assert by_key(other, name) == by_key(night / "run", name)
    assert again(night).idle
    with pytest.raises(ConfigError, match="--refit: no vectors of this run are fitted"):
        again(night, "embed.normalise=l2", refit=True)
    assert again(night).idle


def test_another_geometry_embeds_nothing_anew(night: Path):
    summary = again(night, "embed.normalise=whiten:4")
    assert "embed" not in ran(summary) and "fit" in ran(summary) and "normalise" in ran(summary)
    assert len(vectors(night / "run")["00.png"]) == 4
    summary = again(night, "embed.normalise=l2")
    assert not {"fit", "normalise"} & ran(summary).keys()
    assert not list((night / "run").glob("apart/*.npy")) and not (night / "run/geometry.npz").exists()


def test_what_is_lost_is_made_again_with_the_same_bytes(night: Path):
    expected, was = results(night / "run"), (night / "run/geometry.npz").read_bytes()
    draw(night / "images", range(20, 24))
    again(night)
    (night / "run/geometry.npz").unlink()
    again(night)
    assert (night / "run/geometry.npz").read_bytes() == was
    for name in range(20, 24):
        (night / f"images/{name}.png").unlink()
    again(night)
    for name in ("assignments", "outliers"):
        assert results(night / "run")[name] == expected[name]


def test_status_says_on_how_many_rows(night: Path, capsys):
    def said() -> str:
        with pytest.raises(SystemExit):
            app(["status", str(night / "run")])
        return capsys.readouterr().out

    assert "Vectors of lite0-centre-6 were fitted on 20 rows\n" in said()
    again(night, "embed.normalise=centre:64")
    assert "lite0-centre-64 were fitted on 20 rows, fewer than its 64 axes: --refit" in said()
    again(night, "embed.normalise=l2")
    assert "fitted on" not in said()


def test_a_lost_sample_is_no_reason_to_begin_anew(night: Path):
    (night / "run/source/sampled.npz").unlink()
    with pytest.raises(FolderDamagedError, match=r"has lost source/sampled\.npz.*--refit"):
        again(night)
    assert again(night, refit=True).exit_code == 0


def test_batches_and_workers_do_not_matter(begun: Path, tmp_path: Path):
    for at, cut in enumerate((("run.batch_rows=100",), ("embed.batch_size=3", "workers.kind=local", "workers.n=2"))):
        audit(begun / "images", tmp_path / f"{at}", *CUT, *cut)
        assert vectors(tmp_path / f"{at}") == vectors(begun / "run")
        assert by_key(tmp_path / f"{at}", "assignments") == by_key(begun / "run", "assignments")
