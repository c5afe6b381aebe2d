"""pixsieve tune: what the command says is what a run then finds, and nothing but RUN/tune/ is written."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from typer.testing import CliRunner

from pixsieve.cli.app import app
from pixsieve.folder.run_folder import Run
from pixsieve.tune import tuning, words
from tests.pipeline.helpers import audit
from tests.pipeline.tune.test_curves import planted


def embedded(folder: Path, x: np.ndarray, *more: str, until: str | None = "embed") -> Path:
    np.save(folder / "vectors.npy", x)
    audit(folder / "vectors.npy", folder / "run", "run.batch_rows=100", *more, until=until)
    return folder / "run"


def called(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["tune", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_the_command_and_what_a_run_then_finds(tmp_path: Path):
    x, _ = planted(7, groups=10, size=25, alone=60)
    run = embedded(tmp_path, x)
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    code, output = called(run)
    assert code == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    written = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file() and path not in before}
    assert written == {"tune/index.html", "tune/tune.json"}

    said = json.loads((run / "tune/tune.json").read_text())
    found = said["suggestion"]
    assert (said["rows"], said["usable"], said["min_samples_used"], said["reason"]) == (310, 310, 5, "")
    assert f"cluster.similarity={found['value']}" in output and "suggested" in output
    assert said["command"].endswith(f"--set cluster.similarity={found['value']}")
    assert f"Page: {run / 'tune/index.html'}" in output
    audit(tmp_path / "vectors.npy", run, "run.batch_rows=100", f"cluster.similarity={found['value']}")
    labels = pq.read_table(run / "assignments.parquet")["cluster"].to_numpy()
    assert found["noise"] == (labels < 0).sum()
    assert found["clusters"] == labels.max() + 1 == 10
    assert found["largest"] == np.bincount(labels[labels >= 0]).max()


def test_the_page_stands_alone(tmp_path: Path):
    run = embedded(tmp_path, planted(8, groups=10, size=25, alone=60)[0])
    assert called(run)[0] == 0
    page = (run / "tune/index.html").read_text()
    assert page.count("<svg") == 4 and page.count("<polyline") == 4 and page.count('class="mark"') == 4
    assert not re.search(r"https?:|src=|@import|url\(", page)
    assert "prefers-color-scheme: dark" in page
    assert not re.search(r'points="[^"]*(nan|inf)', page)


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.eye(1, 8), "fewer rows (1) than min_samples (5)"),
        (np.eye(2, 8), "fewer rows (2) than min_samples (5)"),
        (np.zeros((3, 8)), "there are no rows to compare"),
        (np.full((3, 8), np.nan), "there are no rows to compare"),
        (np.ones((40, 8)), "all rows are alike"),
        (np.eye(40), "at no similarity above 0"),
        (np.random.default_rng(9).normal(size=(300, 32)), "no groups that stand apart"),
    ],
)
def test_it_says_so_when_there_is_nothing_to_suggest(tmp_path: Path, x: np.ndarray, said: str):
    run = embedded(tmp_path, x.astype(np.float32))
    code, output = called(run)
    assert code == 0
    assert "No similarity to suggest" in output and said in " ".join(output.split())
    assert "Take it" not in output
    written = json.loads((run / "tune/tune.json").read_text())
    assert written["suggestion"] is None and said in written["reason"]
    assert said in (run / "tune/index.html").read_text()


def test_min_samples_of_the_command(tmp_path: Path):
    x, _ = planted(10, groups=30, size=3, alone=60)
    run = embedded(tmp_path, x)
    assert "No similarity to suggest" in called(run)[1]
    code, output = called(run, "--min-samples", 3)
    assert code == 0 and re.search(r"--set cluster\.similarity=\S+ --set cluster\.min_samples=3", output)


def test_with_min_samples_1_there_is_no_k_distance(tmp_path: Path):
    run = embedded(tmp_path, planted(10, groups=30, size=3, alone=60)[0])
    code, output = called(run, "--min-samples", 1)
    assert code == 0 and "nearest other row" not in output
    assert (run / "tune/index.html").read_text().count("<svg") == 3
    assert json.loads((run / "tune/tune.json").read_text())["suggestion"]["noise"] == 0


def test_a_run_by_hdbscan_is_told_of_dbscan(tmp_path: Path):
    x, _ = planted(11, groups=10, size=25, alone=60)
    run = embedded(tmp_path, x, "cluster.method=hdbscan", "match.mode=off")
    assert "--set cluster.method=dbscan" in called(run)[1]


def test_a_run_folder_that_was_moved(tmp_path: Path):
    run = embedded(tmp_path, planted(12, groups=10, size=25, alone=60)[0])
    run.rename(tmp_path / "moved there")
    assert f"--out '{tmp_path / 'moved there'}'" in called(tmp_path / "moved there")[1]


def test_wrong_use(tmp_path: Path):
    assert called(tmp_path / "none") == (
        2,
        f"pixsieve: {tmp_path / 'none'} is not a run folder: it has no config.yaml\n",
    )
    run = embedded(tmp_path, planted(13, groups=10, size=25, alone=0)[0], until="scan")
    code, output = called(run)
    assert code == 2 and f"pixsieve run {run / 'config.yaml'} --until embed" in output and "3 of 3 batches" in output
    assert not (run / "tune").exists()
    audit(tmp_path / "vectors.npy", run, "run.batch_rows=100", until="embed")
    assert called(run)[0] == 0
    for wrong in (["--min-samples", 0], ["--min-samples", 257], ["--rows", 0]):
        code, output = called(run, *wrong)
        assert code == 2 and wrong[0] in output
    (run / "embeddings.zarr/vectors/vectors/c/1/0").unlink()
    code, output = called(run)
    assert code == 2 and "1 of 3 batches" in output


def test_what_another_descriptor_embedded_does_not_count(tmp_path: Path):
    run = embedded(tmp_path, planted(17, groups=10, size=25, alone=0)[0])
    measure = json.loads((run / "measure.json").read_text())
    measure["measure"]["name"] = "dct"
    (run / "measure.json").write_text(json.dumps(measure))
    assert Run.open(run).measure.name == "dct"
    code, output = called(run)
    assert code == 2 and "3 of 3 batches" in output


def test_a_sample_says_that_it_is_one(tmp_path: Path):
    run = embedded(tmp_path, planted(15, groups=5, size=150, alone=50)[0])
    code, output = called(run, "--rows", 400)
    said = json.loads((run / "tune/tune.json").read_text())
    assert code == 0 and (said["rows"], said["usable"], said["min_samples"], said["min_samples_used"]) == (
        400,
        800,
        5,
        3,
    )
    words = " ".join(output.split())
    assert "A sample" in words and "400 of 800 rows" in words and "min_samples is 3 here for 5" in words
    assert "min_samples is 3 here" in (run / "tune/index.html").read_text()
    assert said["suggestion"]["clusters"] == 5
    assert "--set cluster.min_samples" not in output


def test_a_terminal_that_knows_no_blocks(tmp_path: Path):
    found = tuning.tune(Run.open(embedded(tmp_path, planted(16, groups=10, size=25, alone=60)[0])))
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding="ascii") as stream:
        words.show(found, Console(file=stream, width=80))
        stream.flush()
        assert raw.getvalue().isascii() and b"#####" in raw.getvalue()


def test_the_plot():
    values = [1.0] * 100 + [0.0] * 101
    lines = list(words.plot(values, 0.5, words.PLAIN))
    assert len(lines) == words.HEIGHT + 1
    assert all(len(line.split("|")[1]) == words.WIDTH for line in lines[:-1])
    assert lines[0].split("|")[1].count("#") == 32 and lines[words.HEIGHT - 1].split("|")[1] == "#" * words.WIDTH
    assert [line for line in lines if "<- 0.5" in line] == [lines[4]]
    assert lines[0].startswith("  1.000 |")
    assert list(words.plot([1.0, 1.0], None, words.BLOCKS))[words.HEIGHT - 1].count("█") == words.WIDTH


@pytest.mark.parametrize(
    ("n", "ending"), [(1, "st"), (2, "nd"), (3, "rd"), (4, "th"), (11, "th"), (22, "nd"), (113, "th")]
)
def test_ordinals(n: int, ending: str):
    assert words._ending(n) == ending


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e4])
def test_distances_are_suggested_for_points(tmp_path: Path, unit: float):
    """The same as for the same rows in another unit, and what a run then finds."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(8, 6))[rng.integers(8, size=240)] * 3, 20 * rng.normal(size=(20, 6))])
    x = unit * (5 + x + 0.2 * rng.normal(size=x.shape))
    run = embedded(tmp_path, x, "embed.metric=euclidean", f"cluster.eps={unit}")
    code, output = called(run)
    said = json.loads((run / "tune/tune.json").read_text())
    found, eps = said["suggestion"], said["suggestion"]["value"]
    assert code == 0 and f"Suggested: cluster.eps={eps!r}" in output and "distance" in output
    assert 0.5 * unit < eps < 6 * unit and found["clusters"] == 8
    assert len(f"{eps:.15g}".replace(".", "").strip("0")) <= 2
    assert said["k_distance"] == sorted(said["k_distance"]) and said["table"]["value"][0] == 0
    assert said["table"]["noise"] == sorted(said["table"]["noise"], reverse=True)
    assert said["command"].endswith(f"--set cluster.eps={eps!r}")
    page = (run / "tune/index.html").read_text()
    assert page.count("<svg") == 4 and page.count('class="mark"') == 4 and "suggested cluster.eps" in page
    audit(tmp_path / "vectors.npy", run, "run.batch_rows=100", "embed.metric=euclidean", f"cluster.eps={eps!r}")
    labels = pq.read_table(run / "assignments.parquet")["cluster"].to_numpy()
    assert found["noise"] == (labels < 0).sum() and labels.max() + 1 == 8


def test_points_without_groups_have_no_distance_to_suggest(tmp_path: Path):
    x = np.random.default_rng(0).normal(size=(200, 8))
    for at, rows in enumerate((x, np.ones((20, 4)), x[:3])):
        (tmp_path / str(at)).mkdir()
        run = embedded(tmp_path / str(at), rows, "embed.metric=euclidean", "cluster.eps=1")
        code, output = called(run)
        assert code == 0 and "No distance to suggest" in output
