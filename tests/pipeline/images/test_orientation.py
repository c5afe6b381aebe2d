"""Pictures stand upright, wherever their file says how they lie."""

import io

import numpy as np
from PIL import Image, ImageOps

from tests.pipeline.images.encoding import encoded, ok


def upright(data: bytes) -> np.ndarray:
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


EXIF = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def segment(body: bytes) -> bytes:
    return b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body


def test_orientation_wherever_it_stands(picture):
    jpeg = encoded(Image.fromarray(picture), "JPEG", quality=95)
    head, rest = jpeg[:2], jpeg[2:]
    files = [
        head + segment(EXIF) + rest,
        head + b"\xff\xff\xff" + segment(EXIF) + rest,  # fill bytes: ITU-T T.81, B.1.1.2
        head + segment(b"http://ns.adobe.com/xap/1.0/\0" + XMP) + rest,
    ]
    from PIL.PngImagePlugin import PngInfo

    raw = f"\nexif\n{len(EXIF):8}\n{EXIF.hex()}\n"
    for text in ({"Raw profile type exif": raw}, {"XML:com.adobe.xmp": XMP.decode()}):
        info = PngInfo()
        for name, value in text.items():
            info.add_itxt(name, value) if name.startswith("XML") else info.add_text(name, value)
        files.append(encoded(Image.fromarray(picture), "PNG", pnginfo=info))
    for data in files:
        found = ok(data)
        assert (found.width, found.height) == (64, 96)
        np.testing.assert_array_equal(found.pixels, upright(data))
