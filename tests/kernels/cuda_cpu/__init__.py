"""The project's CUDA sources on the CPU: compiled by g++ behind shim.h, which runs each CUDA thread as a fibre."""

import ctypes
import hashlib
import re
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from pixsieve.kernels.engines.runtime import source

HERE = Path(__file__).parent
FLAGS = ("-std=c++17", "-O2", "-ffp-contract=off", "-fPIC", "-pthread", "-mtls-dialect=gnu2", "-Wno-unknown-pragmas")


@cache
def library(file: str) -> ctypes.CDLL:
    body = f'#include "{HERE / "shim.h"}"\n{source(file)}'
    compiler = ("g++", "-x", "c++", *FLAGS)
    seen = subprocess.run([*compiler, "-E", "-"], input=body, text=True, capture_output=True, check=True).stdout
    names = re.findall(r'extern\s+"C"\s+void\s+(\w+)\s*\(', seen)
    body += "".join(f"SHIM_EXPORT({name})\n" for name in names if not name.startswith("shim_"))
    key = hashlib.sha256(body.encode() + (HERE / "shim.h").read_bytes()).hexdigest()[:16]
    target = Path(tempfile.gettempdir(), f"pixsieve-{file}-{key}.so")
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            made = Path(scratch, target.name)
            subprocess.run([*compiler, "-shared", "-", "-o", str(made)], input=body, text=True, check=True)
            made.rename(target)
    return ctypes.CDLL(str(target))


class Shim:
    """A runtime for engines.device.Device. fused: a engines.fused.Fused that Triton interprets, or None."""

    xp = np

    def __init__(self, memory: int = 2**30, fused=None) -> None:
        self.memory, self.fused, self.launched = memory, fused, []

    def launch(self, file, kernel, grid, block, *args) -> None:
        self.launched.append(kernel)
        pointers, kept = (ctypes.c_void_p * len(args))(), []
        for at, value in enumerate(args):
            if isinstance(value, np.ndarray):
                of_a_tile = value.ndim == 2 and value.dtype == np.float16  # whose rows lie apart
                assert value.flags.c_contiguous or of_a_tile, f"{kernel}: argument {at} is strided"
                held = ctypes.c_void_p(value.ctypes.data)
            else:
                assert isinstance(value, np.generic), f"argument {at} of {kernel} is a {type(value).__name__}"
                held = np.ctypeslib.as_ctypes(np.asarray(value).reshape(1))
            kept.append(held)
            pointers[at] = ctypes.addressof(held)
        sizes = ((ctypes.c_uint * 3)(*(*shape, 1, 1)[:3]) for shape in (grid, block))
        function = getattr(library(file), f"shim_launch_{kernel}")
        function.restype = None
        function(*sizes, ctypes.c_size_t(0), pointers, ctypes.c_uint(1))

    def product(self, left, right, out) -> None:
        out[:] = left.astype(np.float32) @ right.astype(np.float32).T

    def free_memory(self) -> int:
        return self.memory
