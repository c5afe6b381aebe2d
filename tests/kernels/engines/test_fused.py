"""The fused kernel: float64 brute force on many seeds, and its ways out. test_device.py asks it everything else."""

import json
import os
import subprocess
import sys
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pixsieve import kernels
from pixsieve.kernels.engines import device, host, tiled
from pixsieve.kernels.search import locality, walk
from pixsieve.kernels.search.part import Lows, Part, halves
from tests.kernels import brute, checks
from tests.kernels.interpreted import runtime


def through(monkeypatch, pointers=False):
    made = runtime(pointers)
    monkeypatch.setattr(host, "Host", lambda: device.Device(made))
    monkeypatch.setattr(device, "FUSED", 128)
    return made.fused


@pytest.mark.parametrize("seed", range(20))
def test_pairs_of_seeds(monkeypatch, seed):
    fused = through(monkeypatch, pointers=seed % 4 > 1)
    rng = np.random.default_rng(seed)
    eps = [0.01, 0.05, 0.15][seed % 3]
    dtype = ["float64", "float32", "float16"][seed % 3]
    x = brute.planted(rng, 100 + 5 * seed, int(rng.integers(3, 150)), eps, dtype)
    cut = int(rng.integers(20, 70)) if seed % 5 == 4 else None
    a, b = (x, None) if cut is None else (x[:cut], x[cut:])
    metric, threshold = ("cosine", 1 - eps) if seed % 2 else ("euclidean", float(np.sqrt(2 * eps)))
    values, mask = brute.hits(a, b, metric, threshold)
    i, j, s = checks.collected(kernels.pairs(a, b, threshold=threshold, metric=metric, prefix="off"))
    assert list(zip(i, j, strict=True)) == list(zip(*np.nonzero(mask), strict=True))
    np.testing.assert_array_equal(s, values[i, j])
    assert fused.variants == ({"plain"} if seed % 2 else {"offset"})


@pytest.mark.parametrize("pointers", [False, True])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("seed", range(3))
def test_whole_numbers_rule_out_no_pair(monkeypatch, metric, seed, pointers):
    fused = through(monkeypatch, pointers)
    monkeypatch.setattr(locality, "int8_pays", lambda *given: True)
    rng = np.random.default_rng(seed)
    eps = [0.01, 0.05, 0.3][seed]
    x = brute.planted(rng, 120, [40, 130, 5][seed], eps, ["float64", "float32", "float16"][seed])
    x[[3, 77, 110]] = 0
    checks.check_pairs(x, None, metric, 1 - eps if metric == "cosine" else float(np.sqrt(2 * eps)))
    assert {"int8", "offset"} <= fused.variants


@pytest.mark.parametrize("metric, threshold", [("cosine", 0.0), ("cosine", -0.01), ("euclidean", 0.0)])
def test_whole_numbers_and_rows_of_zeros(monkeypatch, metric, threshold):
    through(monkeypatch)
    monkeypatch.setattr(locality, "int8_pays", lambda *given: True)
    x = checks.vectors(np.random.default_rng(2), 60, 12, 0.2, 10, 6)
    checks.check_pairs(x[:25], x[25:], metric, threshold)


# Of the 4,096 pairs of a cell, more than 4096 / gather are a crowd: all, some, one.
@pytest.mark.parametrize("gather, cells", [(1, set()), (400, {"cells"}), (10**6, {"cells"})])
def test_crowded_cells_are_done_in_full(monkeypatch, gather, cells):
    fused = through(monkeypatch)
    monkeypatch.setattr(device.Device, "gather", gather)
    x = checks.vectors(np.random.default_rng(0), 200, 40, 0.02, 10, 2)
    x = x[np.argsort(x[:, 0])] if gather < 10**6 else x[::2]
    checks.check_pairs(x, None, "cosine", 0.95, prefix=4)
    assert fused.variants == {"crowds"} | cells


def test_a_cell_with_one_pair_too_many_is_done_in_full(monkeypatch):
    through(monkeypatch)
    monkeypatch.setattr(device.Device, "gather", 10**6)
    x = np.random.default_rng(1).normal(size=(120, 24))
    x[100] = x[3]
    checks.check_pairs(x, None, "cosine", 0.999, prefix=12)


