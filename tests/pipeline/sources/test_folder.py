"""Which files of a folder are rows."""

import json
from pathlib import Path

import numpy as np

from pixsieve import Config
from pixsieve.sources import folder
from tests.pipeline.helpers import pattern as drawn
from tests.pipeline.helpers import save

PIXELS = drawn(np.random.default_rng(0))


def test_patterns(tmp_path: Path):
    for name in ("a.png", "a.txt", "b/c.png", "b/d/e.png", "b/d/f.jpg", "b/[x].png"):
        save(tmp_path / "images" / name, PIXELS) if name.endswith("png") else (tmp_path / "images" / name).touch()

    def keys(pattern: str | list[str]) -> list[str]:
        config = Config.load(tmp_path / "images", settings=[f"source.pattern={json.dumps(pattern)}"])
        return folder.listing(config.source, tmp_path / "run").rows["key"].to_pylist()

    every = ["a.png", "a.txt", "b/[x].png", "b/c.png", "b/d/e.png"]
    every += ["b/d/f.jpg"]
    assert keys("**/*") == keys("**") == every
    assert keys("**/*.png") == ["a.png", "b/[x].png", "b/c.png", "b/d/e.png"]
    assert keys("*.png") == ["a.png"]
    assert keys("b/*/?.jpg") == keys("b/**/?.{jpg,gif}") == ["b/d/f.jpg"]
    assert keys("**/[ac].*") == ["a.png", "a.txt", "b/c.png"]
    assert keys("**/\\[x\\].png") == ["b/[x].png"]
    assert keys(["**/*.png", "!b/d/**"]) == ["a.png", "b/[x].png", "b/c.png"]
    assert keys("!**/*.png") == ["a.txt", "b/d/f.jpg"]
    assert keys("**/!(a|c).png") == ["b/[x].png", "b/d/e.png"]


def test_names_of_one_file_are_told(tmp_path: Path):
    save(tmp_path / "images/b/m.png", PIXELS)
    save(tmp_path / "images/b/n.png", PIXELS)
    (tmp_path / "images/a.png").symlink_to("b/m.png")
    (tmp_path / "images/c").symlink_to("b")
    (tmp_path / "images/d.png").hardlink_to(tmp_path / "images/b/m.png")
    (tmp_path / "images/e.png").symlink_to("nowhere")
    listed = folder.listing(Config.load(tmp_path / "images").source, tmp_path / "run").rows.to_pylist()
    assert {row["key"]: (row["file"], row["symbolic"]) for row in listed} == {
        "a.png": (0, True),
        "b/m.png": (0, False),
        "b/n.png": (2, False),
        "c/m.png": (0, True),
        "c/n.png": (2, True),
        "d.png": (0, False),
        "e.png": (None, True),
    }
