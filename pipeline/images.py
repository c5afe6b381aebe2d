"""Bytes of an image file to RGB pixels and a status. Nothing here raises for a bad image, or reads or writes."""

import io
import threading
import zlib
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import cv2
import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

# Place in the list = the number in the store. ABSENT: a row number that no row has.
STATUSES = (
    "absent",
    "ok",
    "damaged",  # pixels came out, but a strict decoder objects: bit rot
    "truncated",  # the file ends too early
    "empty",  # no bytes
    "not_image",  # no known format
    "too_small",  # a side of one pixel: nothing to compare
    "too_large",  # more pixels than embed.max_pixels
    "unreadable",  # the file cannot be read, or its decoder fails
    "not_finite",  # a given vector holds NaN or infinity
)
ABSENT, OK, DAMAGED = 0, 1, 2
USABLE = (OK, DAMAGED)
READABLE = tuple(STATUSES[number] for number in USABLE)

REDUCED = 256  # the longer side of the reduced image, in pixels
# Larger images (in pixels) are decoded one at a time: what decoders need beside the pixels would add up over threads.
LARGE = 16_000_000
_one_large = threading.Lock()

# The size is checked before pixels are made, against a limit of our own.
Image.MAX_IMAGE_PIXELS = None
cv2.setNumThreads(1)
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # its decoders' complaints become statuses


@dataclass(frozen=True)
class Decoded:
    status: str
    reason: str = ""
    pixels: np.ndarray | None = None  # (height, width, 3) uint8 RGB, upright
    width: int = 0
    height: int = 0


