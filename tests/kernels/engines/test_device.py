"""The engine of the GPU: its kernels compile, and give the host's answers, on the CPU behind a shim and on a GPU."""

import ctypes
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pixsieve import kernels
from pixsieve.kernels.engines import device, host, tiled
from pixsieve.kernels.engines.runtime import FILES, OPTIONS, source
from tests.kernels import brute, checks
from tests.kernels.cuda_cpu import Shim

METRICS = ("cosine", "euclidean", "proximity", "hamming", "jaccard")


def shim(monkeypatch):
    """NumPy arrays go through the engine of the GPU."""
    runtime = Shim()
    monkeypatch.setattr(host, "Host", lambda: device.Device(runtime))
    monkeypatch.setattr(tiled, "HEIGHT", 128)
    monkeypatch.setattr(tiled, "WIDTH", 64)
    monkeypatch.setattr(device, "HEIGHT", 128)
    monkeypatch.setattr(device, "WIDTH", 64)
    monkeypatch.setattr(device.Device, "block", 16)
    return kernels


def interpreted(monkeypatch):
    """NumPy arrays go through the engine of the GPU with the fused kernel."""
    from tests.kernels import interpreted as interpreter

    on, runtime = shim(monkeypatch), interpreter.runtime()
    monkeypatch.setattr(host, "Host", lambda: device.Device(runtime))
    monkeypatch.setattr(device, "FUSED", 128)
    return on


def gpu_tiled(monkeypatch):
    """As `gpu`, tile by tile."""
    on = gpu(monkeypatch)
    made = device.cupy_runtime()
    monkeypatch.setattr(made, "fused", None)
    return on


def gpu(monkeypatch):
    """NumPy arrays go to the GPU and back."""
    import cupy

    def there(x):
        if isinstance(x, list):
            return [there(part) for part in x]
        return cupy.asarray(x) if isinstance(x, np.ndarray) else x

    def back(x):
        if hasattr(x, "_fields"):
            return type(x)(*map(back, x))
        if isinstance(x, tuple):
            return tuple(map(back, x))
        return x.get() if isinstance(x, cupy.ndarray) else x

    def through(function):
        def call(*args, **options):
            found = function(*map(there, args), **{name: there(value) for name, value in options.items()})
            return map(back, found) if function is kernels.pairs else back(found)

        return call

    return SimpleNamespace(**{name: through(getattr(kernels, name)) for name in kernels.__all__ if name[0].islower()})


ON_GPU = [pytest.param(way, marks=pytest.mark.gpu) for way in (gpu, gpu_tiled)]


@pytest.fixture(params=[shim, interpreted, *ON_GPU])
def on(request, monkeypatch):
    return request.param(monkeypatch)


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
@pytest.mark.parametrize("file", FILES)
def test_the_kernels_compile(file, architecture):
    """By NVRTC, which is what CuPy compiles with."""
    import nvidia.cu13

    folder = Path(nvidia.cu13.__path__[0], "lib")
    for part in ("libnvrtc-builtins.so.13.0", "libnvrtc.so.13"):  # the second looks for the first by its name
        library = ctypes.CDLL(str(folder / part), mode=ctypes.RTLD_GLOBAL)
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    assert library.nvrtcCreateProgram(ctypes.byref(program), source(file).encode(), b"k.cu", 0, None, None) == 0
    options = [f"--gpu-architecture={architecture}".encode(), *(option.encode() for option in OPTIONS)]
    failed = library.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    library.nvrtcGetProgramLog(program, log)
    assert not failed and b"warning" not in log.value, log.value.decode()
    assert library.nvrtcGetCUBINSize(program, ctypes.byref(size)) == 0 and size.value > 1000


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", range(4))
def test_pairs_counts_neighbours(on, metric, seed):
    rng = np.random.default_rng(seed)
    n, m = [(150, None), (90, 140), (1, None), (0, 3)][seed]
    x = brute.rows(rng, n + (m or 0), 20, metric, ["float16", "float32", "float64", "float32"][seed])
    a, b = (x, None) if m is None else (x[:n], x[n:])
    for threshold in (0.3, 0.9):
        checks.check_pairs(a, b, metric, threshold, on=on)
    checks.check_neighbours(a, b, metric, 7, on=on)


