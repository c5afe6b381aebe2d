"""Files of images to what is known of them, in the order of their rows: some threads read ahead, others decode."""

import errno
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import xxhash

from pixsieve.config.section import View
from pixsieve.folder.run_folder import Run
from pixsieve.images import decode
from pixsieve.images.blocks import blocking
from pixsieve.images.colour import chroma
from pixsieve.images.detail import spectrum
from pixsieve.images.statistics import Statistics, luma, reduce, statistics
from pixsieve.images.taken import taken
from pixsieve.sources import folder

GROUP = 32  # images that a thread takes at a time
READERS = 8  # threads that wait for storage
Prepares = Mapping[View, Callable[[np.ndarray, np.ndarray], np.ndarray]]
# Errors that belong to a file. Any other may pass, and so is the unit's: it is tried again.
LASTING = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)


class Embedded(NamedTuple):
    """One image after its thread is done with it."""

    status: str
    reason: str = ""
    file_digest: bytes | None = None
    pixel_digest: bytes | None = None
    width: int | None = None
    height: int | None = None
    format: str | None = None
    chroma: bytes | None = None
    spectrum: bytes | None = None
    blocking: float | None = None
    seen: str | None = None
    taken: datetime | None = None
    camera: str | None = None
    statistics: Statistics | None = None
    prepared: Mapping[View, np.ndarray] | None = None


class Spent(NamedTuple):
    """Seconds of threads, in pieces."""

    reading: list[float]
    decoding: list[float]

    def seconds(self, threads: int) -> dict[str, float]:
        """That reading and decoding took together, by all threads at once."""
        return {"reading": sum(self.reading) / READERS, "decoding": sum(self.decoding) / threads}


def decoded(run: Run, table: pa.Table, prepares: Prepares, spent: Spent) -> Iterator[Embedded]:
    """The rows in order. Many threads wait for storage, one for each core decodes. What is in flight is bounded: in
    bytes of encoded images, and in rows."""
    uris, sizes = table["uri"].to_pylist(), np.maximum(table["bytes"].to_numpy(), 1)
    limit = run.config.embed.read_ahead_mb << 20
    inflight: deque[tuple[Future[list[Embedded]], int]] = deque()
    held, depth = 0, READERS + 2 * run.threads + run.config.embed.batch_size // GROUP
    with ThreadPoolExecutor(READERS) as readers, ThreadPoolExecutor(run.threads) as decoders:
        at = 0
        while at < len(uris) or inflight:
            while at < len(uris) and len(inflight) < depth:
                within = np.searchsorted(np.cumsum(sizes[at : at + GROUP]), limit - held, side="right")
                take = int(max(within, 0 if inflight else 1))
                if not take:
                    break
                part = slice(at, at + take)
                cost = int(sizes[part].sum())
                read = readers.submit(_read_all, run, uris[part], sizes[part].tolist(), spent)
                inflight.append((decoders.submit(_describe_all, run, read, prepares, spent), cost))
                held, at = held + cost, at + take
            group, cost = inflight.popleft()
            yield from group.result()
            held -= cost


def _read_all(run: Run, uris: list[str], sizes: list[int], spent: Spent) -> list[bytes | Embedded]:
    started = time.perf_counter()
    found = [_read(run, uri, size) for uri, size in zip(uris, sizes, strict=True)]
    spent.reading.append(time.perf_counter() - started)
    return found


def _describe_all(run: Run, read: Future[list[bytes | Embedded]], prepares: Prepares, spent: Spent) -> list[Embedded]:
    known, started = read.result(), time.perf_counter()
    found = [data if isinstance(data, Embedded) else _described(run, data, prepares) for data in known]
    spent.decoding.append(time.perf_counter() - started)
    return found


def _read(run: Run, uri: str, size: int) -> bytes | Embedded:
    if size > run.config.embed.max_file_mb << 20:
        return Embedded("too_large", f"{size} bytes; embed.max_file_mb is {run.config.embed.max_file_mb}")
    try:
        return folder.read(run.config.source, uri)
    except OSError as error:
        if error.errno not in LASTING:
            raise
        return Embedded("unreadable", f"cannot be read: {error.strerror}")


def _described(run: Run, data: bytes, prepares: Prepares) -> Embedded:
    """Whatever is wrong with a file is said of that file, and stops no other."""
    digest = xxhash.xxh3_128_digest(data)
    image = decode.decode(data, run.config.embed.max_pixels, run.config.embed.max_decode_mb)
    shot = taken(data)
    about = Embedded(
        image.status,
        image.reason,
        digest,
        image.digest,
        _side(image.width),
        _side(image.height),
        image.format,
        seen=image.seen,
        taken=shot.time,
        camera=shot.camera or None,
    )
    if image.pixels is None:
        return about
    try:
        grey = reduce(luma(image.pixels))
        return about._replace(
            chroma=chroma(image.pixels).tobytes(),
            spectrum=spectrum(image.pixels).tobytes(),
            blocking=None if image.format == "JPEG" else blocking(image.pixels),
            statistics=statistics(image.pixels, grey),
            prepared={view: prepare(image.pixels, grey) for view, prepare in prepares.items()},
        )
    except Exception as error:  # an image of a form that nobody has thought of
        return about._replace(status="unreadable", reason=f"{type(error).__name__}: {error}")


def _side(pixels: int) -> int | None:
    """A header may say more than a table holds; the reason has it."""
    return pixels if 0 < pixels < 1 << 31 else None