# A cell has 64 x 64 pairs; no part of fewer is refused.
@pytest.mark.parametrize("prefix, n, most", [("off", 80, 1000), (4, 150, 4096)])
@pytest.mark.parametrize("triangle", [True, False])
def test_more_pairs_than_room(monkeypatch, prefix, n, most, triangle):
    """Too little room is made larger, up to a limit; beyond it the part is halved."""
    through(monkeypatch)
    asked = []
    read = device.Device._read

    def small(self, *rest):
        self._room, self._most = min(self._room, 5), most
        found = read(self, *rest)
        asked.append(None if found is None else len(found.i))
        return found

    monkeypatch.setattr(device.Device, "_read", small)
    x = checks.vectors(np.random.default_rng(1), n, 20, 0.2, 5, 2)
    a, b = (x, None) if triangle else (x[:40], x[40:])
    checks.check_pairs(a, b, "cosine", -0.4, prefix=prefix)
    assert None in asked
    assert 5 < max(n for n in asked if n is not None) <= most
    checks.check_neighbours(a, b, "euclidean", 9, prefix=prefix)


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(0, 30), st.integers(0, 30))
def test_halves_hold_every_pair_once(height, ahead, more):
    """Of a triangle, and none of them is empty; with what goes with its rows and columns."""
    width = max(1, height - ahead + more)
    whole = Part(None, None, None, None, slice(0, height), slice(ahead, ahead + width), ahead < height, False)
    parts = [(whole, Lows(0.0, 1, np.arange(height), ahead + np.arange(width)))]
    seen = np.zeros((height, ahead + width), int)
    while parts:
        part, lows = parts.pop()
        assert part.height > 0 and part.width > 0
        assert (lows.floor_row == part.row_numbers()).all() and (lows.floor_column == part.column_numbers()).all()
        assert part.place == (part.rows.start, part.columns.start - ahead)
        if part.height * part.width > 3:
            parts += halves(part, lows)
        else:
            seen[part.rows, part.columns] += 1
    asked = np.zeros_like(seen)
    asked[:, ahead:] = 1
    assert seen.max() == 1
    if ahead < height:
        asked = np.triu(asked, 1)
    assert (seen >= asked).all()


def test_lists_of_a_part_on_the_diagonal_look_at_few_pairs(monkeypatch):
    """Most of its rows have no pair with its first columns, but some with its first rows."""
    through(monkeypatch)
    monkeypatch.setattr(tiled, "HEIGHT", 16)
    monkeypatch.setattr(tiled, "WIDTH", 16)
    handed_on, hits = [], walk.Walk._hits
    monkeypatch.setattr(walk.Walk, "_hits", lambda self, i, *rest: (handed_on.append(len(i)), hits(self, i, *rest))[1])
    x = np.random.default_rng(0).normal(size=(192, 20))
    checks.check_neighbours(x, None, "cosine", 2, prefix="off")
    assert sum(handed_on) < 192 * 191 / 4


def test_a_torch_without_cuda_leaves_the_tiles(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    gpu = SimpleNamespace(compute_capability="90", attributes={})
    assert device._fused(SimpleNamespace(cuda=SimpleNamespace(Device=lambda: gpu))) is None


@pytest.mark.parametrize("capability", ["75", "100", "103"])
def test_gpus_that_the_kernel_is_not_compiled_for_leave_the_tiles(monkeypatch, capability):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    gpu = SimpleNamespace(compute_capability=capability, attributes={})
    assert device._fused(SimpleNamespace(cuda=SimpleNamespace(Device=lambda: gpu))) is None


@pytest.mark.parametrize("which", ["--some", pytest.param("--all", marks=pytest.mark.slow)])
def test_the_kernel_compiles_without_spills(which):
    """For GPUs that are not there. Tensor cores, copies in the background, all in registers."""
    own = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    command = [sys.executable, "-m", "tests.kernels.compiled", which]
    seen = subprocess.run(command, env=own, capture_output=True, text=True)
    print(seen.stdout, seen.stderr)
    assert seen.returncode == 0
    lines = [json.loads(line) for line in seen.stdout.splitlines()]
    assert {(line["gpu"], line["shape"]) for line in lines} == set(
        product(("sm_80", "sm_90"), ("deep", "shallow", "laden"))
    )
    for line in lines:
        int8, instructions = "int8" in line["variant"], set(line["instructions"])
        assert line["spilled"] == 0 and not instructions & {"LDL", "STL"}
        matrices, copies = {
            "sm_80": ("IMMA" if int8 else "HMMA", "LDGSTS"),
            "sm_90": ("IGMMA" if int8 else "HGMMA", "UTMALDG"),
        }[line["gpu"]]
        assert {matrices, copies} <= instructions
        # What a multiprocessor has: registers, and bytes of shared memory (A100, H100), a kilobyte a block its own.
        blocks = 2 if line["shape"] == "shallow" or (line["gpu"], line["shape"]) == ("sm_80", "deep") else 1
        threads = 128 if blocks == 2 else 256
        assert blocks * threads * line["registers"] <= 65536
        assert blocks * (line["shared"] + 1024) <= {"sm_80": 164, "sm_90": 228}[line["gpu"]] * 1024
