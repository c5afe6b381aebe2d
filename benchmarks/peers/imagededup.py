"""imagededup's hashes. It names no file that it cannot read in its results, only in its log."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

sys.path.pop(0)  # this folder, where a module has the name of the program

from imagededup import methods

images, scratch, out, variant = sys.argv[1:]


def main() -> None:
    near = getattr(methods, variant)().find_duplicates(image_dir=images, recursive=True)
    pairs = sorted({tuple(sorted((name, other))) for name, others in near.items() for other in others})
    found = {"version": version("imagededup"), "pairs": pairs, "groups": [], "unreadable": [], "flagged": None}
    Path(out).write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":  # its workers import this file
    main()
