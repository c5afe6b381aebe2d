"""What importing the packages must not do."""

import subprocess
import sys

GPU = ("cupy", "cuml", "rmm", "triton", "dask_cuda", "cudf")
CODE = f"""
import pkgutil, importlib, sys
import pixsieve, pixsieve.kernels
for package in (pixsieve, pixsieve.kernels):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        # The engine of the GPU imports the one, a network the other, when they are needed.
        if not module.name.endswith(("__main__", "engines.fused", "models.lite0")):
            importlib.import_module(module.name)
found = [name for name in {GPU!r} if name in sys.modules]
assert not found, found
print("torch" in sys.modules)
"""


def test_no_gpu_package_and_no_torch():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "False\n"


def test_no_network(tmp_path):
    """A whole run with every way out of this machine closed."""
    code = """
import socket, sys
def refuse(*args, **kwargs):
    raise AssertionError("network access")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from pathlib import Path
from pixsieve import Config, demo, run
demo.draw(Path(sys.argv[1]) / "images", scenes=6)
config = Config.load(Path(sys.argv[1]) / "images", out=Path(sys.argv[1]) / "run", settings=["workers.device=cpu"])
assert run(config).exit_code == 0
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
