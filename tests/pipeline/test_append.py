"""Adding, changing and removing files, each time followed by a run: equal to a fresh run, with no unit too many."""

import subprocess
from itertools import combinations_with_replacement, takewhile
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from pixsieve import ConfigError, Summary, files
from pixsieve.folder.manifest import Manifest, cut
from pixsieve.folder.run_folder import Run
from pixsieve.images.status import USABLE
from tests.pipeline.helpers import audit, by_key, pattern, ran, results, save
from tests.pipeline.test_resume import command

SETTINGS = (
    "run.batch_rows=6",
    "run.block_rows=12",
    "cluster.similarity=0.9",
    "cluster.min_samples=3",
    "duplicates.similarity=0.95",
    "outliers.neighbours=3",
)


def picture(rng: np.random.Generator, families: list[np.ndarray]) -> np.ndarray:
    """One of a family of similar images, or a copy of its first member, or something else."""
    kind = rng.random()
    if kind < 0.2:
        return pattern(rng)
    base = families[rng.integers(len(families))]
    if kind < 0.35:
        return base
    noisy = base.astype(float) + rng.normal(size=base.shape) * rng.uniform(5, 45)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def change(rng: np.random.Generator, folder: Path, families: list[np.ndarray]) -> None:
    existing = sorted(folder.glob("*"))
    for path in existing:
        what = rng.random()
        if what < 0.12:
            path.unlink()
        elif what < 0.18:
            save(path, picture(rng, families))
        elif what < 0.2:
            path.write_bytes(b"no longer an image")
    for number in range(int(rng.integers(0, 14))):
        save(folder / f"{rng.integers(10_000):04}{number}.png", picture(rng, families))


def same_blocks(before: Manifest, after: Manifest) -> int:
    """How many blocks are as they were: those before the first that is not."""
    parts = ([[one.batches[b] for b in block] for block in one.blocks] for one in (before, after))
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*parts, strict=False)))


def expected_pair_units(out: Path, old_blocks: int) -> int:
    """How many pair units have to run: those with a new or grown block, and those in which a row that has died since
    was core among the rows that the unit had seen, or next to a core. By brute force, from the stored vectors."""
    manifest = Manifest.load(out)
    dead = set(manifest.dead.tolist())
    expected = 0
    for a, b in combinations_with_replacement(range(len(manifest.blocks)), 2):
        if b >= old_blocks:
            expected += 1
            continue
        left_out = set(files.read_arrays(out / f"pairs/{a:05}-{b:05}.links.npz")["left_out"].tolist())
        vectors, rows, side = [], [], []
        for block in {a, b}:
            batches = manifest.blocks[block]
            x, status, _ = Run.open(out).store.read(batches)
            for at in np.flatnonzero(np.isin(status, USABLE) & x.any(axis=1)):
                if (row := int(at) + batches[0] * 6) not in left_out:
                    vectors.append(x[at].astype(float))
                    rows.append(row)
                    side.append(block)
        if not rows:
            continue
        x, side_ = np.array(vectors), np.array(side)
        norm = (x * x).sum(1)
        near = x @ x.T / np.sqrt(np.outer(norm, norm)) >= 0.9
        if a != b:  # inside a block such a unit knows the copies of a row only
            same = (x[:, None] == x[None]).all(axis=2)
            near &= (side_[:, None] != side_) | same
        core = near.sum(1) >= 3
        touched = core | (near & core).any(axis=1)
        expected += any(hit and row in dead for hit, row in zip(touched, rows, strict=True))
    return expected


def embedded(summary: Summary) -> int:
    """How many rows were embedded, not taken over."""
    stage = summary.stage("embed")
    return stage.done if stage.ran else 0


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (0, 2, 3))])
def test_every_night_equals_a_fresh_run(tmp_path: Path, seed: int):
    rng = np.random.default_rng(seed)
    families = [pattern(rng) for _ in range(4)]
    folder, out = tmp_path / "images", tmp_path / "run"
    folder.mkdir()
    for number in range(int(rng.integers(1, 40))):
        save(folder / f"{number:04}.png", picture(rng, families))
    audit(folder, out, *SETTINGS)
    for night in range(5):
        before = Manifest.load(out)
        change(rng, folder, families)
        # The scan alone first: what the pair units will have to do depends on what it finds.
        audit(folder, out, *SETTINGS, until="scan")
        after = Manifest.load(out)
        expected = expected_pair_units(out, same_blocks(before, after))
        summary = audit(folder, out, *SETTINGS)
        assert summary.exit_code == 0
        new = len({*after.batches} - {*before.batches})
        done = ran(summary)
        assert (done.get("embed", 0), done.get("cluster", 0)) == (new, new)
        assert done.get("pairs", 0) == expected
        assert (after.rows - before.rows) == embedded(summary)

        fresh = tmp_path / f"fresh{night}"
        audit(folder, fresh, *SETTINGS)
        for name in ("assignments", "clusters", "duplicates", "better", "outliers", "mislabels", "findings", "images"):
            assert by_key(out, name) == by_key(fresh, name), (night, name)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [4, 5, 6])
def test_nights_that_are_killed_equal_a_fresh_run(tmp_path: Path, seed: int):
    """Ten nights of changes and of kill -9 at any moment; some are not gone on with before the next ones."""
    rng = np.random.default_rng(seed)
    families = [pattern(rng) for _ in range(4)]
    folder, out = tmp_path / "images", tmp_path / "run"
    folder.mkdir()
    kills = 0
    for number in range(30):
        save(folder / f"{number:04}.png", picture(rng, families))
    for night in range(10):
        for _ in range(int(rng.integers(0, 3))):
            change(rng, folder, families)
            process = subprocess.Popen(command(folder, out, *SETTINGS), stderr=subprocess.DEVNULL)
            try:
                process.wait(float(rng.uniform(1.5, 3.5)))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                kills += 1
        change(rng, folder, families)
        audit(folder, out, *SETTINGS)
        fresh = tmp_path / f"fresh{night}"
        audit(folder, fresh, *SETTINGS)
        for name in ("assignments", "clusters", "duplicates", "better", "outliers", "mislabels", "findings", "images"):
            assert by_key(out, name) == by_key(fresh, name), (night, name)
    assert kills > 2


