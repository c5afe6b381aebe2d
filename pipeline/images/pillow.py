"""Any other format, by Pillow."""

import io
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from pixsieve.images import orientation, tiff
from pixsieve.images.content import Content, digest_of, digest_of_frames, joined
from pixsieve.images.formats import CONTAINERS, READ
from pixsieve.images.orientation import upright
from pixsieve.images.status import IsLarge, Limits, Refused
from pixsieve.images.tone import to_8_bits

OPAQUE = ("1", "L", "P", "RGB", "RGBX", "YCbCr")  # of 8 bits: RGB holds all of them
NEARLY_WHITE = 248  # on white nothing is to be seen of what is lighter


def read_any(data: bytes, limits: Limits, objection: str = "", formats: tuple[str, ...] = READ) -> Content:
    try:
        with _opened(data, formats) as image:
            limits.check(*image.size)
            image.load()
            return _content(image, data, limits, objection)
    except Image.DecompressionBombError as error:
        pixels = re.search(r"\d+", str(error))
        inside = f"{pixels[0]} pixels in a picture inside" if pixels else str(error)
        raise Refused("too_large", f"{inside}; embed.max_pixels is {limits.max_pixels}") from None
    except UnidentifiedImageError:
        raise Refused("not_image", objection or f"no known image format (begins with {data[:8]!r})") from None
    except (Refused, IsLarge, MemoryError):
        raise
    except Exception as error:
        status = "truncated" if "truncated" in str(error).lower() else "unreadable"
        raise Refused(status, objection or f"{type(error).__name__}: {error}") from None


def _opened(data: bytes, formats: tuple[str, ...]) -> Image.Image:
    """Pillow holds pictures inside others against its own limit, as ICO and ICNS decode them while they are opened. The
    size of any other is checked by `limits`, which knows it."""
    try:
        return Image.open(io.BytesIO(data), formats=formats)
    except Image.DecompressionBombError:
        if data[:4] in CONTAINERS:
            raise
    most, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        return Image.open(io.BytesIO(data), formats=formats)
    finally:
        Image.MAX_IMAGE_PIXELS = most


class Held(NamedTuple):
    """A frame as the file holds it."""

    mode: str
    values: np.ndarray


def _content(image: Image.Image, data: bytes, limits: Limits, objection: str) -> Content:
    turn, held, frames = orientation.of(image), _held(image), _frames(image)
    pixels, words = _rgb(image)
    pixels = upright(pixels, turn)
    if held is None:
        words = ""
    if frames > 1 and image.format == "PSD":  # Pillow shows what the layers make together
        return Content(pixels, digest_of_frames([_file(data)]), objection, joined(f"{frames} layers as one", words))
    if frames > 1:
        words = joined(f"the first of {frames} frames", words)
    elif held is None:
        return Content(pixels, digest_of(pixels), objection)
    if frames * image.width * image.height > limits.max_pixels:  # too many to look at: it is equal to itself alone
        return Content(pixels, digest_of_frames([_file(data)]), objection, words)
    try:
        every = [held] if frames == 1 and held else _each(image, frames, limits)
        digest = digest_of_frames((one.mode, upright(one.values, turn)) for one in every)
    except (Refused, IsLarge, MemoryError):
        raise
    except Exception as error:  # whatever Pillow raises for a later frame that is damaged
        objection = objection or f"a later frame: {type(error).__name__}: {error}"
        digest = digest_of_frames([_file(data)])
    return Content(pixels, digest, objection, words)


def _file(data: bytes) -> Held:
    return Held("file", np.frombuffer(data, np.uint8))


def _frames(image: Image.Image) -> int:
    """Of an MPO the first is the picture; the others are its previews, or what another lens saw."""
    return 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))


def _each(image: Image.Image, frames: int, limits: Limits) -> Iterator[Held]:
    for frame in range(frames):
        image.seek(frame)
        limits.check(*image.size)
        yield _held(image) or Held("RGB", np.asarray(image.convert("RGB")))


def _held(image: Image.Image) -> Held | None:
    """None for an opaque frame of 8 bits: its RGB pixels are all."""
    if _see_through(image):
        layer = np.asarray(image.convert("RGBA"))
        return None if layer[:, :, 3].min() == 255 else Held("RGBA", layer)
    if image.mode in OPAQUE:
        return None
    values = np.asarray(image)
    return Held("" if values.ndim == 2 else image.mode, values.astype(values.dtype.newbyteorder("="), copy=False))


def _see_through(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info


def _rgb(image: Image.Image) -> tuple[np.ndarray, str]:
    """(height, width, 3) uint8, and what was done to it."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        pixels, words = to_8_bits(_plain(image), _declared(image), _nodata(image))
        return np.repeat(pixels[:, :, None], 3, axis=2), words
    if not _see_through(image):
        return _by_strips(image, _opaque), "" if image.mode in OPAQUE else f"{image.mode} as RGB"
    pixels = _by_strips(image, partial(_on, "white"))
    if pixels.min() >= NEARLY_WHITE:  # a white icon
        dark = _by_strips(image, partial(_on, "black"))
        return (pixels, "") if np.array_equal(dark, pixels) else (dark, "on black")
    return pixels, "on white"


def _by_strips(image: Image.Image, convert: Callable[[Image.Image], np.ndarray]) -> np.ndarray:
    """Without a second copy of a large image."""
    out = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(1, (1 << 20) // image.width)
    for top in range(0, image.height, rows):
        out[top : top + rows] = convert(image.crop((0, top, image.width, min(top + rows, image.height))))
    return out


def _opaque(strip: Image.Image) -> np.ndarray:
    return np.asarray(strip.convert("RGB"))


def _on(ground: str, strip: Image.Image) -> np.ndarray:
    layer = strip.convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", layer.size, ground), layer))[:, :, :3]


def _plain(image: Image.Image) -> np.ndarray:
    """Pillow reads 16 bits of some formats as 32."""
    values = np.asarray(image)
    if image.mode == "I" and values.min(initial=0) >= 0:
        return values.astype(np.uint32)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _declared(image: Image.Image) -> int | None:
    """Bits of a value, where the file says them."""
    return tiff.bits(image.tag_v2) if isinstance(image, TiffImageFile) else None


def _nodata(image: Image.Image) -> float | None:
    return tiff.nodata(image.tag_v2) if isinstance(image, TiffImageFile) else None
