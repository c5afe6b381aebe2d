"""Near pairs of images, verified: look-alikes are none, turned copies are some; and what has to be done again."""

import json
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from pixsieve import ConfigError
from pixsieve.images.symmetries import SYMMETRIES, inverse, turned
from tests.pipeline.descriptors.test_structure import cropped, scene
from tests.pipeline.helpers import audit, by_key, pattern, ran, save

AFTER = {"duplicates", "outliers", "findings", "report"}


def drawn(folder: Path, turns: tuple[int, ...]) -> None:
    """A scene with a crop and turned copies, other scenes, and boxes on white that are all alike to the descriptor."""
    rng = np.random.default_rng(0)
    for number in range(6):
        grey(folder / f"scene{number}.png", scene(rng))
    picture = scene(np.random.default_rng(0))
    grey(folder / "small.png", cv2.resize(cropped(picture, 0.05), (128, 128), interpolation=cv2.INTER_AREA))
    for symmetry in turns:
        grey(folder / f"turned{symmetry}.png", turned(picture, symmetry)[::2, ::2])
    for number in range(8):
        page = np.full((256, 256), 255, np.uint8)
        page[64:192, 64:192] = scene(rng, 128)
        grey(folder / f"box{number}.png", page)


def grey(path: Path, image: np.ndarray) -> None:
    save(path, np.repeat(image[:, :, None], 3, axis=2))


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("verify") / "images"
    drawn(folder, tuple(range(1, 8)))
    return folder


def groups(out: Path) -> list[set[str]]:
    found: dict[int, set[str]] = {}
    for row in by_key(out, "duplicates"):
        found.setdefault(row["group"], set()).add(row["key"])
    return sorted(found.values(), key=min)


def test_boxes_are_near_but_are_no_copies(images: Path, tmp_path: Path):
    summary = audit(images, tmp_path / "run")
    assert groups(tmp_path / "run") == [{"scene0.png", "small.png"}]
    assert summary.stage("pairs").counts["near"] >= 28  # all pairs of boxes
    assert summary.stage("verify").counts["verified"] == 1
    table = pq.read_table(tmp_path / "run/pairs/00000-00000.verified.parquet")
    assert table.column_names == ["i", "j", "similarity", "symmetry", "agreement"]


@pytest.mark.parametrize("cut", [("run.batch_rows=64",), ("run.batch_rows=4", "run.block_rows=8")])
def test_turned_copies(images: Path, tmp_path: Path, cut: tuple[str, ...]):
    audit(images, tmp_path / "run", "duplicates.symmetries=true", *cut)
    every = {"scene0.png", "small.png", *(f"turned{symmetry}.png" for symmetry in range(1, 8))}
    assert groups(tmp_path / "run") == [every]
    says = {row["key"]: row["turned"] for row in by_key(tmp_path / "run", "duplicates")}
    assert says["scene0.png"] == says["small.png"] == ""
    for symmetry in range(1, 8):
        assert says[f"turned{symmetry}.png"] == SYMMETRIES[inverse(symmetry)]  # what turns it into the kept one


def test_no_cut_into_batches_changes_a_byte(images: Path, tmp_path: Path):
    for name, cut in (("one", ["run.batch_rows=64"]), ("many", ["run.batch_rows=4", "run.block_rows=8"])):
        audit(images, tmp_path / name, "duplicates.symmetries=true", *cut)
    one, many = (by_key(tmp_path / name, "duplicates") for name in ("one", "many"))
    assert one == many


