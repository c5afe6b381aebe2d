"""Array functions without I/O. `host` (NumPy) says what is right."""

from kernels.exact import similarity
from kernels.graph import attach, components, first_seen, leaders, spanning_forest
from kernels.host import Joined, distinct, join

__all__ = [
    "Joined",
    "attach",
    "components",
    "distinct",
    "first_seen",
    "join",
    "leaders",
    "similarity",
    "spanning_forest",
]
