"""fastdup's pairs of similarity 0.9 and more, or its components; its outliers, and the files that it calls invalid."""

import json
import os
import sys
from importlib.metadata import version
from pathlib import Path

sys.path.pop(0)  # this folder, where a module has the name of the program
os.environ["SENTRY_OPT_OUT"] = "1"

import fastdup

images, scratch, out, variant = sys.argv[1:]
run = fastdup.create(work_dir=scratch, input_dir=images)
run.run(overwrite=True, run_sentry=False, **({"cc_threshold": 0.9} if variant == "components_0.9" else {}))


def name(path: str) -> str:
    """fastdup's paths are relative to where it runs."""
    return os.path.relpath(path, images)


near = run.similarity()
pairs = [[name(a), name(b)] for a, b in zip(near["filename_from"], near["filename_to"], strict=True)]
groups: list[list[str]] = []
if variant.startswith("components"):
    pairs, (parts, _) = [], run.connected_components()
    groups = [list(map(name, members)) for _, members in parts.groupby("component_id")["filename"] if len(members) > 1]
found = {
    "version": version("fastdup"),
    "pairs": pairs,
    "groups": groups,
    "unreadable": sorted(map(name, run.invalid_instances()["filename"])),
    "flagged": {name(path): ["outlier"] for path in run.outliers()["filename_outlier"]},
}
Path(out).write_text(json.dumps(found), "utf-8")