class _Refused(Exception):
    """An image that gets a status instead of pixels: Decoded's first two fields, and the size where it is known."""


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Decodes with EXIF orientation applied; 16-bit values are scaled to 8, transparency lies on white, of an animation
    the first frame counts."""
    try:
        if not data:
            raise _Refused("empty", "the file has no bytes")
        reader = _jpeg if data[:3] == b"\xff\xd8\xff" else _png if data[:8] == PNG else _pillow
        pixels, objection = reader(data, max_pixels)
    except _Refused as refusal:
        status, reason, *size = refusal.args
        return Decoded(status, reason, None, *size)
    except MemoryError:  # of this moment, not of this image
        raise
    except Exception as error:  # decoders of damaged data raise anything; the row keeps its place and says why
        return Decoded("unreadable", f"{type(error).__name__}: {error}")
    height, width = pixels.shape[:2]
    if min(width, height) < 2:
        return Decoded("too_small", f"{width} x {height} pixels", None, width, height)
    return Decoded("damaged" if objection else "ok", objection, pixels, width, height)


def reduce(pixels: np.ndarray, side: int = REDUCED) -> np.ndarray:
    """The image with its longer side at `side` pixels, area-averaged; as it is when it is not longer."""
    height, width = pixels.shape[:2]
    scale = side / max(width, height)
    if scale >= 1:
        return pixels
    return cv2.resize(
        pixels, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA
    )


def luma(pixels: np.ndarray) -> np.ndarray:
    """(height, width) uint8, ITU-R BT.601."""
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)


STATISTICS = ("brightness", "contrast", "sharpness", "entropy", "shadows", "highlights", "noise", "roughness")
COARSE = 64  # the longer side at which roughness is measured, in pixels
CROP = 256  # side of the middle part at full resolution in which noise is measured, in pixels
# Immerkaer, "Fast noise variance estimation", Computer Vision and Image Understanding 64, 1996: blind to planes and
# edges; its response to noise of deviation 1 has deviation 6.
SECOND = np.array([1, -2, 1], np.float32)


def statistics(pixels: np.ndarray, grey: np.ndarray) -> tuple[float, ...]:
    """Of the RGB pixels of an image and its reduced luma: mean and standard deviation over 255; variance of the
    Laplacian over 255^2 (Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000); entropy of
    the histogram in bits; its 5th and 99th percentile over 255; noise at full resolution over 255, 0.247 at most;
    deviation of the Laplacian over that of the luma at COARSE pixels, which is sqrt(20) for white noise."""
    mean, deviation = cv2.meanStdDev(grey)
    _, edges = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    share = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel().astype(np.float64) / grey.size
    shadows, highlights = np.searchsorted(np.cumsum(share), (0.05, 0.99))
    share = share[share > 0]
    entropy = max(0.0, -float((share * np.log2(share)).sum()))
    return (
        float(mean[0, 0]) / 255,
        float(deviation[0, 0]) / 255,
        float(edges[0, 0] / 255) ** 2,
        entropy,
        float(shadows) / 255,
        float(highlights) / 255,
        _noise(pixels) / 255,
        _roughness(grey),
    )


def _noise(pixels: np.ndarray) -> float:
    """Standard deviation of the noise in the middle, in levels. The median in place of Immerkaer's mean leaves out
    texture in up to half of the crop."""
    height, width = pixels.shape[:2]
    top, left = max(0, height - CROP) // 2, max(0, width - CROP) // 2
    middle = luma(pixels[top : top + CROP, left : left + CROP])
    response = cv2.convertScaleAbs(cv2.sepFilter2D(middle, cv2.CV_16S, SECOND, SECOND))
    below = np.cumsum(cv2.calcHist([response], [0], None, [256], [0, 256]))
    return float(np.searchsorted(below, response.size / 2)) / (6 * 0.6745)


def _roughness(grey: np.ndarray) -> float:
    coarse = reduce(grey, COARSE)
    deviation, edges = (float(cv2.meanStdDev(of)[1][0, 0]) for of in (coarse, cv2.Laplacian(coarse, cv2.CV_16S)))
    return edges / deviation if deviation else 0.0


def _check(width: int, height: int, max_pixels: int) -> AbstractContextManager[object]:
    """Refuses what is too large; the context in which to decode what is not."""
    if width * height > max_pixels:
        raise _Refused("too_large", f"{width} x {height} pixels; embed.max_pixels is {max_pixels}", width, height)
    return _one_large if width * height > LARGE else nullcontext()


# -- JPEG ------------------------------------------------------------------------------------------------------------


def _jpeg(data: bytes, max_pixels: int) -> tuple[np.ndarray, str]:
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    except (ValueError, KeyError):  # KeyError: a colour space that it does not know, and files without any
        return _pillow(data, max_pixels)
    if space in ("CMYK", "YCCK"):
        return _pillow(data, max_pixels)
    objection = ""
    with _check(width, height, max_pixels):
        try:
            # The accurate transforms: the pixels, and so their digest, are those of every other libjpeg-turbo program.
            pixels = simplejpeg.decode_jpeg(data, strict=True)
        except ValueError as error:
            objection = str(error)
            if "premature end of jpeg file" in objection.lower():
                raise _Refused("truncated", objection, width, height) from None
            try:
                pixels = simplejpeg.decode_jpeg(data, strict=False)
            except ValueError as failure:
                raise _Refused("unreadable", str(failure), width, height) from None
        return _upright(pixels, _exif_orientation(_jpeg_exif(data))), objection


def _jpeg_exif(data: bytes) -> bytes:
    """The content of the APP1 Exif segment, or nothing."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, size = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xDA:  # the picture begins
            break
        if marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            return data[at + 4 : at + 2 + size]
        at += 2 + size
    return b""


def _exif_orientation(exif: bytes) -> int:
    if not exif:
        return 1
    tags = Image.Exif()
    try:
        tags.load(exif)
        return int(tags.get(0x0112, 1))
    except Exception:  # Pillow raises what it likes on damaged tags; an image without readable tags stands as it is
        return 1


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """EXIF 2.3, section 4.6.4, tag 274: where the 0th row and the 0th column are seen."""
    if orientation >= 5 and orientation <= 8:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