def test_a_higher_threshold_joins_nothing_again(images: Path, tmp_path: Path):
    cut = ("run.batch_rows=8", "run.block_rows=8")
    audit(images, tmp_path / "run", *cut)
    found = audit(images, tmp_path / "run", "duplicates.similarity=0.99", *cut)
    assert set(ran(found)) == AFTER
    assert groups(tmp_path / "run") == []
    audit(images, tmp_path / "fresh", "duplicates.similarity=0.99", *cut)
    assert by_key(tmp_path / "run", "duplicates") == by_key(tmp_path / "fresh", "duplicates")
    assert audit(images, tmp_path / "run", "duplicates.similarity=0.99", *cut).idle
    lower = audit(images, tmp_path / "run", "duplicates.similarity=0.6", *cut)
    assert "pairs" in ran(lower)
    turned = audit(images, tmp_path / "run", "duplicates.similarity=0.6", "duplicates.symmetries=true", *cut)
    assert "verify" in ran(turned) and "pairs" not in ran(turned)
    higher = audit(images, tmp_path / "run", "duplicates.similarity=0.8", "duplicates.symmetries=true", *cut)
    assert {"duplicates"} <= set(ran(higher)) <= AFTER
    audit(images, tmp_path / "turned", "duplicates.similarity=0.8", "duplicates.symmetries=true", *cut)
    assert by_key(tmp_path / "run", "duplicates") == by_key(tmp_path / "turned", "duplicates")


def test_what_was_cut_short_does_not_serve(images: Path, tmp_path: Path):
    few = "duplicates.max_pairs=5"
    audit(images, tmp_path / "run", few)
    again = audit(images, tmp_path / "run", few, "duplicates.similarity=0.99")
    assert "pairs" in ran(again)


def test_the_best_of_the_better_ones(images: Path, tmp_path: Path):
    audit(images, tmp_path / "run")
    table = pq.read_table(tmp_path / "run/better.parquet").to_pylist()
    keys = {row["row"]: row["key"] for row in pq.read_table(tmp_path / "run/images.parquet").to_pylist()}
    assert [(keys[row["row"]], keys[row["related"]]) for row in table] == [("small.png", "scene0.png")]
    assert 0.7 <= table[0]["similarity"] < 1


def test_the_spacing_of_the_cluster_decides_when_asked(images: Path, tmp_path: Path):
    audit(images, tmp_path / "run", "duplicates.adaptive=0")
    assert groups(tmp_path / "run") == []
    found = audit(images, tmp_path / "run", "duplicates.adaptive=10")
    assert groups(tmp_path / "run") == [{"scene0.png", "small.png"}]
    assert set(ran(found)) == AFTER


def test_only_dct_knows_turned_copies(tmp_path: Path):
    np.save(tmp_path / "x.npy", np.eye(3, dtype=np.float32))
    with pytest.raises(ConfigError, match="rows of given vectors cannot be turned"):
        audit(tmp_path / "x.npy", tmp_path / "run", "duplicates.symmetries=true")
    save(tmp_path / "images/a.png", pattern(np.random.default_rng(0)))
    turned = ("duplicates.symmetries=true", "embed.model=resnet18")
    with pytest.raises(ConfigError, match="rows of resnet18 cannot be turned"):
        audit(tmp_path / "images", tmp_path / "other", *turned, "embed.copies=model")
    with pytest.raises(ConfigError, match="rows of resnet18 cannot be turned"):
        audit(tmp_path / "images", tmp_path / "other", *turned, "duplicates.by=model")


def same(source: Path, tmp_path: Path, before: tuple[str, ...], after: tuple[str, ...]) -> None:
    """A run that was made with other settings first gives what a fresh run gives."""
    audit(source, tmp_path / "run", *before)
    audit(source, tmp_path / "run", *after)
    audit(source, tmp_path / "fresh", *after)
    for name in ("duplicates", "better", "findings"):
        assert by_key(tmp_path / "run", name) == by_key(tmp_path / "fresh", name), name


def test_a_turned_copy_that_agrees_as_it_is_stays_one_above(tmp_path: Path):
    """A picture that is nearly its own mirror image, and that mirror image: less similar as they are than turned."""
    rng = np.random.default_rng(0)
    whole, odd = scene(rng).astype(float), scene(rng).astype(float)
    picture = (0.85 * (whole + whole[:, ::-1]) / 2 + 0.15 * odd).astype(np.uint8)
    grey(tmp_path / "images/a.png", picture)
    grey(tmp_path / "images/b.png", np.ascontiguousarray(picture[:, ::-1]))
    both = "duplicates.symmetries=true"
    same(tmp_path / "images", tmp_path, (both,), (both, "duplicates.similarity=0.98"))
    assert {row["turned"] for row in by_key(tmp_path / "run", "duplicates")} == {"", "mirrored"}


