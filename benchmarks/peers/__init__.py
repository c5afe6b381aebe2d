"""Other programs on a folder of images. Each module is run by the interpreter of an environment that has the program,

    python benchmarks/peers/PROGRAM.py IMAGES SCRATCH OUT.json VARIANT

imports nothing of ours, and writes what the program found by its own defaults, names being relative to IMAGES:
{"version": str, "pairs": [[a, b]], "groups": [[name]], "unreadable": [name], "flagged": {name: [what]}};
pairs and flagged are null where it looks for no such thing.
"""

# name of the run: (program, variant)
PEERS = {
    "dataeval": ("dataeval", "default"),  # Duplicates()
    "dataeval all": ("dataeval", "all_hashes"),  # Duplicates(flags=ImageStats.HASH)
    "dataeval out": ("dataeval", "outliers"),  # Outliers()
    "cleanvision": ("cleanvision", "default"),  # Imagelab.find_issues()
    "PHash": ("imagededup", "PHash"),  # find_duplicates()
    "DHash": ("imagededup", "DHash"),
    "fastdup": ("fastdup", "default"),  # similarity(), outliers(), invalid_instances()
    "fastdup cc": ("fastdup", "components"),  # connected_components()
    "fastdup cc.9": ("fastdup", "components_0.9"),  # the same with cc_threshold=0.9
}
