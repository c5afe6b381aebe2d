"""When and by what a picture was taken, in every container that has EXIF."""

import io
from datetime import datetime

import numpy as np
import pytest
from PIL import Image

from pixsieve.images.taken import Taken, taken


def exif(time: str = "2026:11:28 10:20:30", fraction: str | None = "25", serial: str | None = "77") -> Image.Exif:
    tags = Image.Exif()
    tags[0x010F], tags[0x0110] = "Acme ", "X  100"
    details = tags.get_ifd(0x8769)
    details[0x9003] = time
    if fraction is not None:
        details[0x9291] = fraction
    if serial is not None:
        details[0xA431] = serial
    return tags


def encoded(kind: str, tags: Image.Exif | None) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, kind, **({"exif": tags} if tags is not None else {}))
    return sink.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_of_every_container(kind: str):
    assert taken(encoded(kind, exif())) == Taken(datetime(2026, 11, 28, 10, 20, 30, 250_000), "Acme X 100 77")
    assert taken(encoded(kind, None)) == Taken()


def test_of_a_tiff():
    assert taken(encoded("TIFF", exif())) == Taken(None, "Acme X 100")  # Pillow writes no more of it into a TIFF


def test_less_is_enough():
    assert taken(encoded("JPEG", exif(fraction=None, serial=None))) == Taken(
        datetime(2026, 11, 28, 10, 20, 30), "Acme X 100"
    )
    for never_set in ("0000:00:00 00:00:00", "    :  :     :  :  ", "2026:13:40 00:00:00", ""):
        assert taken(encoded("JPEG", exif(never_set))) == Taken(None, "Acme X 100 77")
    assert taken(encoded("JPEG", exif(fraction="x"))).time == datetime(2026, 11, 28, 10, 20, 30)


def test_damage_is_no_error():
    data, rng = encoded("JPEG", exif()), np.random.default_rng(0)
    start = data.index(b"Exif\0\0")
    for _ in range(300):
        hit = bytearray(data)
        for at in rng.integers(start, start + 200, 4):
            hit[at] = rng.integers(256)
        taken(bytes(hit))
    for length in range(start, start + 150, 3):
        taken(data[:length])
    assert taken(b"") == Taken() and taken(b"II*\0") == Taken() and taken(b"Exif\0\0") == Taken()