# -- PNG -------------------------------------------------------------------------------------------------------------

PNG = b"\x89PNG\r\n\x1a\n"


def _png(data: bytes, max_pixels: int) -> tuple[np.ndarray, str]:
    """Every chunk has a checksum, so rot is seen wherever it is. Plain 8- and 16-bit images go through OpenCV, which
    holds nothing but the pixels; the rest through Pillow."""
    view, at, exif, objection = memoryview(data), 8, b"", ""
    if data[12:16] != b"IHDR" or len(data) < 33:
        raise _Refused("truncated" if len(data) < 33 else "not_image", "the PNG has no header")
    width, height = (int.from_bytes(view[i : i + 4], "big") for i in (16, 20))
    plain = data[25] in (0, 2)
    while True:
        if at + 12 > len(data):
            raise _Refused("truncated", "the PNG ends before its IEND chunk")
        size, name = int.from_bytes(view[at : at + 4], "big"), bytes(view[at + 4 : at + 8])
        if at + 12 + size > len(data):
            raise _Refused("truncated", f"the PNG ends inside its {name.decode('latin-1')} chunk")
        if zlib.crc32(view[at + 4 : at + 8 + size]) != int.from_bytes(view[at + 8 + size : at + 12 + size], "big"):
            objection = objection or f"wrong checksum in the {name.decode('latin-1')} chunk"
        if name == b"eXIf":
            exif = bytes(view[at + 8 : at + 8 + size])
        elif name in (b"tRNS", b"acTL"):
            plain = False
        elif name == b"IEND":
            break
        at += 12 + size
    if not plain or objection:
        return _pillow(data, max_pixels, objection)
    with _check(width, height, max_pixels):
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
        if pixels is None:
            raise _Refused("unreadable", "the PNG decoder failed", width, height)
        return _upright(pixels, _exif_orientation(exif)), ""


# -- everything else -------------------------------------------------------------------------------------------------


def _pillow(data: bytes, max_pixels: int, objection: str = "") -> tuple[np.ndarray, str]:
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            with _check(width, height, max_pixels):
                image.load()
                return _upright(_rgb(image), image.getexif().get(0x0112, 1)), objection
    except UnidentifiedImageError:
        raise _Refused("not_image", objection or f"no known image format (begins with {data[:8]!r})") from None
    except (_Refused, MemoryError):
        raise
    except Exception as error:
        status = "truncated" if "truncated" in str(error).lower() else "unreadable"
        raise _Refused(status, objection or f"{type(error).__name__}: {error}") from None


def _rgb(image: Image.Image) -> np.ndarray:
    """(height, width, 3) uint8, converted strip by strip so that no second copy of a large image is made."""
    out = np.empty((image.height, image.width, 3), np.uint8)
    scale = _scale(image)
    see_through = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    rows = max(1, (1 << 20) // image.width)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        target = out[top : top + rows]
        if scale is not None:
            low, factor = scale
            grey = np.clip((np.asarray(strip, np.float64) - low) * factor, 0, 255)
            target[:] = np.nan_to_num(grey).astype(np.uint8)[:, :, None]
        elif see_through:
            layer = strip.convert("RGBA")
            target[:] = np.asarray(Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer))[:, :, :3]
        else:
            target[:] = np.asarray(strip.convert("RGB"))
    return out


def _scale(image: Image.Image) -> tuple[float, float] | None:
    """(low, factor) that bring a mode with more than 8 bits to 0..255; Pillow's own conversion clips it to white."""
    if image.mode.startswith("I;16"):
        return 0.0, 1 / 256
    if image.mode in ("I", "F"):
        low, high = (float(value) for value in image.getextrema())  # type: ignore[arg-type]
        if image.mode == "I" and low >= 0 and high < 65536:
            return 0.0, 1 / 256
        return low, 255 / (high - low) if high > low else 0.0
    return None