def test_turned_pairs_cut_short_are_said_and_made_again(tmp_path: Path):
    """Three of a kind in one block and their mirror images in the other: three near pairs as they are in each, nine
    turned ones between them."""
    picture = scene(np.random.default_rng(0))
    for number in range(3):
        light = (picture * (1 - 0.02 * number)).astype(np.uint8)
        grey(tmp_path / f"images/a{number}.png", light)
        grey(tmp_path / f"images/b{number}.png", np.ascontiguousarray(light[:, ::-1]))
    asked = ("duplicates.symmetries=true", "run.batch_rows=3", "run.block_rows=3")
    summary = audit(tmp_path / "images", tmp_path / "run", *asked, "duplicates.max_pairs=3")
    assert summary.stage("pairs").counts["truncated"] == 0
    assert summary.stage("verify").counts["truncated"] == 1
    report = json.loads((tmp_path / "run/report/report.json").read_text())
    assert report["duplicates"]["units_with_pairs_dropped"] == 1
    assert "verify" in ran(audit(tmp_path / "images", tmp_path / "run", *asked))
    assert groups(tmp_path / "run") == [{f"{side}{number}.png" for side in "ab" for number in range(3)}]


def test_a_dead_row_gives_back_the_places_that_it_took(tmp_path: Path):
    rng = np.random.default_rng(0)
    x = (rng.normal(size=16) + 0.02 * rng.normal(size=(40, 16))).astype(np.float32)
    keys = np.array([f"{number:02}" for number in range(40)])
    asked = ("duplicates.similarity=0.7", "duplicates.max_pairs=300", "outliers.neighbours=2", "match.mode=off")
    np.savez(tmp_path / "x.npz", vectors=x, keys=keys)
    audit(tmp_path / "x.npz", tmp_path / "run", *asked)
    np.savez(tmp_path / "x.npz", vectors=x[3:], keys=keys[3:])
    audit(tmp_path / "x.npz", tmp_path / "run", *asked)
    audit(tmp_path / "x.npz", tmp_path / "fresh", *asked)
    assert by_key(tmp_path / "run", "duplicates") == by_key(tmp_path / "fresh", "duplicates")


@pytest.mark.parametrize("sensitivity", [0.5, 0.8, 1.0])
def test_adaptive_groups_do_not_depend_on_the_cut(tmp_path: Path, sensitivity: float):
    """Rows of the same direction but other lengths are equal vectors and other bytes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=24) + 0.12 * rng.normal(size=(30, 24)) * np.linspace(0.3, 1.6, 30)[:, None]
    np.save(tmp_path / "x.npy", np.concatenate([x, 2 * x[:12]]).astype(np.float32))
    asked = (f"duplicates.adaptive={sensitivity}", "cluster.similarity=0.5", "duplicates.similarity=0.7")
    audit(tmp_path / "x.npy", tmp_path / "one", *asked)
    audit(tmp_path / "x.npy", tmp_path / "cut", *asked, "run.batch_rows=10", "run.block_rows=10")
    assert groups(tmp_path / "one") == groups(tmp_path / "cut") != []


def test_equal_vectors_are_copies_in_one_block_and_in_two(tmp_path: Path):
    """Two nearly flat pictures with the same ranks: nothing to see, but the same to the descriptor."""
    rng = np.random.default_rng(3)
    dark = cv2.resize(rng.integers(0, 2, (8, 8)).astype(np.uint8), (128, 128), interpolation=cv2.INTER_NEAREST) + 10
    grey(tmp_path / "images/a.png", dark)
    for number in range(3):
        grey(tmp_path / f"images/b{number}.png", scene(rng, 128))
    grey(tmp_path / "images/c.png", np.repeat(np.repeat(dark, 2, 0), 2, 1))
    for name, cut in (("one", ()), ("cut", ("run.batch_rows=2", "run.block_rows=2"))):
        audit(tmp_path / "images", tmp_path / name, *cut)
        assert groups(tmp_path / name) == [{"a.png", "c.png"}]
