"""What the folders of images say of them: splits by name, and classes where they look like some.

A key is a path with slashes. The folder that may be a class is the lowest one whose name may say what is shown: names
such as `images` and `masks` say how files are kept.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

SPLIT = re.compile(r"(train|training|val|valid|validation|dev|test|testing)([-_ ]?(\d+|set|data|images?|imgs?))*", re.I)
KEPT = re.compile(
    r"images?|imgs?|pictures?|pics|photos?|jpegs?|jpegimages|frames?|masks|labels|annotations|data|raw|originals?"
    r"|thumbs|thumbnails?",
    re.I,
)
DATE = re.compile(
    r"(19|20)\d\d([-_. ]?(0\d|1[0-2])([-_. ]?([0-2]\d|3[01]))?)?([-_. ]\D.*)?"  # 2024, 2024-07, 20240703, 2024 Rome
    r"|[0-3]?\d[-_. ][01]?\d[-_. ](19|20)\d\d"  # 3.7.2024
    r"|\d{3}[A-Z_]{5}|DCIM"  # 100CANON: the standard of cameras (DCF)
)

IN_FOLDERS = 0.95  # of the images, at least, that are in some folder
AT_ONE_DEPTH = 0.95  # of those, at least, whose folders lie at one depth
SEVERAL = 3  # images; half of the folders hold so many or more
COPIED = 0.5  # of the images of a folder that are in other folders, too, from which it is a copy
COPIES = 0.1  # of the folders, at most, that are copies


def split_of(key: str) -> str | None:
    """The first folder with the name of a split, as it is written.

    >>> split_of("coco/train2017/cat/1.jpg"), split_of("cat/test.jpg")
    ('train2017', None)
    """
    return next((part for part in key.split("/")[:-1] if SPLIT.fullmatch(part)), None)


class Folder(NamedTuple):
    """A folder that may be a class."""

    name: str
    depth: int  # folders above it
    dated: bool  # a name as dates or cameras give it


def class_folder(key: str) -> Folder | None:
    """None for an image at the top, or of a split without classes.

    >>> class_folder("train/n01443537/images/1.jpg"), class_folder("test/images/1.jpg")
    (Folder(name='n01443537', depth=1, dated=False), None)
    """
    folders = key.split("/")[:-1]
    while folders and KEPT.fullmatch(folders[-1]):
        folders.pop()
    if not folders or SPLIT.fullmatch(folders[-1]):
        return None
    dated = DATE.fullmatch(folders[-1]) or DATE.fullmatch("-".join(folders[-2:]))  # 2024/07
    return Folder(folders[-1], len(folders) - 1, bool(dated))


def why_no_classes(keys: Sequence[str], contents: Sequence[np.ndarray]) -> str:
    """Why the folders of these images are taken for no classes; "" where they look like some.

    contents: of the images (n,), numbers that are equal for equal contents, -1 for unknown ones, by one digest or more.
    """
    places = [class_folder(key) for key in keys]
    within = np.array([place is not None for place in places], bool)
    # Images of a split without classes, as of a test set, are not labelled; they say nothing against the others.
    loose = sum(1 for key, place in zip(keys, places, strict=True) if place is None and split_of(key) is None)
    found = [place for place in places if place is not None]
    if loose > (1 - IN_FOLDERS) * (len(found) + loose):
        return f"{loose:,} of {len(found) + loose:,} images are in no folder that could be a class"
    names, own = np.unique([place.name for place in found] or [""], return_inverse=True)
    size = np.bincount(own, minlength=len(names))
    if len(names) < 2:
        return "all images are in one folder" if found else "no image is in a folder that could be a class"
    if (size >= SEVERAL).mean() < 0.5:
        return f"most of the {len(names):,} folders hold fewer than {SEVERAL} images"
    if len({place.name for place in found if place.dated}) >= len(names) / 2:
        return "most folders have the name of a date, or that a camera gives"
    if np.bincount([place.depth for place in found]).max() < AT_ONE_DEPTH * len(found):
        return "the folders lie at several depths"
    copied = np.zeros(len(found), bool)
    for content in contents:
        copied |= _elsewhere(own, content[within])
    share = np.bincount(own, copied, minlength=len(names)) / size
    if (share >= COPIED).mean() > COPIES:
        return f"{str(names[np.argmax(share)])!r} is a copy: {share.max():.0%} of its images are in other folders, too"
    return ""


def _elsewhere(own: np.ndarray, content: np.ndarray) -> np.ndarray:
    """(n,) booleans: images whose content is in a folder of another name, too."""
    pairs = np.unique(np.stack([content, own])[:, content >= 0], axis=1)
    folders = np.bincount(pairs[0], minlength=content.max(initial=-1) + 2)  # the last one is 0, for the unknown
    return np.asarray(folders[content] > 1)
