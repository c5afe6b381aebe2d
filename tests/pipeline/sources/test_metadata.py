"""A table beside the source: what it may hold, what is wrong with one, and what runs again when it changes."""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixsieve import Config, ConfigError, PixsieveError
from pixsieve.config.sections import Source
from pixsieve.folder.run_folder import Run
from pixsieve.sources import metadata_file
from tests.pipeline.helpers import audit, by_key, pattern, ran, save

KEYS = [f"{folder}/{name}.png" for folder in ("cats/young", "dogs") for name in "abc"]


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    folder, rng = tmp_path_factory.mktemp("source") / "images", np.random.default_rng(0)
    for key in KEYS:
        save(folder / key, pattern(rng))
    save(folder / "top.png", pattern(rng))
    save(folder / "top2.png", pattern(np.random.default_rng(0)))
    return folder


def csv(path: Path, text: str) -> str:
    path.write_text(text)
    return f"source.metadata={path}"


def test_labels_and_splits(source: Path, tmp_path: Path):
    def of(*settings: str) -> dict[str, tuple]:
        audit(source, tmp_path / "run", *settings, until="labels")
        run = Run.open(tmp_path / "run")
        keys = run.manifest.all(["key"])["key"].to_pylist()
        rows = np.arange(len(keys))[::-1]
        labels, splits = (of(run.manifest, rows).to_pylist() for of in (run.metadata.labels, run.metadata.splits))
        return dict(zip(keys[::-1], zip(labels, splits, strict=True), strict=True))

    given_ = csv(tmp_path / "m.csv", "key,label,split,what,where\ndogs/a.png,01,x,3,\ntop.png,,y,,null\n")
    assert of("source.label=folder")["cats/young/a.png"] == ("young", None)
    assert of()["cats/young/a.png"] == (None, None)  # of the pictures too many are in no folder
    assert of()["top.png"] == (None, None)
    assert of(given_)["cats/young/a.png"] == (None, None)
    assert of(given_)["dogs/a.png"] == ("01", "x")
    assert of(given_)["top.png"] == (None, "y")
    assert of(given_, "source.label=folder", "source.split=folder")["cats/young/a.png"] == ("young", "cats")
    assert of(given_, "source.label=folder", "source.split=folder")["top.png"] == (None, None)
    assert of("source.split=folder")["dogs/b.png"] == (None, "dogs")
    assert of(given_, "source.label=none", "source.split=none")["dogs/a.png"] == (None, None)
    assert of(given_, "source.label=what", "source.split=where")["dogs/a.png"] == ("3", None)
    assert of(given_, "source.label=what", "source.split=where")["top.png"] == (None, "null")


COLUMNS = st.fixed_dictionaries(
    {},
    optional={
        "label": st.lists(st.one_of(st.none(), st.text("ab,\"'\n é01", min_size=1)), min_size=6, max_size=6),
        "number": st.lists(st.one_of(st.none(), st.integers(-(2**60), 2**60)), min_size=6, max_size=6),
        "split": st.lists(st.one_of(st.none(), st.sampled_from(["test", "train"])), min_size=6, max_size=6),
    },
)


@settings(deadline=None)
@given(COLUMNS, st.permutations(range(6)))
def test_rows_and_formats_do_not_matter(tmp_path_factory, columns, order):
    """CSV or Parquet, in any order of rows and columns, with categories or without: the same table and digests."""
    folder = tmp_path_factory.getbasetemp()
    table = pa.table({"key": pa.array(KEYS), **{n: pa.array(v, pa.int64() if n == "number" else pa.string())
                                                for n, v in columns.items()}})  # fmt: skip
    pq.write_table(table, folder / "m.parquet")
    first = metadata_file.read(Source(path="a", metadata=str(folder / "m.parquet")))
    assert first.to_pylist() == [dict(sorted(row.items())) | {"key": row["key"]} for row in table.to_pylist()]
    mixed = table.take(order).select([*reversed(table.column_names)])
    if "label" in columns:
        at = mixed.column_names.index("label")
        mixed = mixed.set_column(at, "label", mixed["label"].dictionary_encode())
    pq.write_table(mixed, folder / "m.parquet", row_group_size=2)
    assert metadata_file.read(Source(path="a", metadata=str(folder / "m.parquet"))).equals(first, check_metadata=True)
    if any(v is not None for v in columns.get("number", [1])):  # else nothing says that these are numbers
        pa.csv.write_csv(table.take(order), folder / "m.csv")
        assert metadata_file.read(Source(path="a", metadata=str(folder / "m.csv"))).equals(first, check_metadata=True)


