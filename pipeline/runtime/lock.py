"""One live process for one run folder."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from pixsieve import files
from pixsieve.errors import FolderBusyError, FolderDamagedError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds RUN/lock. The lock of a dead process is taken over; a live one is refused with FolderBusyError."""
    path = folder / "lock"
    me = {"host": socket.gethostname(), "pid": os.getpid(), "started": psutil.Process().create_time()}
    with _guard(folder):
        owner = _owner(path)
        if owner is not None and _alive(owner):
            raise FolderBusyError(
                f"{folder} is in use by process {owner['pid']} on {owner['host']}; wait for it"
                + ("" if owner["host"] == me["host"] else f", or delete {path} if you know that it is dead")
            )
        files.write_json(path, me)
    try:
        yield
    finally:
        with _guard(folder):
            if _owner(path) == me:
                path.unlink()


@contextmanager
def _guard(folder: Path) -> Iterator[None]:
    """Two processes must not look at the lock at once. The kernel frees this when a process dies."""
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _owner(path: Path) -> dict[str, Any] | None:
    try:
        owner = files.read_json(path)
        return owner if {"host", "pid", "started"} <= owner.keys() else None
    except (FileNotFoundError, FolderDamagedError, AttributeError):
        return None


def _alive(owner: dict[str, Any]) -> bool:
    if owner["host"] != socket.gethostname():
        return True
    try:
        process = psutil.Process(owner["pid"])
        return abs(process.create_time() - owner["started"]) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
