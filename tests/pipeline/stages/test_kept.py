"""Which of the copies is kept, through a whole run."""

from pathlib import Path

import numpy as np
from PIL import Image

from pixsieve import demo
from tests.pipeline.helpers import audit, by_key
from tests.pipeline.images.test_detail import natural


def test_the_photo_is_kept_whatever_is_made_of_it(tmp_path: Path):
    images = tmp_path / "images"
    images.mkdir()
    Image.fromarray(natural(0)).save(images / "m.jpg", quality=88)
    photo = Image.open(images / "m.jpg")
    data = (images / "m.jpg").read_bytes()
    larger = photo.resize((700, 525), Image.Resampling.BICUBIC)
    larger.save(images / "a_large.png")
    larger.save(images / "b_large.jpg", quality=92)
    photo.save(images / "c.png")
    photo.save(images / "d.tif")
    photo.convert("CMYK").save(images / "e.tif")
    photo.convert("CMYK").save(images / "f.jpg", quality=97)
    photo.save(images / "g.jpg", quality=70)
    photo.resize((200, 150)).save(images / "h.jpg", quality=97)
    for name in ("k - copy.jpg", "Copy of m.jpg", "l (1).jpg"):
        (images / name).write_bytes(data)
    (images / "n.jpg").write_bytes(data + b"\xff\xd8\xff\xff" * 40)  # larger, and sound
    (images / "o.jpg").write_bytes(data[:20] + b"\xff\xfe\x00\x04ab" + b"\0" * 2000 + data[20:])
    audit(images, tmp_path / "run")
    rows = {row["key"]: row for row in by_key(tmp_path / "run", "duplicates")}
    assert set(rows) == {path.name for path in images.iterdir()}
    statuses = {row["key"]: row["status"] for row in by_key(tmp_path / "run", "images")}
    expected = {
        "a_large.png": "enlarged",
        "b_large.jpg": "enlarged",
        "c.png": "converted",
        "d.tif": "converted",
        "e.tif": "converted",
        "f.jpg": "converted",
        "o.jpg": "damaged",
    }
    assert {key: row["flaw"] for key, row in rows.items() if row["flaw"]} == expected
    assert statuses["o.jpg"] == "damaged" and statuses["n.jpg"] == "ok"
    assert [key for key, row in rows.items() if row["keep"]] == ["n.jpg"]
    (images / "n.jpg").unlink()
    audit(images, tmp_path / "run")
    assert [row["key"] for row in by_key(tmp_path / "run", "duplicates") if row["keep"]] == ["m.jpg"]


def test_a_lossless_picture_is_kept_rather_than_the_jpeg_of_it(tmp_path: Path):
    images = tmp_path / "images"
    images.mkdir()
    drawn = Image.fromarray(natural(1))
    for quality in (60, 95):
        drawn.save(images / f"a{quality}.jpg", quality=quality)
    drawn.save(images / "b.png")
    audit(images, tmp_path / "run")
    rows = by_key(tmp_path / "run", "duplicates")
    assert [(row["key"], row["keep"], row["flaw"]) for row in rows if row["keep"]] == [("b.png", True, "")]


def test_what_was_a_jpeg_is_kept_rather_than_a_stronger_compression(tmp_path: Path):
    images = tmp_path / "images"
    images.mkdir()
    Image.fromarray(natural(2)).save(tmp_path / "gone.jpg", quality=92)
    Image.open(tmp_path / "gone.jpg").save(images / "b.png")
    Image.open(tmp_path / "gone.jpg").save(images / "a.jpg", quality=40)
    audit(images, tmp_path / "run")
    assert [row["key"] for row in by_key(tmp_path / "run", "duplicates") if row["keep"]] == ["b.png"]


def test_in_the_demonstration_set_scenes_and_frames_are_kept(tmp_path: Path):
    planted = demo.draw(tmp_path / "images", scenes=40)
    audit(tmp_path / "images", tmp_path / "run")
    scenes = {one.key for one in planted if one.kind == "scene"} | {one.key for one in planted if "frame" in one.key}
    kept = {row["key"] for row in by_key(tmp_path / "run", "duplicates") if row["keep"]}
    assert len(kept) >= 20 and kept <= scenes


def test_given_vectors_have_no_flaws(tmp_path: Path):
    x = np.eye(4, dtype=np.float32)[[0, 0, 1, 1]]
    np.save(tmp_path / "x.npy", x)
    audit(tmp_path / "x.npy", tmp_path / "run")
    assert {row["flaw"] for row in by_key(tmp_path / "run", "duplicates")} == {""}