@pytest.mark.parametrize(
    ("text", "settings", "said"),
    [
        (None, ["source.metadata=nowhere.csv"], "source.metadata: cannot read .*nowhere.csv: No such file"),
        (None, ["source.metadata=nowhere.txt"], "must be a .csv or a .parquet file"),
        ("", [], "cannot be understood: Empty CSV file"),
        ("key,label\na,b,c\n", [], "cannot be understood"),
        ("name,label\na,b\n", [], "has no column 'key', only 'name', 'label'"),
        ("key,label,label\na,b,c\n", [], "has the column 'label' twice"),
        ("key,label\ntop.png,b\n,c\n", [], "row 2 of .* has no key"),
        ("key,label\ntop.png,b\ntop.png,b\n", [], "has 1 keys more than once, one is 'top.png'"),
        ("key,label\nTop.png,b\n", [], "none of its 1 keys is in the source; one is 'Top.png', one of .* 'cats/young"),
        ("key,label\ntop.png,b\n", ["source.label=labl"], "source.label: .* no column 'labl'; nearest known: label"),
        ("key,label\ntop.png,b\n", ["source.split=lable"], "source.split: .* no column 'lable'; nearest known: label"),
        ("key,score\ntop.png,b\n", ["duplicates.keep=[largest:scor]"], "duplicates.keep: .* nearest known: score"),
        ("key,folder\ntop.png,b\n", ["source.label=folder"], "'folder' is no column here; rename that of the metadata"),
        ("key,label\ntop.png,b\n", ["duplicates.prefer=[test]"], "there are none: set source.split"),
        (None, ["duplicates.prefer=[test]"], "there are none: set source.split"),
        (None, ["source.label=labl"], "source.label names the column 'labl', but source.metadata is not given"),
        (None, ["duplicates.keep=[largest:folder]"], "duplicates.keep names the column 'folder', but"),
    ],
)
def test_what_is_wrong_is_named(source: Path, tmp_path: Path, text: str | None, settings: list[str], said: str):
    more = [] if text is None else [csv(tmp_path / "m.csv", text)]
    with pytest.raises(PixsieveError, match=said):
        audit(source, tmp_path / "run", *more, *settings, until="scan")
    assert not (tmp_path / "run/manifest/blocks.json").exists()


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("key", pa.array([1.5]), "the column 'key' .* holds double, not strings or integers"),
        ("label", pa.array([["a"]]), r"the column 'label' .* holds list<.*>, which is no name"),
        ("scores", pa.array([["a"]]), r"duplicates.keep: the column 'scores' holds list<.*>, which has no order"),
    ],
)
def test_columns_of_the_wrong_kind(source: Path, tmp_path: Path, column: str, values: pa.Array, said: str):
    pq.write_table(pa.table({"key": ["top.png"]} | {column: values}), tmp_path / "m.parquet")
    keep = "duplicates.keep=[largest:scores]" if column == "scores" else "duplicates.keep=[key]"
    with pytest.raises(PixsieveError, match=said):
        audit(source, tmp_path / "run", f"source.metadata={tmp_path / 'm.parquet'}", keep, until="scan")


def test_given_vectors_have_no_times(tmp_path: Path):
    np.save(tmp_path / "x.npy", np.eye(4))
    with pytest.raises(ConfigError, match=r"duplicates\.keep: 'newest' asks for times of files"):
        audit(tmp_path / "x.npy", tmp_path / "run", "duplicates.keep=[newest]", until="scan")


def test_keys_that_do_not_fit_are_told(source: Path, tmp_path: Path, caplog):
    text = csv(tmp_path / "m.csv", "key,split\ntop.png,test\nelsewhere.png,train\n")
    with caplog.at_level(logging.INFO, "pixsieve"):
        audit(source, tmp_path / "run", text, "duplicates.prefer=[tets, test]", until="scan")
    assert "metadata: 1 of 2 keys are not in the source, 7 rows have none" in caplog.messages
    assert "duplicates.prefer: no row is in the split 'tets'; the splits are 'test', 'train'" in caplog.messages


def test_the_table_inside_the_source_is_no_row(tmp_path: Path):
    rng = np.random.default_rng(0)
    for name in "ab":
        save(tmp_path / f"images/{name}.png", pattern(rng))
    inside = csv(tmp_path / "images/metadata.csv", "key,label\na.png,x\n")
    assert audit(tmp_path / "images", tmp_path / "run", inside, until="scan").stage("scan").counts["rows"] == 2


def test_the_path_is_made_absolute(tmp_path: Path):
    (tmp_path / "c.yaml").write_text("source: {path: a, metadata: m.csv}")
    assert Config.load(tmp_path / "c.yaml").source.metadata == str(Path("m.csv").absolute())


LABELS = {"match", "mislabels", "report"}  # what reads labels, and what reads that


def test_what_changes_runs_again_and_nothing_else(source: Path, tmp_path: Path):
    rows = [["x", "test", number, "n"] for number in range(len(KEYS))]
    # Each row is a cluster.
    alone, keep = ["cluster.min_samples=1", "mislabels.find=always"], "duplicates.keep=[largest:score]"

    def again(*settings: str) -> set[str]:
        lines = ["key,label,split,score,note", *(",".join([k, *map(str, r)]) for k, r in zip(KEYS, rows, strict=True))]
        given_ = csv(tmp_path / "m.csv", "\n".join(lines) + "\n")
        return set(ran(audit(source, tmp_path / "run", given_, *alone, *settings)))

    def labels() -> list[str]:
        shares = [row["labels"] for row in by_key(tmp_path / "run", "clusters")]
        return sorted(label["label"] for share in shares for label in share)

    again(keep)
    assert again(keep) == set() and labels() == ["x"] * 6
    rows[3][0] = "y"
    assert again(keep) == LABELS | {"findings"} and labels() == ["x"] * 5 + ["y"]
    rows[3][1] = "train"
    assert again(keep) == {"duplicates", "report"}  # which find the same
    rows[3][2] = 77
    assert again(keep) == {"duplicates"}
    rows[3][3] = "m"
    assert again(keep) == set()
    assert "duplicates" in again()
    assert again("source.label=note") == LABELS | {"findings"} and labels() == ["m"] + ["n"] * 5
    assert again("source.label=folder") == LABELS | {"findings"} and labels() == ["dogs"] * 3 + ["young"] * 3
    assert set(ran(audit(source, tmp_path / "run", *alone))) == LABELS | {
        "labels",
        "duplicates",
        "outliers",
        "findings",
    }
    assert labels() == []
    assert not (tmp_path / "run/source/metadata.parquet").exists()
