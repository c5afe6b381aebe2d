"""Which engine works on an array: the host's on NumPy arrays, the GPU's on CuPy arrays."""

from typing import Any

import numpy as np

from pixsieve.kernels.search.part import Engine


def engine_of(x: Any) -> Engine:
    if type(x) in (np.ndarray, np.memmap):  # others, as masked arrays, mean something else by their values
        from pixsieve.kernels.engines.host import Host

        return Host()
    if type(x).__module__.partition(".")[0] == "cupy":
        from pixsieve.kernels.engines.device import Device

        return Device()
    raise TypeError(f"rows are a {type(x).__name__}; a NumPy or a CuPy array is needed")
