"""Links and the file that they lead to are one file: whoever removes what is to be removed keeps every picture."""

import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixsieve.rules.links import stand_in
from tests.pipeline.helpers import audit, by_key, pattern, ran, save

FILES = st.lists(
    st.tuples(st.sampled_from([-1, 0, 1, 2]), st.integers(0, 1), st.booleans()), max_size=8
)  # file, content, symbolic


@given(FILES, st.randoms())
def test_the_best_name_that_is_no_symbolic_link_stands_for_all(rows, random):
    rank = list(range(len(rows)))
    random.shuffle(rank)
    columns = (np.array(column) for column in (zip(*rows, strict=True) if rows else ([], [], [])))
    file, content, symbolic = (column.astype(kind) for column, kind in zip(columns, (int, int, bool), strict=True))
    for at, own in enumerate(stand_in(file, content, symbolic, np.array(rank, np.int64)).tolist()):
        alike = [b for b, row in enumerate(rows) if row[:2] == rows[at][:2]] if file[at] >= 0 else [at]
        assert own == min(alike, key=lambda b: (symbolic[b], rank[b]))


def removed(out: Path) -> list[str]:
    return [row["key"] for row in by_key(out, "duplicates") if not row["keep"]]


def remove(folder: Path, keys: list[str]) -> None:
    for key in keys:
        (folder / key).unlink(missing_ok=True)  # what lies in a linked folder may be gone


def dangling(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_symlink() and not path.exists()]


def found(out: Path) -> dict[str, tuple[str, str | None]]:
    kinds = ("linked", "exact", "pixels", "near")
    return {row["key"]: (row["kind"], row["related"]) for row in by_key(out, "findings") if row["kind"] in kinds}


def test_a_link_is_never_kept_for_its_file_nor_removed_for_it(tmp_path: Path):
    source, rng = tmp_path / "images", np.random.default_rng(0)
    save(source / "m.png", pattern(rng))
    (source / "a.png").symlink_to("m.png")
    os.link(source / "m.png", source / "z.png")
    (source / "in/deep").mkdir(parents=True)
    (source / "in/deep/b.png").symlink_to("../../a.png")
    audit(source, tmp_path / "run")
    rows = {row["key"]: row for row in by_key(tmp_path / "run", "duplicates")}
    assert {key: row["kind"] for key, row in rows.items()} == {
        "a.png": "linked",
        "in/deep/b.png": "linked",
        "m.png": "kept",
        "z.png": "linked",
    }
    assert all(row["keep"] for row in rows.values()) and not by_key(tmp_path / "run", "better")
    assert found(tmp_path / "run") == dict.fromkeys(rows.keys() - {"m.png"}, ("linked", "m.png"))


def test_of_a_copy_all_names_go_and_of_the_kept_one_none(tmp_path: Path):
    source, picture = tmp_path / "images", pattern(np.random.default_rng(0), 80)
    save(source / "large.png", picture)
    (source / "a.png").symlink_to("large.png")
    save(source / "small.png", picture[::2, ::2])
    (source / "b.png").symlink_to("small.png")
    save(source / "small.bmp", picture[::2, ::2])
    audit(source, tmp_path / "run", "duplicates.similarity=0.8")
    assert removed(tmp_path / "run") == ["b.png", "small.bmp", "small.png"]
    kinds = {"small.png": ("near", "large.png"), "small.bmp": ("near", "large.png")}
    assert found(tmp_path / "run") == kinds | {"a.png": ("linked", "large.png"), "b.png": ("linked", "small.png")}
    best = {row["key"]: row["related"] for row in by_key(tmp_path / "run", "better")}
    assert best["b.png"] == best["small.png"] != "b.png" and "a.png" not in best
    remove(source, removed(tmp_path / "run"))
    assert not dangling(source) and sorted(path.name for path in source.iterdir()) == ["a.png", "large.png"]


def test_a_link_out_of_the_source_is_the_row_of_its_picture_and_stands_back_for_a_file_like_it(tmp_path: Path):
    source, rng = tmp_path / "images", np.random.default_rng(0)
    for name in ("x.png", "y.png"):
        save(tmp_path / "outside" / name, pattern(rng))
        source.mkdir(exist_ok=True)
        (source / name).symlink_to(tmp_path / "outside" / name)
    (source / "y2.png").symlink_to(tmp_path / "outside/y.png")
    shutil.copy(tmp_path / "outside/x.png", source / "z.png")
    audit(source, tmp_path / "run")
    assert found(tmp_path / "run") == {"x.png": ("exact", "z.png"), "y2.png": ("linked", "y.png")}
    assert removed(tmp_path / "run") == ["x.png"]


