"""Two views of every image: copies by one descriptor, what is shown by another."""

import json
from pathlib import Path

import numpy as np
import pytest
import zarr

from pixsieve import Config, ConfigError, files, run
from pixsieve.descriptors import BUILT_IN
from pixsieve.descriptors import network as of_network
from pixsieve.descriptors.descriptor import Descriptor, Embedder
from pixsieve.folder.measure import Measure
from pixsieve.folder.run_folder import Run
from tests.pipeline.descriptors import difference
from tests.pipeline.helpers import TABLES, audit, by_key, pattern, ran, results, save

CUT = ("run.batch_rows=8", "run.block_rows=16", "cluster.min_samples=3", "outliers.neighbours=4")
MODEL = ("embed.model=shown",)


def colours(batch: np.ndarray) -> np.ndarray:
    """(n, 3) mean colours, from their middle, at length 1: all that this model knows of a picture."""
    mean = batch.reshape(len(batch), -1, 3).mean(axis=1) - 100
    return (mean / np.linalg.norm(mean, axis=1, keepdims=True)).astype(np.float16)


@pytest.fixture(autouse=True)
def model(monkeypatch) -> list[int]:
    """A model that needs no torch. What is returned counts the images that went through it."""
    seen: list[int] = []

    def embed(batch: np.ndarray) -> np.ndarray:
        seen.append(len(batch))
        return colours(batch)

    def prepare(pixels: np.ndarray, luma: np.ndarray) -> np.ndarray:
        return pixels[:16, :16].astype(np.float32)

    shown = Descriptor(
        lambda embed_, backend: Measure(str(embed_.model), "cosine", "float16", 3, 0.95),
        lambda embed_, backend: Embedder(prepare, embed),
        lambda embed_: embed_.weights,
    )
    monkeypatch.setattr(of_network, "DESCRIPTOR", shown)
    return seen


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Twelve reddish and twelve bluish pictures without anything in common but that, one green one, three copies."""
    rng = np.random.default_rng(0)
    tints = [np.array([90, -40, -40])] * 12 + [np.array([-40, -40, 90])] * 12 + [np.array([-60, 120, -60])]
    drawn = [np.clip(pattern(rng) * 0.3 + 100 + tint, 0, 255).astype(np.uint8) for tint in tints]
    for at, pixels in enumerate(drawn):
        save(tmp_path / f"images/{at:02}.png", pixels)
    for at in (0, 5, 14):
        save(tmp_path / f"images/{at:02} copy.bmp", np.clip(drawn[at] + 4.0, 0, 255).astype(np.uint8))
    (tmp_path / "images/broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    return tmp_path / "images"


def test_each_finds_what_it_knows(images: Path, tmp_path: Path):
    out = tmp_path / "run"
    assert audit(images, out, *CUT, *MODEL).exit_code == 0
    groups = [row["key"] for row in by_key(out, "duplicates")]
    assert sorted(groups) == ["00 copy.bmp", "00.png", "05 copy.bmp", "05.png", "14 copy.bmp", "14.png"]
    cluster = {row["key"]: row["cluster"] for row in by_key(out, "assignments")}
    assert len({cluster[f"{at:02}.png"] for at in range(12)}) == 1
    assert len({cluster[f"{at:02}.png"] for at in range(12, 24)}) == 1
    assert cluster["00.png"] != cluster["12.png"] and cluster["24.png"] == cluster["broken.png"] == -1
    stores = zarr.open_group(out / "embeddings.zarr")
    assert stores["dct"]["vectors"].shape[1] == 63 and stores["shown"]["vectors"].shape[1] == 3


def test_as_two_runs_of_one_view_each(images: Path, tmp_path: Path):
    """What copies are found by is not seen by what is shown, and the other way round."""
    audit(images, tmp_path / "both", *CUT, *MODEL)
    audit(images, tmp_path / "copies", *CUT)
    audit(images, tmp_path / "model", *CUT, *MODEL, "embed.copies=model")
    both, copies, model = (results(tmp_path / name) for name in ("both", "copies", "model"))
    assert both["duplicates"] == copies["duplicates"] != model["duplicates"]
    assert both["better"] == copies["better"]
    assert both["assignments"] == model["assignments"] != copies["assignments"]
    assert both["clusters"] == model["clusters"]


@pytest.mark.parametrize("part", ["duplicates", "cluster", "outliers", "mislabels"])
def test_each_part_may_be_asked_by_the_other_view(images: Path, tmp_path: Path, part: str):
    other = "model" if part == "duplicates" else "copies"
    audit(images, tmp_path / "asked", *CUT, *MODEL, f"{part}.by={other}", "mislabels.find=always")
    alone = (*MODEL, "embed.copies=model") if other == "model" else ()
    audit(images, tmp_path / "alone", *CUT, *alone, "mislabels.find=always")
    table = {"cluster": "assignments"}.get(part, part)
    asked, expected = (by_key(tmp_path / name, table) for name in ("asked", "alone"))
    if part in ("outliers", "mislabels"):  # which also depend on clusters and copies
        asked, expected = ([(row["key"], row["related"]) for row in rows] for rows in (asked, expected))
    assert asked == expected


def test_a_change_of_one_leaves_the_other_as_it_is(images: Path, tmp_path: Path, model: list[int], monkeypatch):
    def written(name: str) -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in (out / "embeddings.zarr" / name).rglob("c/*/*")}

    out = tmp_path / "run"
    audit(images, out, *CUT, *MODEL)
    assert sum(model) == 28
    before = written("dct")
    done = ran(audit(images, out, *CUT, "embed.model=other"))
    assert done["embed"] == 4 and done["pairs"] == len(list((out / "pairs").glob("*.model.links.npz")))
    assert "verify" not in done and "duplicates" not in done
    assert before == written("dct") and sum(model) == 56

    model.clear()
    before = written("other")
    monkeypatch.setitem(BUILT_IN, "difference", difference.DESCRIPTOR)
    done = ran(audit(images, out, *CUT, "embed.model=other", "embed.copies=difference"))
    assert done["embed"] == 4 and done["pairs"] == len(list((out / "pairs").glob("*.links.npz"))) / 2
    assert "cluster" not in done and "match" not in done
    assert before == written("other") and not model


def test_a_harmed_shard_is_made_again(images: Path, tmp_path: Path, model: list[int]):
    out = tmp_path / "run"
    audit(images, out, *CUT, *MODEL)
    was, tables = (out / "embeddings.zarr/dct/vectors/c/0/0").read_bytes(), results(out)
    (out / "embeddings.zarr/dct/vectors/c/0/0").unlink()
    (out / "embeddings.zarr/shown/vectors/c/1/0").unlink()
    model.clear()
    assert audit(images, out, *CUT, *MODEL).exit_code == 0
    assert (out / "embeddings.zarr/dct/vectors/c/0/0").read_bytes() == was and results(out) == tables
    assert sum(model) == 8  # of the batch that has lost them; the other batch has lost those of the copies only


@pytest.mark.parametrize("cut", [("run.batch_rows=5", "run.block_rows=5"), ("run.batch_rows=100",)])
def test_whatever_the_batches(images: Path, tmp_path: Path, cut: tuple[str, ...]):
    audit(images, tmp_path / "one", *CUT, *MODEL)
    audit(images, tmp_path / "other", *CUT, *MODEL, *cut, "embed.batch_size=3")
    for name in set(TABLES) - {"clusters"}:
        assert by_key(tmp_path / "one", name) == by_key(tmp_path / "other", name), name


def test_a_night_is_equal_to_a_fresh_run(images: Path, tmp_path: Path, model: list[int]):
    audit(images, tmp_path / "run", *CUT, *MODEL)
    rng = np.random.default_rng(1)
    for at in range(30, 34):
        save(images / f"{at}.png", pattern(rng))
    (images / "03.png").unlink()
    model.clear()
    audit(images, tmp_path / "run", *CUT, *MODEL)
    assert sum(model) == 4
    audit(images, tmp_path / "fresh", *CUT, *MODEL)
    for name in TABLES:
        assert by_key(tmp_path / "run", name) == by_key(tmp_path / "fresh", name), name


def test_a_run_of_one_view_gets_a_second(images: Path, tmp_path: Path):
    audit(images, tmp_path / "run", *CUT)
    pairs = {path.name for path in (tmp_path / "run/pairs").iterdir()}
    assert audit(images, tmp_path / "run", *CUT, *MODEL).exit_code == 0
    audit(images, tmp_path / "fresh", *CUT, *MODEL)
    assert results(tmp_path / "run") == results(tmp_path / "fresh")
    audit(images, tmp_path / "run", *CUT)
    audit(images, tmp_path / "one", *CUT)
    assert results(tmp_path / "run") == results(tmp_path / "one")
    assert pairs == {path.name for path in (tmp_path / "run/pairs").iterdir()}


def test_a_run_of_a_former_version_goes_on_as_it_was(images: Path, tmp_path: Path):
    """Its configuration says embed.descriptor, whose place the model took."""
    out = tmp_path / "run"
    audit(images, out, *CUT, *MODEL, "embed.copies=model")
    text = (out / "config.yaml").read_text()
    assert "copies: model" in text
    (out / "config.yaml").write_text(text.replace("copies: model", "descriptor: dct"))
    former = json.loads((out / "measure.json").read_text())
    former["made_of"] = ["dct", *former["made_of"]]
    (out / "measure.json").write_text(json.dumps(former))
    assert not Run.open(out).views.apart
    config = Config.load(out)
    assert config.embed.copies == "model" and not ran(run(config))


def test_what_cannot_be(images: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match=r"embed\.copies is model, but embed\.model is not given"):
        audit(images, tmp_path / "run", "embed.copies=model")
    with pytest.raises(ConfigError, match=r"embed\.copies: there is no 'dtc'; nearest known: dct"):
        audit(images, tmp_path / "run", "embed.copies=dtc")
    audit(images, tmp_path / "run", *CUT, *MODEL, until="scan")
    with pytest.raises(ValueError, match="seen by none"):
        Run.open(tmp_path / "run").measure  # noqa: B018
    assert files.read_json(tmp_path / "run/measure.json")["model"]["measure"]["name"] == "shown"


def exif(camera: str, second: int) -> bytes:
    from PIL import Image

    tags = Image.Exif()
    tags[0x0110] = camera
    tags.get_ifd(0x8769)[0x9003] = f"2026:11:28 10:00:{second:02}"
    return tags.tobytes()


def alike(out: Path) -> dict[str, tuple[str, str]]:
    return {row["key"]: (row["kind"], row["related"]) for row in by_key(out, "lookalikes")}


def shots(folder: Path) -> Path:
    """Five tints, three pictures of each that have nothing in common but that, one of them copied."""
    import io

    from PIL import Image

    rng = np.random.default_rng(1)
    for number, tint in enumerate(([90, -40, -40], [-40, -40, 90], [-60, 120, -60], [90, 90, -60], [-60, 60, 60])):
        for shot in range(3):
            pixels = np.clip(pattern(rng) * 0.3 + 100 + tint, 0, 255).astype(np.uint8)
            sink = io.BytesIO()
            camera = "other" if number == 1 and shot == 2 else "one"
            Image.fromarray(pixels).save(
                sink, "PNG", exif=exif(camera, 20 * number % 60 + (4 * shot if number < 2 else 0))
            )
            (folder / f"{number}{shot}.png").parent.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}{shot}.png").write_bytes(sink.getvalue())
            if number == 2 and shot == 0:
                save(folder / "20 copy.bmp", np.clip(pixels + 4.0, 0, 255).astype(np.uint8))
    return folder


def test_look_alikes_are_no_copies(tmp_path: Path):
    out = tmp_path / "run"
    own = ("duplicates.look_alike=0.98", "duplicates.burst_s=5")
    audit(shots(tmp_path / "images"), out, *CUT, *MODEL, *own)
    found = alike(out)
    assert {row["key"] for row in by_key(out, "duplicates")} == {"20.png", "20 copy.bmp"}
    (back,) = [row["key"] for row in by_key(out, "duplicates") if not row["keep"]]
    assert back not in found and back not in {other for _, other in found.values()}
    sharp = {row["key"]: row["sharpness"] for row in by_key(out, "images")}
    best = max(("00.png", "01.png", "02.png"), key=sharp.get)
    assert {key: found[key] for key in ("00.png", "01.png", "02.png") if key != best} == dict.fromkeys(
        {"00.png", "01.png", "02.png"} - {best}, ("burst", best)
    )
    assert best not in found
    assert found["12.png"][0] == "look_alike" and found["12.png"][1] in ("10.png", "11.png")  # another camera
    kinds = [kind for key, (kind, _) in found.items() if key[0] in "234"]
    assert len(kinds) == 6  # all at one second of one camera
    findings = [row for row in by_key(out, "findings") if row["kind"] in ("look_alike", "burst")]
    assert len(findings) == len(found) and {row["level"] for row in findings} == {"potential"}
    assert json.loads((out / "report/report.json").read_text())["look_alikes"] == {
        kind: sum(one == kind for one, _ in found.values()) for kind in ("look_alike", "burst")
    }
    assert "Look-alikes" in (out / "report/index.html").read_text()
    done = ran(audit(tmp_path / "images", out, *CUT, *MODEL, "duplicates.look_alike=0.98", "duplicates.burst_s=0"))
    assert set(done) <= {"lookalikes", "findings", "report"}


def test_times_of_the_metadata_take_the_place_of_exif(tmp_path: Path):
    images, out = shots(tmp_path / "images"), tmp_path / "run"
    keys = [path.name for path in images.iterdir()]
    lines = [f"{key},2026-11-28T{10 + int(key[0])}:0{key[1]}:00,x" for key in keys]
    (tmp_path / "m.csv").write_text("key,time,camera\n" + "\n".join(lines) + "\n")
    own = ("duplicates.look_alike=0.98", f"source.metadata={tmp_path / 'm.csv'}")
    audit(images, out, *CUT, *MODEL, *own)
    assert {kind for kind, _ in alike(out).values()} == {"look_alike"}
    done = ran(audit(images, out, *CUT, *MODEL, *own, "duplicates.burst_s=60"))
    assert {kind for key, (kind, _) in alike(out).items() if key[0] != "1"} == {"burst"} and "embed" not in done


def test_what_the_metadata_leave_open_exif_says(tmp_path: Path):
    images, out = shots(tmp_path / "images"), tmp_path / "run"
    (tmp_path / "m.csv").write_text("key,time,camera\n00.png,rubbish,\n40.png,2026-11-28T10:00:20,third\n")
    own = ("duplicates.look_alike=0.98", "duplicates.burst_s=5")
    audit(images, tmp_path / "exif", *CUT, *MODEL, *own)
    audit(images, out, *CUT, *MODEL, *own, f"source.metadata={tmp_path / 'm.csv'}")
    found = alike(out)
    assert {key: found[key] for key in found if key[0] != "4"} == {
        key: one for key, one in alike(tmp_path / "exif").items() if key[0] != "4"
    }
    assert found.get("40.png", ("look_alike",))[0] == "look_alike"  # of another camera now


def test_no_cut_changes_the_look_alikes(tmp_path: Path):
    own = ("duplicates.look_alike=0.98", "outliers.neighbours=4", *MODEL)
    images = shots(tmp_path / "images")
    audit(images, tmp_path / "one", *own)
    for batch in (3, 7):
        audit(images, tmp_path / f"{batch}", *own, f"run.batch_rows={batch}", f"run.block_rows={2 * batch}")
        assert by_key(tmp_path / f"{batch}", "lookalikes") == by_key(tmp_path / "one", "lookalikes")


def test_one_view_has_none(tmp_path: Path):
    audit(shots(tmp_path / "images"), tmp_path / "run", *CUT)
    assert alike(tmp_path / "run") == {}


def test_what_the_model_says_nothing_of_is_told(tmp_path: Path, monkeypatch):
    shown = of_network.DESCRIPTOR

    def load(embed_, backend):
        own = shown.load(embed_, backend)

        def embed(batch: np.ndarray) -> np.ndarray:
            rows = own.embed(batch)
            rows[batch.reshape(len(batch), -1).min(axis=1) > 250] = 0  # as networks give where NaN came out
            return rows

        return Embedder(own.prepare, embed)

    monkeypatch.setattr(of_network, "DESCRIPTOR", Descriptor(shown.measure, load, shown.made_of))
    images, out = shots(tmp_path / "images"), tmp_path / "run"
    save(images / "white.png", np.full((40, 40, 3), 255, np.uint8))
    (images / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    assert audit(images, out, *CUT, *MODEL).exit_code == 0
    told = [row["key"] for row in by_key(out, "findings") if row["kind"] == "featureless"]
    assert told == ["white.png"]
    assert json.loads((out / "report/report.json").read_text())["featureless"] == 1
    row = {row["key"]: row for row in by_key(out, "assignments")}["white.png"]
    assert row["cluster"] == -1 and len(by_key(out, "outliers")) == len(list(images.iterdir()))
    # Kept when the copies alone are embedded anew; and without a model nobody has features.
    (out / "embeddings.zarr/dct/vectors/c/0/0").unlink()
    audit(images, out, *CUT, *MODEL)
    assert [row["key"] for row in by_key(out, "findings") if row["kind"] == "featureless"] == told
    audit(images, out, *CUT, "embed.model=null")
    assert not [row for row in by_key(out, "findings") if row["kind"] == "featureless"]
