"""labels: whether the folders of the images are classes, by the rule of pipeline/rules/folders.py.

It looks at all of a run, and at what the images hold; so it comes after embed. Where labels come from elsewhere there
is nothing to decide.
"""

from pixsieve import files
from pixsieve.folder import image_table
from pixsieve.folder.metadata import CLASSES
from pixsieve.folder.run_folder import Run
from pixsieve.rules.folders import class_folder, why_no_classes
from pixsieve.runtime.stage import Counts, Stage, Unit

DIGESTS = ("file_digest", "pixel_digest")


def units(run: Run) -> list[Unit]:
    if run.metadata.label.how != "auto":
        return []
    return [Unit("all", run.manifest.files(image_table.FOLDER), {"classes": CLASSES})]


def work(run: Run, unit: Unit) -> Counts:
    keys, images = run.manifest.living(["key"])["key"].to_pylist(), image_table.living(run, list(DIGESTS))
    why = why_no_classes(keys, [image_table.codes(images[name]) for name in DIGESTS])
    named = {place.name for place in map(class_folder, keys) if place}
    files.write_json(run.path / unit.writes["classes"], {"folders": len(named), "taken": not why, "why_not": why})
    return {"rows": len(keys), "classes": 0 if why else len(named)}


LABELS = Stage("labels", units, work)
