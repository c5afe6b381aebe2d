"""Any other format, by Pillow."""

import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from pixsieve.images.orientation import upright
from pixsieve.images.status import Refused, room_for


def read_any(data: bytes, max_pixels: int, objection: str = "") -> tuple[np.ndarray, str]:
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            with room_for(width, height, max_pixels):
                image.load()
                return upright(_rgb(image), image.getexif().get(0x0112, 1)), objection
    except UnidentifiedImageError:
        raise Refused("not_image", objection or f"no known image format (begins with {data[:8]!r})") from None
    except (Refused, MemoryError):
        raise
    except Exception as error:
        status = "truncated" if "truncated" in str(error).lower() else "unreadable"
        raise Refused(status, objection or f"{type(error).__name__}: {error}") from None


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
