"""What is taken for an image by its suffix, and by its first bytes."""

import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pixsieve.images import signs
from tests.pipeline.helpers import pattern

# Formats that Pillow writes and that begin with nothing of their own.
WITHOUT = {"TGA", "DIB", "XBM", "PALM", "IM", "MSP", "SPIDER", "PDF", "EPS"}
# What Pillow knows by suffix and what is no picture.
DATA = {"HDF5", "GRIB", "BUFR", "MPEG", "PDF"}


def test_every_format_that_is_read_has_its_suffixes():
    Image.init()
    known = {suffix: name for suffix, name in Image.registered_extensions().items() if name not in DATA}
    assert len(known) > 60 and known.keys() <= signs.IMAGES
    assert {suffix for suffix, name in Image.registered_extensions().items() if name in DATA} <= signs.OTHERS
    assert not signs.IMAGES & signs.OTHERS
    assert all(name == name.lower() and name.startswith(".") for name in signs.IMAGES | signs.OTHERS)


def encodings() -> list[str]:
    Image.init()
    return sorted(set(Image.SAVE) - WITHOUT)


@pytest.mark.parametrize("format_", encodings())
def test_every_format_that_is_written_looks_like_an_image(format_: str):
    picture, found = Image.fromarray(pattern(np.random.default_rng(0))), []
    for mode in ("RGB", "L", "P", "1", "I;16", "F"):
        file = io.BytesIO()
        try:
            picture.convert(mode).save(file, format_)
        except (
            OSError,
            ValueError,
            KeyError,
            NotImplementedError,
        ):  # not in this mode, or only through a library that is not here
            continue
        found.append(signs.looks_like_image(file.getvalue()[: signs.HEAD]))
    if not found:
        pytest.skip("this Pillow cannot write it")
    assert all(found)


@pytest.mark.parametrize(
    "head",
    [
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        b"\0\0\0\x1cftypavif\0\0\0\0",
        b"\0\0\0\x18ftypcrx \0\0\0\1",  # CR3
        b"\xff\x0a\xfa\x7f",  # JPEG XL
        b"\0\0\0\x0cJXL \r\n\x87\n",
        b"II*\0\x10\0\0\0CR",
        b"II+\0\x08\0\0\0",  # BigTIFF
        b"FUJIFILMCCD-RAW 0201",
        b"IIRO\x08\0\0\0",
        b"\0" * 128 + b"DICM",
        b"P5\n# a comment\n3 3 255\n",
        b"SIMPLE  =                    T",
    ],
)
def test_formats_that_pillow_does_not_write(head: bytes):
    assert signs.looks_like_image(head)


JUNK = {
    "empty": b"",
    "text": b"P1 meeting, 3 people\n",
    "letter": b"BMW 3 Series: see the manual that came with the car, page 40\n",
    "program": b"\x7fELF\x02\x01\x01" + b"\0" * 57,
    "Thumbs.db": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100,
    "utf-16": "[.ShellClassInfo]".encode("utf-16"),
    "zip": b"PK\3\4\x14\0\0\0\x08\0",
    "pdf": b"%PDF-1.7\n",
    "document": b"%!PS-Adobe-3.0\n%%Title: a letter\n",
    "video": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
    "mpeg": b"\0\0\1\xba\x44\0",
    "font": b"\0\1\0\0\0\x0f\0\x80",
    "sound": b"RIFF\x24\0\0\0WAVEfmt ",
    "sqlite": b"SQLite format 3\0",
    "zeros": b"\0" * signs.HEAD,
    "numpy": b"\x93NUMPY\1\0v\0",
    "python": b"Python 3\n",
}


@pytest.mark.parametrize("name", JUNK)
def test_what_is_no_image_does_not_look_like_one(name: str):
    assert not signs.looks_like_image(JUNK[name])


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda one: st.lists(one) | st.tuples(one)))
def test_json_does_not_look_like_an_image(value: object):
    assert not signs.looks_like_image(json.dumps(value).encode()[: signs.HEAD])


@given(st.sampled_from(["JPEG", "PNG", "GIF", "TIFF", "WEBP"]), st.integers(12, signs.HEAD))
def test_a_few_bytes_are_enough(format_: str, length: int):
    file = io.BytesIO()
    Image.new("RGB", (3, 3)).save(file, format_)
    assert signs.looks_like_image(file.getvalue()[:length])
