"""A demonstration set that the program draws itself: scenes like photographs, with planted copies, bursts, oddballs and
broken files, so that a newcomer (and a test) can see what is found and knows what should be."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from pixsieve.errors import ConfigError

WIDTH, HEIGHT = 480, 360
BURST = 8  # frames of one scene, each a little further on


@dataclass(frozen=True)
class Planted:
    """A file of the set. kind: scene | exact | pixels | near | oddball | damaged | (a status of images.STATUSES)."""

    key: str
    kind: str
    of: str = ""  # the key of the file that it is a copy of


def draw(folder: Path, scenes: int = 160, seed: int = 0) -> list[Planted]:
    """Draws the set into an empty or new folder. ConfigError if there is something in it."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; the demonstration set needs a folder of its own")
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty; the demonstration set needs a folder of its own")
    rng = np.random.default_rng(seed)
    planted = []
    for number in range(scenes):
        picture = scene(rng)
        label = ("coast", "hills", "city", "fields")[number % 4]
        key = f"{label}/scene_{number:04}.jpg"
        _save(folder / key, picture, quality=88)
        planted.append(Planted(key, "scene"))
        if number % 2 == 0:
            name = list(COPIES)[number // 2 % len(COPIES)]
            kind, suffix, make = COPIES[name]
            copy = Planted(f"{label}/copy_{number:04}_{name}{suffix}", kind, key)
            make(rng, folder / key, folder / copy.key)
            planted.append(copy)
    for burst in range(2):
        first, picture = f"bursts/{burst}_frame_0.jpg", scene(rng)
        for frame in range(BURST):
            key = f"bursts/{burst}_frame_{frame}.jpg"
            _save(folder / key, np.roll(picture, (frame // 3, frame), axis=(0, 1)), quality=85 + frame)
            planted.append(Planted(key, "near" if frame else "scene", first if frame else ""))
    for name, picture in _oddballs(rng).items():
        _save(folder / f"misc/{name}.png", picture)
        planted.append(Planted(f"misc/{name}.png", "oddball"))
    return planted + _broken(folder, scene(rng))


def scene(rng: np.random.Generator) -> np.ndarray:
    """(HEIGHT, WIDTH, 3) uint8: a sky, ranges of hills and some bodies, under cloud and grain."""
    y = np.linspace(0, 1, HEIGHT)[:, None, None]
    picture = (1 - y) * rng.uniform(60, 255, 3) + y * rng.uniform(20, 220, 3) * np.ones((1, WIDTH, 1))
    for depth in range(int(rng.integers(2, 5))):
        crest = HEIGHT * (rng.uniform(0.15, 0.45) + 0.15 * depth) + _noise(rng, 1, WIDTH, 1.4)[0] * rng.uniform(15, 70)
        picture[np.arange(HEIGHT)[:, None] > crest] = rng.uniform(10, 230, 3)
    for _ in range(int(rng.integers(3, 9))):
        centre = tuple(int(v) for v in rng.uniform(0, (WIDTH, HEIGHT)))
        axes = tuple(int(v) for v in rng.uniform(12, 90, 2))
        colour = tuple(float(v) for v in rng.uniform(0, 255, 3))
        if rng.random() < 0.5:
            cv2.ellipse(picture, centre, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
        else:
            corner = (centre[0] + axes[0], centre[1] + 2 * axes[1])
            cv2.rectangle(picture, centre, corner, colour, -1)
    picture += _noise(rng, HEIGHT, WIDTH, 1.2)[:, :, None] * rng.uniform(12, 40)
    picture += rng.normal(size=(HEIGHT, WIDTH, 1)) * 4
    return np.clip(picture, 0, 255).astype(np.uint8)


def _noise(rng: np.random.Generator, height: int, width: int, power: float) -> np.ndarray:
    """Noise with the spectrum 1/f^power, of unit deviation."""
    f = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    f[0, 0] = np.inf
    field = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(height, width))) / f**power, s=(height, width))
    return field / field.std()


def _save(path: Path, picture: np.ndarray, quality: int = 90) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    setting = {".jpg": cv2.IMWRITE_JPEG_QUALITY, ".webp": cv2.IMWRITE_WEBP_QUALITY}.get(path.suffix)
    flags = [] if setting is None else [setting, quality]
    path.write_bytes(cv2.imencode(path.suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), flags)[1].tobytes())


def _load(path: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def _edit(change: Callable[[np.random.Generator, np.ndarray], np.ndarray], quality: int = 85) -> Callable[..., None]:
    return lambda rng, source, target: _save(target, change(rng, _load(source)), quality)


def _copy(rng: np.random.Generator, source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _crop(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    left, right, top, bottom = rng.uniform(0.005, 0.025, 4) * (WIDTH, WIDTH, HEIGHT, HEIGHT)
    return picture[int(top) : HEIGHT - int(bottom), int(left) : WIDTH - int(right)]


def _brighter(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    return np.clip(picture.astype(np.float32) * 0.85 + 30, 0, 255).astype(np.uint8)


def _grey(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    return np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2)


def _resize(factor: float) -> Callable[[np.random.Generator, np.ndarray], np.ndarray]:
    size = (int(WIDTH * factor), int(HEIGHT * factor))
    return lambda rng, picture: cv2.resize(
        picture, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    )


class Copy(NamedTuple):
    kind: str  # what must be found
    suffix: str
    make: Callable[[np.random.Generator, Path, Path], None]  # of the original, to a file


COPIES = {
    "copy": Copy("exact", ".jpg", _copy),
    "lossless": Copy("pixels", ".png", _edit(lambda rng, picture: picture)),
    "jpeg40": Copy("near", ".jpg", _edit(lambda rng, picture: picture, 40)),
    "webp": Copy("near", ".webp", _edit(lambda rng, picture: picture)),
    "half": Copy("near", ".jpg", _edit(_resize(0.5))),
    "larger": Copy("near", ".jpg", _edit(_resize(1.3))),
    "crop": Copy("near", ".jpg", _edit(_crop)),
    "brighter": Copy("near", ".jpg", _edit(_brighter)),
    "grey": Copy("near", ".jpg", _edit(_grey)),
}


def _oddballs(rng: np.random.Generator) -> dict[str, np.ndarray]:
    text = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    for line in range(9):
        cv2.putText(text, "total 0123456789 EUR", (20, 40 + 36 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (0, 0, 0), 2)
    board = (np.indices((HEIGHT, WIDTH)).sum(axis=0) // 40 % 2 * 255).astype(np.uint8)
    return {
        "black": np.zeros((HEIGHT, WIDTH, 3), np.uint8),
        "white": np.full((HEIGHT, WIDTH, 3), 255, np.uint8),
        "noise": rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8),
        "receipt": text,
        "stripes": np.repeat(board[:, :, None], 3, axis=2),
    }


def _broken(folder: Path, picture: np.ndarray) -> list[Planted]:
    whole = cv2.imencode(".jpg", picture)[1].tobytes()
    png = bytearray(cv2.imencode(".png", picture)[1].tobytes())
    png[len(png) // 2] ^= 0x10
    rotten = bytearray(whole)
    rotten[len(rotten) // 2 : len(rotten) // 2 + 40] = bytes(40)
    contents = {
        "truncated.jpg": ("truncated", whole[: len(whole) // 2]),
        "truncated.png": ("truncated", bytes(png[: len(png) // 3])),
        "empty.jpg": ("empty", b""),
        "notes.jpg": ("not_image", b"These are not the pixels you are looking for.\n"),
        "rotten.jpg": ("damaged", bytes(rotten)),
        "one_pixel.png": ("too_small", cv2.imencode(".png", picture[:1, :1])[1].tobytes()),
    }
    planted = []
    for name, (status, content) in contents.items():
        path = folder / "broken" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        planted.append(Planted(f"broken/{name}", status))
    return planted
