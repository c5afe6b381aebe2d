"""Which folders are splits, and which look like classes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixsieve.rules.folders import class_folder, split_of, why_no_classes


def why(counts: dict[str, int], contents: list[int] | None = None) -> str:
    """Of folders with so many images each, all different where nothing else is said."""
    keys = [f"{folder}/{n}.png".lstrip("/") for folder, count in counts.items() for n in range(count)]
    return why_no_classes(keys, [np.arange(len(keys)) if contents is None else np.array(contents)])


@pytest.mark.parametrize(
    ("key", "split"),
    [
        ("train/a.png", "train"),
        ("coco/train2017/a.png", "train2017"),
        ("Val/cat/a.png", "Val"),
        ("validation/a.png", "validation"),
        ("valid/images/a.png", "valid"),
        ("dev/a.png", "dev"),
        ("a/test/b/train/c.png", "test"),
        ("train_images/a.png", "train_images"),
        ("test-set/a.png", "test-set"),
        ("trains/a.png", None),
        ("testing_ground/a.png", None),
        ("devil/a.png", None),
        ("valley/a.png", None),
        ("test.png", None),
        ("cat/train.png", None),
    ],
)
def test_folders_that_are_splits(key: str, split: str | None):
    assert split_of(key) == split


@pytest.mark.parametrize(
    ("key", "folder"),
    [
        ("cat/a.png", ("cat", 0)),
        ("train/cat/a.png", ("cat", 1)),
        ("n01/images/a.png", ("n01", 0)),
        ("a/b/JPEGImages/a.png", ("b", 1)),
        ("images/a.png", None),
        ("test/a.png", None),
        ("test/images/a.png", None),
        ("a.png", None),
        ("mask/a.png", ("mask", 0)),  # with mask, without mask
    ],
)
def test_the_folder_that_may_be_a_class(key: str, folder: tuple[str, int] | None):
    assert class_folder(key) == (folder and (*folder, False))


@pytest.mark.parametrize(
    "counts",
    [
        {"cat": 5, "dog": 5},
        {"0": 9, "1": 9, "2": 9},
        {"train/cat": 5, "train/dog": 5, "test/cat": 2, "test/dog": 2},
        {"train/cat": 5, "train/dog": 5, "test": 50},
        {"train/cat/images": 5, "train/dog/images": 5, "val/images": 5},
        {"cat": 50, "dog": 50, "": 3},
    ],
)
def test_classes(counts: dict[str, int]):
    assert why(counts) == ""


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"": 9}, "9 of 9 images are in no folder"),
        ({"photos": 9, "masks": 9}, "18 of 18 images are in no folder"),
        ({"cat": 9, "": 9}, "9 of 18 images are in no folder"),
        ({"cat": 9}, "all images are in one folder"),
        ({"train": 9, "test": 9}, "no image is in a folder that could be a class"),
        ({"a": 1, "b": 2, "c": 9}, "most of the 3 folders hold fewer than 3 images"),
        ({"2024-05-01": 9, "2024-05-02": 9}, "the name of a date"),
        ({"2023": 9, "2024": 9, "Rome": 9}, "the name of a date"),
        ({"2023/11": 9, "2023/12": 9, "2024/01": 9}, "the name of a date"),
        ({"DCIM/100CANON": 9, "DCIM/101CANON": 9}, "that a camera gives"),
        ({"a/b": 9, "c/d/e": 9}, "the folders lie at several depths"),
    ],
)
def test_no_classes(counts: dict[str, int], said: str):
    assert said in why(counts)


def test_copies_of_other_folders_are_no_classes():
    assert "'backup' is a copy: 100%" in why({"Rome": 4, "backup": 3}, [0, 1, 2, 3, 0, 1, 2])
    assert why({"cat": 4, "dog": 4}, [0, 1, 2, 3, 0, 5, 6, 7]) == ""
    assert "'dog' is a copy: 50%" in why({"cat": 6, "dog": 4}, [0, 1, 2, 3, 4, 5, 0, 1, 8, 9])
    many = {f"class{n}": 4 for n in range(20)}
    assert why(many, [*range(76), 0, 1, 2, 3]) == ""  # one folder of many is a finding, not a rule
    assert why({"cat": 4, "dog": 4}, [-1] * 8) == ""  # what could not be read is no copy


@given(st.permutations([f"{folder}/{n}.png" for folder in ("x", "y", "2024") for n in range(4)]))
def test_the_order_of_the_images_is_nothing(keys: list[str]):
    content = np.array([sum(map(ord, key)) % 7 for key in keys])
    expected = sorted(keys)
    assert why_no_classes(keys, [content]) == why_no_classes(
        expected, [np.array([sum(map(ord, key)) % 7 for key in expected])]
    )