def test_every_night_of_an_hdbscan_equals_a_fresh_run(tmp_path: Path):
    """Old pairs of blocks are not joined again, but for the dead; what the new rows bring nearer is."""
    rng = np.random.default_rng(1)
    families = [pattern(rng) for _ in range(4)]
    folder, out = tmp_path / "images", tmp_path / "run"
    for number in range(40):
        save(folder / f"{number:04}.png", picture(rng, families))
    options = (*SETTINGS, "cluster.method=hdbscan", "cluster.min_cluster_size=4")
    audit(folder, out, *options)
    for night in range(3):
        known = Manifest.load(out)
        change(rng, folder, families)
        done = ran(audit(folder, out, *options))
        before, blocks = same_blocks(known, Manifest.load(out)), len(Manifest.load(out).blocks)
        assert done.get("pairs", 0) == blocks * (blocks + 1) // 2 - before * (before + 1) // 2
        audit(folder, tmp_path / f"fresh{night}", *options)
        for name in ("assignments", "clusters", "duplicates", "better", "outliers", "mislabels", "findings", "images"):
            assert by_key(out, name) == by_key(tmp_path / f"fresh{night}", name), (night, name)
    assert max(row["cluster"] for row in by_key(out, "assignments")) > 0


@settings(deadline=None)
@given(rows=st.lists(st.integers(1, 40), min_size=1, max_size=30), size=st.integers(1, 9), per_block=st.integers(1, 9))
def test_few_blocks_of_any_history(rows: list[int], size: int, per_block: int):
    """A cut depends on the number of rows alone; all batches are in it, in order; few blocks are short."""
    n = 0
    for new in rows:
        n += new
        whole, batches = n // size, -(-n // size)
        blocks = cut(batches, whole, per_block)
        assert [batch for block in blocks for batch in block] == list(range(batches))
        assert max(map(len, blocks)) <= per_block
        assert whole == batches or blocks[-1] == (batches - 1,)
        short = sum(len(block) < per_block for block in blocks)
        assert short <= per_block.bit_length() + 1


def test_a_row_a_night_makes_no_more_files_than_the_first(tmp_path: Path):
    """And no row is read twice, as long as its night has ended; the vectors of one that has not are made again."""
    rng = np.random.default_rng(0)
    folder, out = tmp_path / "images", tmp_path / "run"
    options = ("run.batch_rows=8", "run.block_rows=16", "cluster.min_samples=2")
    for number in range(3):
        save(folder / f"{number:03}.png", pattern(rng))
    audit(folder, out, *options)
    files_of, units_of = [], []
    for number in range(3, 45):
        save(folder / f"{number:03}.png", pattern(rng))
        if number % 9 == 4:  # a night that ends with the scan
            audit(folder, out, *options, until="scan")
            continue
        summary = audit(folder, out, *options)
        assert embedded(summary) == 1 + (number % 9 == 5)
        files_of.append(sum(path.is_file() for path in out.rglob("*")))
        units_of.append(sum(stage.units for stage in summary.stages))
    blocks = [cut(-(-n // 8), n // 8, 2) for n in range(4, 46) if (n - 1) % 9 != 4]
    for numbers in (files_of, units_of):  # the same each time that the rows are cut into as many
        assert len({*zip(blocks, numbers, strict=True)}) == len({*blocks}) == 7
    audit(folder, tmp_path / "fresh", *options)
    assert results(out) == results(tmp_path / "fresh")
    shards = "embeddings.zarr/dct/vectors/c"
    for path in filter(Path.is_file, (out / shards).rglob("*")):
        assert path.read_bytes() == (tmp_path / "fresh" / path.relative_to(out)).read_bytes()


def test_removing_noise_reruns_no_pair_unit(tmp_path: Path):
    rng = np.random.default_rng(0)
    for number in range(30):
        save(tmp_path / f"images/{number:02}.png", pattern(rng))
    audit(tmp_path / "images", tmp_path / "run", *SETTINGS)
    (tmp_path / "images/07.png").unlink()
    done = ran(audit(tmp_path / "images", tmp_path / "run", *SETTINGS))
    assert done == {"scan": 1, "labels": 1, "match": 1, "duplicates": 1, "outliers": 1, "findings": 1, "report": 1}


def test_a_data_set_can_move(tmp_path: Path):
    rng = np.random.default_rng(0)
    for number in range(10):
        save(tmp_path / f"images/{number}.png", pattern(rng))
    audit(tmp_path / "images", tmp_path / "run", *SETTINGS)
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match=r"run is the run of .*images, not of .*elsewhere.*--out.*--moved"):
        audit(tmp_path / "elsewhere", tmp_path / "run", *SETTINGS)
    done = ran(audit(tmp_path / "elsewhere", tmp_path / "run", *SETTINGS, moved=True))
    assert done == {"report": 1}
    assert ran(audit(tmp_path / "elsewhere", tmp_path / "run", *SETTINGS)) == {}


def test_a_run_inside_the_source_is_no_source(tmp_path: Path):
    save(tmp_path / "images/a.png", pattern(np.random.default_rng(0)))
    out = tmp_path / "images/run"
    audit(tmp_path / "images", out)
    assert audit(tmp_path / "images", out).idle
    assert len(by_key(out, "assignments")) == 1
