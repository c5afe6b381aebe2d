"""Copies of a JPEG photo, in 18 kinds. Each function takes a generator and the file, and returns that of the copy."""

from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

from benchmarks.drawing import bytes_of, jpeg, load, png, resized

Pixels = Callable[[np.random.Generator, np.ndarray], np.ndarray]
Make = Callable[[np.random.Generator, bytes], bytes]


def _edit(change: Pixels) -> Make:
    return lambda rng, data: jpeg(change(rng, load(data)))


def _meta_only(rng: np.random.Generator, data: bytes) -> bytes:
    """The same JPEG data with one more comment, after the first segment."""
    at = 4 + int.from_bytes(data[4:6], "big") if data[2] == 0xFF and data[3] == 0xE0 else 2
    text = f"picture {rng.integers(10**12):012} of a planted set".encode()
    return data[:at] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + data[at:]


def _png(rng: np.random.Generator, data: bytes) -> bytes:
    return png(load(data))


def _jpeg(low: int, high: int) -> Make:
    return lambda rng, data: jpeg(load(data), int(rng.integers(low, high + 1)))


def _resize(low: float, high: float) -> Make:
    return _edit(lambda rng, pixels: resized(pixels, rng.uniform(low, high)))


def _crop(low: float, high: float) -> Make:
    """A share of low to high of the width and of the height is gone, at both ends together."""

    def change(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
        cuts = []
        for size in pixels.shape[:2]:
            gone = max(1, round(size * rng.uniform(low, high)))
            first = int(rng.integers(gone + 1))
            cuts.append(slice(first, size - gone + first))
        return pixels[cuts[0], cuts[1]]

    return _edit(change)


def _brightness(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    return bytes_of(pixels * rng.uniform(0.7, 1.3))


def _contrast(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    mean = pixels.mean()
    return bytes_of((pixels - mean) * rng.uniform(0.6, 1.4) + mean)


def _gamma(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    return bytes_of(255 * (pixels / 255) ** np.exp(rng.choice((-1, 1)) * rng.uniform(np.log(1.2), np.log(1.8))))


def _hflip(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels[:, ::-1])


def _watermark(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    """A line of text or a disc with two letters, half transparent, anywhere."""
    height, width = pixels.shape[:2]
    layer, ink = pixels.copy(), (255, 255, 255) if rng.random() < 0.5 else (0, 0, 0)
    font, thick = cv2.FONT_HERSHEY_DUPLEX, max(1, round(width / 250))
    if rng.random() < 0.5:
        text = "".join(chr(c) for c in rng.integers(65, 91, 8)) + " STOCK"
        scale = rng.uniform(0.4, 0.7) * width / cv2.getTextSize(text, font, 1.0, thick)[0][0]
        wide, high = cv2.getTextSize(text, font, scale, thick)[0]
        at = (int(rng.integers(max(1, width - wide))), int(rng.integers(high, max(high + 1, height))))
        cv2.putText(layer, text, at, font, scale, ink, thick, cv2.LINE_AA)
    else:
        radius = round(rng.uniform(0.08, 0.13) * min(height, width))
        at = tuple(int(rng.integers(radius, max(radius + 1, size - radius))) for size in (width, height))
        cv2.circle(layer, at, radius, tuple(int(v) for v in rng.integers(0, 256, 3)), -1, cv2.LINE_AA)
        cv2.putText(layer, "PX", (at[0] - radius // 2, at[1] + radius // 4), font, radius / 40, ink, thick, cv2.LINE_AA)
    alpha = rng.uniform(0.4, 0.7)
    return bytes_of(alpha * layer + (1 - alpha) * pixels)


def _rotate(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    """Within the same frame; the corners are filled with the picture's mirror image."""
    height, width = pixels.shape[:2]
    angle = rng.choice((-1, 1)) * rng.uniform(2, 5)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    return cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def _grayscale(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)


def _exif_rotated(rng: np.random.Generator, data: bytes) -> bytes:
    """Stored turned, with the orientation (EXIF 2.3, tag 274) that turns it back."""
    orientation, turns = ((6, 1), (3, 2), (8, 3))[int(rng.integers(3))]
    exif = Image.Exif()
    exif[0x0112] = orientation
    return jpeg(np.ascontiguousarray(np.rot90(load(data), turns)), exif=exif)


# kind: (file ending, or None for the original's; how it is made)
COPIES: dict[str, tuple[str | None, Make]] = {
    "exact": (None, lambda rng, data: data),
    "meta_only": (None, _meta_only),
    "png_same_pixels": (".png", _png),
    "jpeg_q30_49": (".jpg", _jpeg(30, 49)),
    "jpeg_q50_69": (".jpg", _jpeg(50, 69)),
    "jpeg_q70_90": (".jpg", _jpeg(70, 90)),
    "resize_50_69": (".jpg", _resize(0.5, 0.69)),
    "resize_70_90": (".jpg", _resize(0.7, 0.9)),
    "crop_2_5": (".jpg", _crop(0.02, 0.05)),
    "crop_5_10": (".jpg", _crop(0.05, 0.1)),
    "brightness": (".jpg", _edit(_brightness)),
    "contrast": (".jpg", _edit(_contrast)),
    "gamma": (".jpg", _edit(_gamma)),
    "hflip": (".jpg", _edit(_hflip)),
    "watermark": (".jpg", _edit(_watermark)),
    "rotate_2_5": (".jpg", _edit(_rotate)),
    "grayscale": (".jpg", _edit(_grayscale)),
    "exif_rotated": (".jpg", _exif_rotated),
}


def deal(rng: np.random.Generator, n: int, per_kind: int = 50, per_original: int = 3) -> list[tuple[int, str]]:
    """(original, kind) of every copy: as many of each kind as can be, never two of one kind of one original."""
    kinds, order = list(COPIES), rng.permutation(n)
    offsets = np.zeros((-(-n // len(kinds)), per_original), np.int64)
    for group in offsets[:-1]:
        group[1:] = 1 + rng.permutation(len(kinds) - 1)[: per_original - 1]
    offsets[-1:] = np.arange(per_original) * len(kinds) // per_original  # spreads what does not go round
    turns = [(at, offsets[at // len(kinds), turn]) for turn in range(per_original) for at in range(n)]
    return [(int(order[at]), kinds[(at + offset) % len(kinds)]) for at, offset in turns[: per_kind * len(kinds)]]
