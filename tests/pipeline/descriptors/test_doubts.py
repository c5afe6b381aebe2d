"""What was done to a whole picture leaves no doubt; what has come or gone in it, or other colours, does."""

from pathlib import Path

import cv2
import hypothesis.strategies as st
import numpy as np
import pyarrow.parquet as pq
from hypothesis import given, settings

from pixsieve.descriptors.doubts import doubt
from pixsieve.images import colour
from pixsieve.images.luma import small
from pixsieve.images.statistics import luma, reduce
from pixsieve.images.symmetries import SYMMETRIES, turned
from tests.pipeline.helpers import audit, save

SEEDS = st.integers(0, 2**32 - 1)


def scene(rng: np.random.Generator) -> np.ndarray:
    """(240, 320, 3) uint8: shapes in colours on a ground that changes slowly, with a little noise."""
    ground = cv2.resize(rng.uniform(60, 200, (3, 4, 3)).astype(np.float32), (320, 240), interpolation=cv2.INTER_CUBIC)
    for _ in range(14):
        at, size = tuple(rng.integers(20, 220, 2).tolist()), int(rng.integers(8, 40))
        ink = tuple(rng.uniform(0, 255, 3).tolist())
        if rng.random() < 0.5:
            cv2.circle(ground, at, size, ink, -1, cv2.LINE_AA)
        else:
            cv2.rectangle(ground, at, (at[0] + 2 * size, at[1] + size), ink, -1)
    return np.clip(ground + rng.normal(0, 2, ground.shape), 0, 255).astype(np.uint8)


def doubted(a: np.ndarray, b: np.ndarray, symmetry: int = 0) -> str:
    lumas = (small(reduce(luma(one))) for one in (a, b))
    return doubt(*lumas, colour.chroma(a), colour.chroma(b), symmetry)


def with_animal(picture: np.ndarray, at: int) -> np.ndarray:
    out = picture.copy()
    cv2.ellipse(out, (60 + at, 150), (26, 14), 0, 0, 360, (20, 25, 30), -1, cv2.LINE_AA)
    cv2.circle(out, (84 + at, 136), 9, (230, 235, 220), -1, cv2.LINE_AA)
    return out


COPIES = {
    "jpeg": lambda p: cv2.imdecode(cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, 35])[1], cv2.IMREAD_COLOR),
    "half": lambda p: cv2.resize(p, (160, 120), interpolation=cv2.INTER_AREA),
    "brighter": lambda p: np.clip(p.astype(float) * 0.8 + 25, 0, 255).astype(np.uint8),
    "grey": lambda p: np.repeat(luma(p)[:, :, None], 3, axis=2),
    "crop": lambda p: np.ascontiguousarray(p[5:-6, 8:-7]),
}


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, kind=st.sampled_from(sorted(COPIES)))
def test_copies_are_not_doubted(seed: int, kind: str):
    picture = scene(np.random.default_rng(seed))
    assert doubted(picture, COPIES[kind](picture)) == ""
    assert doubted(COPIES[kind](picture), picture) == ""


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, symmetry=st.integers(0, len(SYMMETRIES) - 1))
def test_turned_copies_are_looked_at_as_they_are_turned(seed: int, symmetry: int):
    picture = scene(np.random.default_rng(seed))
    other = np.stack([turned(picture[:, :, channel], symmetry) for channel in range(3)], axis=2)
    assert doubted(picture, np.ascontiguousarray(other), symmetry) == ""


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_other_colours_of_one_lightness_are_doubted(seed: int):
    rng = np.random.default_rng(seed)
    grey = luma(scene(rng)).astype(np.float32) * 0.4 + 70
    shirts = []
    for cr, cb in ((60, -30), (-40, 60)):
        planes = np.dstack([grey, np.full_like(grey, 128 + cr), np.full_like(grey, 128 + cb)])
        shirts.append(cv2.cvtColor(np.clip(planes, 0, 255).astype(np.uint8), cv2.COLOR_YCrCb2RGB))
    assert doubted(*shirts) == "other colours"
    assert colour.apart(*(colour.chroma(one) for one in shirts)) > 2 * colour.APART


def still(rng: np.random.Generator) -> np.ndarray:
    """A meadow before a camera that does not move: little contrast."""
    ground = cv2.resize(rng.uniform(95, 125, (12, 16, 3)).astype(np.float32), (320, 240), interpolation=cv2.INTER_CUBIC)
    return np.clip(ground + rng.normal(0, 1, ground.shape), 0, 255).astype(np.uint8)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, at=st.integers(0, 160))
def test_what_has_come_or_gone_is_doubted(seed: int, at: int):
    empty = still(np.random.default_rng(seed))
    assert doubted(empty, with_animal(empty, at)).endswith("is another")


def test_colours_do_not_depend_on_the_order():
    rng = np.random.default_rng(0)
    a, b = rng.integers(-60, 60, (2, 8, 8, 2)).astype(np.int8)
    assert colour.apart(a, b) == colour.apart(b, a) > 0 == colour.apart(a, a)


def test_a_doubted_pair_is_potential_and_says_why(tmp_path: Path):
    rng = np.random.default_rng(0)
    for name in "abc":
        save(tmp_path / f"images/{name}.png", scene(rng))
    empty = still(rng)
    save(tmp_path / "images/still/0.png", empty)
    save(tmp_path / "images/still/1.png", with_animal(empty, 0))
    save(tmp_path / "images/still/2.jpg", COPIES["brighter"](empty))
    audit(tmp_path / "images", tmp_path / "run")
    found = {row["key"]: row for row in pq.read_table(tmp_path / "run/findings.parquet").to_pylist()}
    near = {key: row for key, row in found.items() if row["kind"] == "near"}
    doubts = {row["key"]: row["doubt"] for row in pq.read_table(tmp_path / "run/duplicates.parquet").to_pylist()}
    assert near.keys() == {"still/1.png", "still/2.jpg"}
    assert (near["still/2.jpg"]["level"], doubts["still/2.jpg"]) == ("certain", "")
    assert near["still/1.png"]["level"] == "potential" and doubts["still/1.png"] in near["still/1.png"]["reason"]
