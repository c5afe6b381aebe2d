"""The fused kernel: right in Triton's interpreter, and compiled for GPUs without one."""

import os

import numpy as np
import pytest
import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # before Triton is imported

import kernels
from kernels import device, host
from kernels.fused import Fused, Shape, Shapes
from tests.kernels import brute, checks
from tests.kernels.cuda_cpu import Shim

interpreted = pytest.mark.skipif(torch.cuda.is_available(), reason="test_device.py runs the kernel on the GPU")
SMALL = Shape(64, 64, 32, 128, 32, 4, 2)
DEEP = Shape(64, 128, 64, 128, 64, 8, 2)


@pytest.fixture(params=[False, True], ids=["descriptors", "pointers"])
def on(request, monkeypatch):
    """NumPy arrays go through the engine of the GPU and the interpreted kernel."""
    fused = Fused(np, torch.from_numpy, 2, Shapes(DEEP, SMALL, SMALL, request.param))
    runtime = Shim(fused=fused)
    monkeypatch.setattr(host, "Host", lambda: device.Device(runtime))
    monkeypatch.setattr(device, "FUSED", 128)
    return kernels


@interpreted
@pytest.mark.parametrize("seed", range(20))
def test_pairs_of_seeds(on, seed):
    rng = np.random.default_rng(seed)
    eps = [0.01, 0.05, 0.15][seed % 3]
    x = brute.planted(rng, 200 + 7 * seed, int(rng.integers(3, 150)), eps, ["float64", "float32", "float16"][seed % 3])
    checks.check_pairs(x, None, "cosine", 1 - eps, on=on, prefix="off")
