"""CleanVision's issues; its two kinds of duplicates as groups, the others as what is flagged."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

sys.path.pop(0)  # this folder, where a module has the name of the program

from cleanvision import Imagelab

images, scratch, out, variant = sys.argv[1:]
lab = Imagelab(data_path=images)
lab.find_issues()
names = {path: str(Path(path).relative_to(Path(images).absolute())) for path in lab.issues.index}
groups = [
    [names[path] for path in members]
    for kind in ("exact_duplicates", "near_duplicates")
    for members in lab.info[kind]["sets"]
]
kinds = [
    column for column in lab.issues.columns if column.startswith("is_") and not column.endswith("_duplicates_issue")
]
flagged = {
    names[path]: [kind.removeprefix("is_").removesuffix("_issue") for kind in kinds if row[kind]]
    for path, row in lab.issues.iterrows()
    if any(row[kind] for kind in kinds)
}
found = {"version": version("cleanvision"), "pairs": [], "groups": groups, "unreadable": [], "flagged": flagged}
Path(out).write_text(json.dumps(found), "utf-8")
