"""What a planted set is drawn with. A file has a generator of its own, so that leaving some out changes no other."""

import io
import zlib

import cv2
import numpy as np
from PIL import Image

QUALITY = 92  # of every JPEG whose kind says nothing else


def generator(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def load(data: bytes) -> np.ndarray:
    """(height, width, 3) uint8 RGB of an encoded image."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def jpeg(pixels: np.ndarray, quality: int = QUALITY, exif: Image.Exif | None = None) -> bytes:
    return _encoded(pixels, "JPEG", quality=quality, exif=exif or Image.Exif())


def png(pixels: np.ndarray) -> bytes:
    """(height, width[, 3]) uint8, or (height, width) uint16."""
    return _encoded(pixels, "PNG", compress_level=1)


def noise(rng: np.random.Generator, height: int, width: int, power: float) -> np.ndarray:
    """(height, width) floats with the spectrum 1/f^power, of mean 0 and unit deviation."""
    f = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    f[0, 0] = np.inf
    field = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(height, width))) / f**power, s=(height, width))
    return field / field.std()


def bytes_of(pixels: np.ndarray) -> np.ndarray:
    """uint8, clipped to 0..255."""
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def resized(pixels: np.ndarray, factor: float) -> np.ndarray:
    height, width = pixels.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)


def _encoded(pixels: np.ndarray, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form, **options)
    return out.getvalue()
