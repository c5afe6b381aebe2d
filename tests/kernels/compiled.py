"""The fused kernel compiled for GPUs that are not there: `python -m tests.kernels.compiled [--some]` prints a line of
JSON for each GPU, shape and variant. Not in a process that interprets it."""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from pixsieve.kernels.engines import fused

TOOLS = Path(triton.__file__).parent / "backends/nvidia/bin"
OFFSETS, FLOORS = ("offset_row", "offset_column"), ("floor_row", "floor_column")
# What else is given, and how.
VARIANTS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "triangle": ("FOLDED",),
    "distances": OFFSETS,
    "lists": FLOORS,
    "lists of distances": (*OFFSETS, *FLOORS),
    "sifted": ("crowds",),
    "cells": ("cells",),
    "sifted distances": ("crowds", *OFFSETS),
    "cells of distances": ("cells", *OFFSETS),
    "tree": (*OFFSETS, *FLOORS, "group_row", "group_column", "cap_row", "cap_column"),
    "int8": (*OFFSETS, "INT8"),
    "sifted triangle": ("crowds", "FOLDED"),
    "triangle of distances": (*OFFSETS, "FOLDED"),
    "triangle of lists": (*FLOORS, "FOLDED"),
    "triangle of int8": (*OFFSETS, "INT8", "FOLDED"),
    "tree of a triangle": (*OFFSETS, *FLOORS, "group_row", "group_column", "cap_row", "cap_column", "FOLDED"),
}
# Which shape takes which (Fused._shape).
DISTANCES_AND_LISTS = ("distances", "triangle of distances", "lists", "triangle of lists", "lists of distances")
SHAPES: dict[str, tuple[str, ...]] = {
    "deep": ("plain", "triangle", *DISTANCES_AND_LISTS, "int8", "triangle of int8"),
    "shallow": ("plain", "triangle", "sifted", "sifted triangle", "cells"),
    "laden": (*DISTANCES_AND_LISTS, "sifted distances", "cells of distances", "tree", "tree of a triangle"),
}
SOME = {("deep", "triangle"), ("shallow", "sifted triangle"), ("laden", "tree of a triangle")}
COUNTED = ("HGMMA", "IGMMA", "HMMA", "IMMA", "UTMALDG", "LDGSTS", "FMNMX", "ATOMG", "LDL", "STL")


def compiled(capability: int, shape: fused.Shape, pointers: bool, given: tuple[str, ...]) -> dict[str, Any]:
    """Registers a thread, bytes spilled, bytes of shared memory, and how many of some instructions there are."""
    kind, number = ("i8", "i32") if "INT8" in given else ("fp16", "fp32")
    depth = shape.depth * (2 if "INT8" in given else 1)
    types = dict.fromkeys(fused.NUMBERS, "i32") | {"low": number, "count": "*i64"}
    types |= dict.fromkeys(("offset_row", "offset_column"), f"*{number}")
    types |= dict.fromkeys(("cap_row", "cap_column", "floor_row", "floor_column", "out_score"), "*fp32")
    types |= dict.fromkeys(("group_row", "group_column", "cells", "crowds", "out_i", "out_j"), "*i32")
    for side, lines in (("left", shape.rows), ("right", shape.columns)):
        types[side] = f"*{kind}" if pointers else f"tensordesc<{kind}[{lines}, {depth}]>"
    constants: dict[str, Any] = {"ROWS": shape.rows, "COLUMNS": shape.columns, "DEPTH": depth, "AREA": shape.area}
    constants |= {"CHUNK": shape.chunk, "FOLDED": "FOLDED" in given, "POINTERS": pointers, "INT8": "INT8" in given}
    constants |= dict.fromkeys(set(fused.OPTIONAL) - set(given))
    names = fused._select.arg_names
    signature = {name: "constexpr" if name in constants else types[name] for name in names}
    aligned = {
        (at,): [["tt.divisibility", 16]]
        for at, name in enumerate(names)
        if signature[name][0] == "*" and name not in fused.OPTIONAL
    }
    source = ASTSource(fn=fused._select, signature=signature, constexprs=constants, attrs=aligned)
    options = {"num_warps": shape.warps, "num_stages": shape.stages}
    made = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        Path(file.name).write_bytes(made.asm["cubin"])
        usage, code = (
            subprocess.run([TOOLS / "cuobjdump", what, file.name], capture_output=True, text=True, check=True).stdout
            for what in ("--dump-resource-usage", "--dump-sass")
        )
    registers, stack = map(int, re.search(r"REG:(\d+) STACK:(\d+)", usage).groups())  # type: ignore[union-attr]
    counts = {name: len(re.findall(rf"\b{name}\b", code)) for name in COUNTED}
    counts = {name: count for name, count in counts.items() if count}
    return {"registers": registers, "spilled": stack, "shared": made.metadata.shared, "instructions": counts}


def main(some: bool) -> None:
    for capability, shapes in ((80, fused.AMPERE), (90, fused.HOPPER)):
        for name, variants in SHAPES.items():
            for variant in variants:
                if some and (name, variant) not in SOME:
                    continue
                own = "laden" if shapes.pointers and "INT8" in VARIANTS[variant] else name
                found = compiled(capability, getattr(shapes, own), shapes.pointers, VARIANTS[variant])
                print(json.dumps({"gpu": f"sm_{capability}", "shape": own, "variant": variant} | found), flush=True)


if __name__ == "__main__":
    main("--some" in sys.argv)
