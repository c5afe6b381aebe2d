"""pixsieve tune: the curves are DBSCAN's at every similarity, the suggestion finds planted groups, and nothing but
RUN/tune/ is written."""

import io
import json
import re
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from rich.console import Console
from sklearn.cluster import DBSCAN
from sklearn.metrics import adjusted_rand_score
from typer.testing import CliRunner

import kernels
from pipeline.cli import app
from pipeline.folder import Run
from pipeline.tune import curves as at
from pipeline.tune import tuning, words
from pipeline.tune.suggestion import CLEAR, SEVERAL, STEADY, Suggestion, plateau, suggest
from tests.kernels import brute
from tests.pipeline.helpers import audit, unit_rows


def planted(seed: int, *, groups: int, size: int, alone: int, d: int = 64, like: float = 0.8):
    """Unit rows (n, d) float16: groups of a similarity of about `like`, and rows alone; and their labels."""
    rng = np.random.default_rng(seed)
    x = np.repeat(rng.normal(size=(groups, d)), size, axis=0)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    x = np.sqrt(like) * x + np.sqrt((1 - like) / d) * rng.normal(size=x.shape)
    x = np.concatenate([x, rng.normal(size=(alone, d))])
    y = np.concatenate([np.repeat(np.arange(groups), size), np.full(alone, -1)])
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float16), y


def check(x: np.ndarray, min_samples: int, similarities: np.ndarray) -> None:
    """All curves at these similarities against one DBSCAN at each."""
    curves = at.measure(x, min_samples)
    length = 1 - similarities
    noise, clusters, largest = (function(curves, length) for function in (at.noise, at.clusters, at.largest))
    effective = at.effective(curves, length)
    for place, similarity in enumerate(similarities.tolist()):
        labels, core = kernels.dbscan([x], threshold=similarity, min_samples=min_samples)
        np.testing.assert_array_equal(at.labels(curves, length[place]), labels)
        sizes = np.bincount(labels[labels >= 0], minlength=1)
        found = noise[place], clusters[place], largest[place]
        assert found == ((labels < 0).sum(), labels.max(initial=-1) + 1, sizes.max())
        share = np.bincount(labels[core], minlength=1) / max(core.sum(), 1)
        np.testing.assert_allclose(effective[place], 1 / (share**2).sum() if core.any() else np.nan)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 60),
    d=st.integers(2, 8),
    min_samples=st.integers(1, 8),
    dtype=st.sampled_from(["float16", "float32", "float64"]),
)
def test_the_curves_are_dbscan_at_every_similarity(seed, n, d, min_samples, dtype):
    """With copies, and at the very similarities of pairs."""
    rng = np.random.default_rng(seed)
    x = brute.rows(rng, n, d, "cosine", dtype)
    x = x[x.any(axis=1)]
    exactly = np.unique(brute.closeness(x, x, "cosine"))
    check(x, min_samples, np.concatenate([rng.permutation(exactly)[:15], rng.uniform(-1, 1, 5), [1.0, -1.0]]))


@pytest.mark.parametrize("min_samples", [1, 2, 5, 40])
def test_many_rows(min_samples: int):
    """Above the kernels' simple tree, with a fifth of the rows copies."""
    rng = np.random.default_rng(1)
    x = unit_rows(rng, 1500, 12, 0.4, copies=300).astype(np.float16)
    check(x, min_samples, np.concatenate([rng.uniform(0.3, 1, 12), [1.0]]))


def test_scikit_learn_agrees():
    x, _ = planted(2, groups=20, size=12, alone=100, d=16)
    length = np.clip(1 - brute.closeness(x, x, "cosine"), 0, None)
    curves = at.measure(x, 4)
    for similarity in np.linspace(0.05, 0.99, 25):
        model = DBSCAN(eps=1 - similarity, min_samples=4, metric="precomputed").fit(length)
        eps = np.array([1 - similarity])
        assert at.noise(curves, eps)[0] == (model.labels_ < 0).sum()
        assert at.clusters(curves, eps)[0] == model.labels_.max() + 1
        assert adjusted_rand_score(at.labels(curves, 1 - similarity)[model.core_sample_indices_],
                                   model.labels_[model.core_sample_indices_]) == 1  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
def test_the_plateau_is_the_widest(seed: int):
    """Against all ranges, one by one."""
    rng = np.random.default_rng(seed)
    curves = at.measure(unit_rows(rng, int(rng.integers(2, 90)), 8, 0.4, copies=5), int(rng.integers(1, 5)))
    length = np.unique(np.concatenate([curves.core, curves.lengths]))
    length = length[length < 1]
    number, end = at.effective(curves, length), np.append(length, 1.0)
    widest = 0.0
    for first in range(len(length)):
        for last in range(first, len(length)):
            inside = number[first : last + 1]
            if inside.min() >= SEVERAL and inside.max() <= STEADY * inside.min():
                widest = max(widest, end[last + 1] - end[first])
    found = plateau(curves)
    assert widest == (0.0 if found is None else found[1] - found[0])


