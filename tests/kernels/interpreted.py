"""The fused kernel by Triton's interpreter, on NumPy arrays."""

import os

import numpy as np
import pytest
import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # read when kernels are made: before engines.fused is imported

from pixsieve.kernels.engines.fused import Fused, Shape, Shapes
from tests.kernels.cuda_cpu import Shim

# Of all that Shape says, what changes the answers if it is wrong.
SMALL = Shape(rows=64, columns=64, depth=32, area=128, chunk=16, warps=4, stages=2)
DEEP = Shape(rows=64, columns=128, depth=64, area=128, chunk=16, warps=8, stages=2)


class Interpreted(Fused):
    """Remembers which variants ran."""

    def __init__(self, pointers: bool) -> None:
        if torch.cuda.is_available():
            pytest.skip("the kernel runs on the GPU here, not in the interpreter")
        # The interpreter takes arrays for one that begin at one address; nothing is written to a view.
        super().__init__(
            np, lambda x: torch.from_numpy(x if x.base is None else x.copy()), 2, Shapes(DEEP, SMALL, SMALL, pointers)
        )
        self.variants: set[str] = set()

    def select(self, part, sides, low, slack, room, out, crowds=None, most=0):
        given = {name.partition("_")[0] for name, side in sides._asdict().items() if side is not None}
        given |= {name for name, is_so in (("int8", part.screen.unit), ("cells", part.cells is not None)) if is_so}
        self.variants |= given | ({"crowds"} if crowds is not None else set()) or {"plain"}
        super().select(part, sides, low, slack, room, out, crowds, most)


def runtime(pointers: bool = False) -> Shim:
    return Shim(fused=Interpreted(pointers))
