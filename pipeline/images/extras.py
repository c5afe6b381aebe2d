"""Formats that a package of their own reads: `pip install "pixsieve[heif]"`, `[jxl]`, `[raw]`."""

import importlib
import io
from types import ModuleType

from pixsieve.images.content import Content, digest_of_frames
from pixsieve.images.formats import Named
from pixsieve.images.pillow import read_any
from pixsieve.images.status import Limits, Refused

PACKAGES = {"heif": "pillow_heif", "jxl": "pillow_jxl", "raw": "rawpy"}


def read_named(known: Named, data: bytes, limits: Limits) -> Content:
    """Refused for what nothing reads, and where the package is missing."""
    if known.extra is None:
        raise Refused("not_image", known.why)
    package = _package(known.extra)
    if package is None:
        raise Refused("unreadable", f"{known.format}: install 'pixsieve[{known.extra}]' to have it read")
    if known.extra == "raw":
        return _developed(package, data, limits)
    if known.extra == "heif":
        package.register_heif_opener()
    try:
        return read_any(data, limits, formats=(known.format,))
    except Refused as refusal:
        status, *rest = refusal.args
        raise Refused("unreadable" if status == "not_image" else status, *rest) from None


def _package(extra: str) -> ModuleType | None:
    try:
        return importlib.import_module(PACKAGES[extra])
    except ImportError:
        return None


def _developed(rawpy: ModuleType, data: bytes, limits: Limits) -> Content:
    with rawpy.imread(io.BytesIO(data)) as raw:
        limits.check(raw.sizes.iwidth, raw.sizes.iheight)
        digest = digest_of_frames([("sensor", raw.raw_image)])
        pixels = raw.postprocess(use_camera_wb=True, output_bps=8)
    return Content(pixels, digest, "", "developed from the sensor's values")