@pytest.mark.parametrize("bits", [8, 32, 40, 64, 128, 256, 264])
def test_bit_strings(on, bits, request):
    if bits <= device.NEAR_BITS[-1] and "interpreted" in request.node.name:
        pytest.skip("no product; as with tiles")
    x = brute.rows(np.random.default_rng(bits), 150, bits // 8, "hamming")
    for distance in (0, 1, 10):
        checks.check_pairs(x, None, "hamming", (bits - min(distance, bits)) / bits, on=on)
        checks.check_pairs(x[:70], x[70:], "hamming", (bits - min(distance, bits)) / bits, on=on)


@pytest.mark.parametrize("seed", range(6))
def test_pairs_by_a_hair(on, seed):
    rng = np.random.default_rng(seed)
    eps = [0.01, 0.05, 0.15][seed % 3]
    x = brute.planted(rng, 160, int(rng.integers(3, 70)), eps, ["float64", "float32", "float16"][seed % 3])
    prefix = ["off", 4][seed % 2]
    checks.check_pairs(x, None, "cosine", 1 - eps, on=on, prefix=prefix)
    checks.check_pairs(x, None, "euclidean", float(np.sqrt(2 * eps)), on=on, prefix=prefix)
    checks.check_neighbours(x, None, "cosine", 3, on=on, prefix=prefix)


@pytest.mark.parametrize("cut", [None, 60])
@pytest.mark.parametrize("spread", [0.001, 0.2])
def test_join(on, cut, spread):
    rng = np.random.default_rng(0)
    x = checks.vectors(rng, 170, 24, spread, 10, 2)
    checks.check_join(x, cut, rng.integers(1, 4, size=170), 0.9, 4, 0.8, 6, on=on)


def test_clusters_trees_groups(on):
    rng = np.random.default_rng(1)
    for metric in METRICS:
        x = brute.rows(rng, 150, 12, metric)
        checks.check_dbscan([x[:50], x[50:]], metric, 0.5 if metric == "euclidean" else 0.8, 4, on=on)
        checks.check_tree(x, metric, on=on)
    checks.check_groups(rng.normal(size=(80, 6)), rng.integers(-1, 5, size=80), on=on)


def test_trees_of_many_rows(on, monkeypatch):
    monkeypatch.setattr("pixsieve.kernels.tree.FEW", 8)
    monkeypatch.setattr("pixsieve.kernels.tree.LISTED", 3)
    x = brute.rows(np.random.default_rng(2), 150, 6, "euclidean")
    lengths = brute.closeness(x, x, "euclidean")
    checks.check_tree(x, "euclidean", on=on)
    checks.check_tree(x, "euclidean", np.sort(lengths, axis=1)[:, 3], on=on)


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "proximity"])
def test_trees_of_blocks(on, monkeypatch, metric):
    monkeypatch.setattr("pixsieve.kernels.tree.FEW", 8)
    rng = np.random.default_rng(3)
    x = brute.rows(rng, 120, 6, metric)
    lengths = brute.closeness(x, x, metric)
    core = np.sort(lengths if metric == "euclidean" else 1 - lengths, axis=1)[:, 3]
    checks.check_tree_of_blocks(x, metric, core, np.array_split(rng.permutation(120), 3), 3, True, on=on)


def test_equal_rows_with_weights(on):
    rng = np.random.default_rng(4)
    x = checks.vectors(rng, 90, 12, 0.2, 0, 2)
    weights = rng.integers(1, 4, size=len(x))
    all_rows = np.repeat(np.arange(len(x)), weights)
    expected = kernels.dbscan([x[all_rows]], threshold=0.9, min_samples=5)
    found = on.dbscan([x[:40], x[40:]], threshold=0.9, min_samples=5, weights=[weights[:40], weights[40:]])
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one[all_rows], two)


def test_too_little_room_is_found_out_and_made(monkeypatch):
    on = shim(monkeypatch)
    rooms = []
    read = device.Device._read
    monkeypatch.setattr(
        device.Device,
        "_read",
        lambda self, *rest: (setattr(self, "_room", 7), read(self, *rest), rooms.append(self._room))[1],
    )
    for metric in METRICS:
        x = brute.rows(np.random.default_rng(3), 90, 16, metric)
        checks.check_pairs(x, None, metric, 0.2, on=on)
        checks.check_neighbours(x, None, metric, 3, on=on)
    assert max(rooms) > 1000


def test_the_kernels_that_should_run_do(monkeypatch):
    """Plain thresholds go the quick way, bit strings to the tensor cores, and the rest where it can be answered."""
    runtime = Shim()
    monkeypatch.setattr(host, "Host", lambda: device.Device(runtime))
    x = brute.rows(np.random.default_rng(4), 40, 8, "cosine")
    for call, wanted in (
        (lambda: list(kernels.pairs(x, threshold=0.9)), {"select_plain", "sums_double"}),
        (lambda: kernels.neighbours(x, k=3, metric="euclidean"), {"raise_floors", "select_any", "merge_best"}),
        (lambda: kernels.counts(x.view(np.uint8), threshold=0.9, metric="hamming"), {"select_plain", "tally"}),
        (lambda: kernels.counts(x.view(np.uint8)[:, :8], threshold=0.9, metric="hamming"), {"near_64", "tally"}),
    ):
        runtime.launched.clear()
        call()
        assert wanted <= set(runtime.launched)


def test_more_bits_than_half_precision_counts(monkeypatch):
    on = shim(monkeypatch)
    with pytest.raises(ValueError, match="rows have 2056 entries to compare; at most 2048 on a GPU"):
        on.counts(np.zeros((2, 257), np.uint8), threshold=0.5, metric="hamming")


@pytest.mark.parametrize("value", [0, 1, 2, 3, 1023, 1024, 1025, 2047, 2048])
def test_half_precision_on_the_cpu(value):
    x = np.full((1, value), 7)
    runtime = Shim()
    tile = np.empty((1, 8), np.float16)
    sizes = np.int32(1), np.int32(1), np.int32(value)
    runtime.launch("select", "equal_entries", (1, 1), (16, 16), x, x, *sizes, tile, np.int64(8))
    assert tile[0, 0] == value
