"""What the page and the numbers say of findings: leakage, faults, label errors."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pixsieve.folder import finding_table
from pixsieve.rules.faults import KINDS
from tests.pipeline.helpers import audit, by_key, pattern, save


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """Four classes of like images, one of each in the wrong folder; copies in train and test; a black one, a broken
    one."""
    folder, rng = tmp_path_factory.mktemp("report"), np.random.default_rng(5)
    families = [pattern(rng, 96) for _ in range(4)]
    for family, picture in enumerate(families):
        for number in range(25):
            mixed = np.clip(picture * 0.6 + pattern(rng, 96) * 0.4, 0, 255).astype(np.uint8)
            label = (family + 1) % 4 if number == 3 else family
            save(folder / f"images/train/class{label}/{family}_{number:02}.png", mixed)
            if number == 0:
                save(folder / f"images/test/class{label}/copy{family}.bmp", mixed)
    save(folder / "images/train/class0/black.png", np.zeros((50, 50, 3), np.uint8))
    (folder / "images/train/class0/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "images/train/class0/black.png").rename(folder / "images/train/class0/black.jpg")
    audit(folder / "images", folder / "run", "mislabels.find=always", "duplicates.prefer=[test,train]")
    return folder / "run"


def listed(run: Path, *kinds: str) -> list[dict]:
    return [row for row in by_key(run, "findings") if row["kind"] in kinds]


def test_all_findings_have_one_form(run: Path):
    table = pq.read_table(run / "findings.parquet")
    assert table.schema == finding_table.FINDINGS
    assert {"label", "leakage", "pixels", "near", "dark", "flat", "unreadable"} <= set(table["kind"].to_pylist())
    assert set(table["level"].to_pylist()) <= {"potential", "certain", "outlier"}
    assert all(0 <= score <= 1 for score in table["score"].to_pylist())
    assert all(table["reason"].to_pylist())


def test_copies_in_two_splits_leak_both_ways(run: Path):
    found = {row["key"]: row for row in listed(run, "leakage")}
    group = {row["key"]: row["group"] for row in by_key(run, "duplicates")}
    for family in range(4):
        test, train = f"test/class{family}/copy{family}.bmp", f"train/class{family}/{family}_00.png"
        assert found[train]["related"] == test
        other = found[test]["related"]  # the best of its group in train: this copy, or another that is like it
        assert other.startswith("train/") and group[other] == group[test] == group[train]
        assert found[test]["reason"] == "in 'test', like a row in 'train'"
        assert found[train]["level"] == "certain" and found[train]["score"] == 1
        (copy,) = (row for row in listed(run, "pixels") if row["key"] == train)
        assert copy["related"] == test  # prefer keeps the one in test
        assert copy["reason"] == "equal pixels"


def test_wrong_folders_are_label_errors(run: Path):
    found = {row["key"]: row["level"] for row in listed(run, "label")}
    assert {f"train/class{(family + 1) % 4}/{family}_03.png" for family in range(4)} <= found.keys()
    assert len(found) <= 6


def test_images_has_a_column_for_every_score(run: Path):
    images = {row["key"]: row for row in by_key(run, "images")}
    assert {*KINDS, "unreadable", "damaged", "misnamed", "outlier", "duplicate", "label"} <= images[
        "train/class0/black.jpg"
    ].keys()
    scores = {(row["key"], row["kind"]): row["score"] for row in by_key(run, "findings")}
    for (key, kind), score in scores.items():
        if kind in (*KINDS, "unreadable", "outlier", "label"):
            assert images[key][kind] == score
    broken = images["train/class0/broken.png"]
    assert broken["unreadable"] == 1 and broken["dark"] is broken["outlier"] is broken["label"] is None
    best = {row["key"]: row["similarity"] for row in by_key(run, "better")}
    assert {key: row["duplicate"] for key, row in images.items() if row["duplicate"] is not None} == best


def test_a_misleading_name_is_said(run: Path):
    (found,) = listed(run, "misnamed")
    assert found["key"] == "train/class0/black.jpg" and found["reason"] == "PNG by its content"
    assert "<td>misnamed</td>" in (run / "report/index.html").read_text()


def test_the_numbers_and_the_page_say_the_same(run: Path):
    report = json.loads((run / "report/report.json").read_text())
    groups = {row["group"] for row in by_key(run, "duplicates") if row["leakage"]}
    assert report["leakage"]["groups"] == len(groups) >= 4
    for kind in KINDS:
        levels = [row["level"] for row in listed(run, kind)]
        assert report["faults"][kind] == {level: levels.count(level) for level in ("certain", "potential")}
    levels = [row["level"] for row in listed(run, "label")]
    assert report["mislabels"]["certain"] == levels.count("certain")
    assert report["mislabels"]["labelled"] == len(by_key(run, "mislabels"))
    page = (run / "report/index.html").read_text()
    for words in (
        "Leakage between splits",
        "Label errors",
        "class1 → <b>class0</b>",
        "<h3>dark: 1, and 0 potential</h3>",
    ):
        assert words in page


def test_without_splits_nothing_is_said_of_leakage(tmp_path: Path):
    save(tmp_path / "images/a.png", pattern(np.random.default_rng(0)))
    save(tmp_path / "images/b.png", pattern(np.random.default_rng(0)))
    audit(tmp_path / "images", tmp_path / "run")
    assert json.loads((tmp_path / "run/report/report.json").read_text())["leakage"] is None
    page = (tmp_path / "run/report/index.html").read_text()
    assert "Leakage" not in page and "Label errors" not in page