def test_a_linked_folder_holds_the_same_files(tmp_path: Path):
    source, rng = tmp_path / "images", np.random.default_rng(0)
    for number in range(3):
        save(source / f"train/{number}.png", pattern(rng))
    (source / "all").symlink_to("train")
    audit(source, tmp_path / "run", "source.split=folder", "duplicates.prefer=[all]")
    assert removed(tmp_path / "run") == []
    assert found(tmp_path / "run") == {f"all/{n}.png": ("linked", f"train/{n}.png") for n in range(3)}
    assert all(row["leakage"] for row in by_key(tmp_path / "run", "duplicates"))


def test_a_link_that_comes_later_is_seen_though_the_data_set_has_moved(tmp_path: Path):
    source = tmp_path / "images"
    save(source / "m.png", pattern(np.random.default_rng(0)))
    audit(source, tmp_path / "run")
    assert not (tmp_path / "run/source/links.parquet").exists()
    shutil.copytree(source, tmp_path / "moved")
    shutil.rmtree(source)
    (tmp_path / "moved/a.png").symlink_to("m.png")
    audit(tmp_path / "moved", tmp_path / "run", moved=True)
    assert found(tmp_path / "run") == {"a.png": ("linked", "m.png")}
    before = (tmp_path / "moved/m.png").stat()
    (tmp_path / "moved/a.png").unlink()
    shutil.copy2(tmp_path / "moved/m.png", tmp_path / "moved/a.png")
    assert (tmp_path / "moved/a.png").stat().st_mtime_ns == before.st_mtime_ns  # nothing new, but for the link
    again = {"duplicates": 1, "outliers": 1, "findings": 1, "report": 1}
    assert ran(audit(tmp_path / "moved", tmp_path / "run")) == again
    assert found(tmp_path / "run") == {"m.png": ("exact", "a.png")}


def test_files_that_a_file_system_does_not_tell_apart_are_told_apart_by_their_bytes(tmp_path: Path, monkeypatch):
    rng = np.random.default_rng(0)
    for name in "abc":
        save(tmp_path / f"images/{name}.png", pattern(rng))
    from pixsieve.sources import folder

    rows = folder.rows_of
    monkeypatch.setattr(folder, "rows_of", lambda *given: [row._replace(file=(1, 1)) for row in rows(*given)])
    audit(tmp_path / "images", tmp_path / "run")
    assert pq.read_table(tmp_path / "run/source/links.parquet").num_rows == 3
    assert by_key(tmp_path / "run", "duplicates") == []


NAME = st.sampled_from(["a", "b", "c", "d", "e", "f"])
STEP = st.tuples(st.sampled_from(["new", "copy", "half", "symbolic", "hard", "folder"]), NAME, NAME)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.lists(STEP, min_size=2, max_size=9), st.integers(0, 3))
def test_no_picture_is_lost_whatever_is_linked(tmp_path_factory, steps, seed):
    folder = tmp_path_factory.mktemp("links")
    source, rng = folder / "images", np.random.default_rng(seed)
    save(source / "z/z.png", pattern(rng, 64))
    picture = {source / "z/z.png": 0}  # of each file
    for at, (what, one, two) in enumerate(steps):
        there = sorted(path for path in source.rglob("*.*") if path.exists())
        of, target = there[ord(two) % len(there)], source / one / f"{two}{at}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        if what == "new":
            save(target, pattern(rng, 64))
        elif what == "copy":
            shutil.copy(of, target)
        elif what == "half":
            save(target, cv2.imread(str(of))[::2, ::2, ::-1])
        elif what == "symbolic":
            target.symlink_to(of)
        elif what == "hard":
            os.link(of.resolve(), target)
        elif not (source / f"to_{two}").exists() and (source / two).exists():
            (source / f"to_{two}").symlink_to(two)
        if target.exists():
            picture[target] = at + 1 if what == "new" else picture[of.parent.resolve() / of.name]
    audit(source, folder / "run", "duplicates.similarity=0.8", until="duplicates")
    remove(source, removed(folder / "run"))
    assert not dangling(source)
    assert {picture[path] for path in picture if path.exists()} == {*picture.values()}