@pytest.mark.parametrize("seed", range(8))
def test_settled(seed: int):
    rng = np.random.default_rng(seed)
    curves = at.measure(unit_rows(rng, 80, 6, 0.5, copies=5), 3)
    every = np.unique(np.concatenate([curves.joins, curves.lengths]))

    def one(length: float) -> bool:
        core = at.labels(curves, length)[curves.core <= length]
        return at.noise(curves, np.array([length]))[0] <= 8 and np.bincount(core).max() >= 0.9 * len(core)

    first = next(length for length in every.tolist() if (curves.core <= length).any() and one(length))
    assert at.settled(curves, 0.9) == first


@pytest.mark.parametrize(
    ("given", "min_samples"),
    [
        ({"groups": 8, "size": 60, "alone": 0}, 5),
        ({"groups": 8, "size": 60, "alone": 200}, 5),
        ({"groups": 60, "size": 6, "alone": 100, "d": 128}, 3),
        ({"groups": 40, "size": 2, "alone": 800, "like": 0.97}, 2),
        ({"groups": 12, "size": 40, "alone": 60, "like": 0.5, "d": 256}, 5),
    ],
)
def test_planted_groups_are_found(given: dict, min_samples: int):
    x, truth = planted(3, **given)
    curves = at.measure(x, min_samples)
    found = suggest(curves)
    assert isinstance(found, Suggestion) and found.least < found.similarity < found.most
    labels, _ = kernels.dbscan([x], threshold=found.similarity, min_samples=min_samples)
    assert adjusted_rand_score(truth, labels) > 0.99
    assert found.clusters == labels.max() + 1 == given["groups"]
    assert (found.noise, found.largest) == ((labels < 0).sum(), np.bincount(labels[labels >= 0]).max())
    assert len(repr(found.similarity)) <= len("0.77")


def test_groups_close_to_each_other_get_the_digits_they_need():
    rng = np.random.default_rng(4)
    x = 1 + 1e-3 * rng.normal(size=(6, 32)).repeat(20, axis=0) + 2e-5 * rng.normal(size=(120, 32))
    found = suggest(at.measure(x, 5))
    assert isinstance(found, Suggestion) and found.clusters == 6 and found.noise == 0
    assert 0.99999 < found.similarity < 1


def test_copies_alone_are_groups():
    x = np.random.default_rng(5).normal(size=(50, 32)).repeat([1, 3] * 25, axis=0)
    found = suggest(at.measure(x, 2))
    assert isinstance(found, Suggestion) and (found.clusters, found.noise, found.largest) == (25, 25, 3)
    assert found.most == 1


@pytest.mark.parametrize(
    ("x", "min_samples", "said"),
    [
        (np.empty((0, 4)), 5, "no rows"),
        (np.eye(1, 4), 5, r"fewer rows \(1\) than min_samples \(5\)"),
        (np.eye(2, 4), 5, r"fewer rows \(2\) than min_samples \(5\)"),
        (np.eye(1, 4), 1, "all rows are alike"),
        (np.eye(2, 4), 2, "at no similarity above 0"),
        (np.ones((30, 4)), 5, "all rows are alike"),
        (np.eye(40), 5, "at no similarity above 0"),
        (np.random.default_rng(6).normal(size=(600, 32)), 5, "no groups that stand apart"),
    ],
)
def test_there_may_be_nothing_to_suggest(x: np.ndarray, min_samples: int, said: str):
    found = suggest(at.measure(x, min_samples))
    assert isinstance(found, str) and re.search(said, found)


def test_a_range_is_a_plateau_or_not():
    low, high = plateau(at.measure(np.random.default_rng(6).normal(size=(600, 32)), 5))
    assert high < CLEAR * low
    low, high = plateau(at.measure(planted(6, groups=6, size=30, alone=30)[0], 5))
    assert high > CLEAR * low


@pytest.mark.gpu
def test_rows_on_a_gpu():
    import cupy

    x = unit_rows(np.random.default_rng(1), 1500, 12, 0.4, copies=300).astype(np.float16)
    there, here = at.measure(cupy.asarray(x), 5), at.measure(x, 5)
    for name in ("core", "joins", "lengths", "pairs", "biggest", "near", "through"):
        np.testing.assert_array_equal(getattr(there, name), getattr(here, name))


@pytest.mark.parametrize("min_samples", [0, 257])
def test_wrong_min_samples(min_samples: int):
    with pytest.raises(ValueError, match="1 to 256"):
        at.measure(np.eye(3), min_samples)


# -- the command -----------------------------------------------------------------------------------------------------


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
    assert f"cluster.similarity={found['similarity']}" in output and "suggested" in output
    assert said["command"].endswith(f"--set cluster.similarity={found['similarity']}")
    assert f"Page: {run / 'tune/index.html'}" in output
    audit(tmp_path / "vectors.npy", run, "run.batch_rows=100", f"cluster.similarity={found['similarity']}")
    labels = pq.read_table(run / "labels.parquet")["cluster"].to_numpy()
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


# -- which rows ------------------------------------------------------------------------------------------------------


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


# -- what is drawn ---------------------------------------------------------------------------------------------------


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
