"""What a run says last: what it found, in words."""

import shlex
from typing import Any

from pixsieve import files
from pixsieve.folder.skipped import RUN, UNLISTABLE, in_words
from pixsieve.plural import counted
from pixsieve.runtime.summary import Summary


def ending(summary: Summary) -> list[str]:
    """What a run says last: what it found, where it is, and whether the rows add up."""
    lines = []
    if summary.idle:
        rows = summary.stages[0].counts["rows"]
        lines.append(f"Nothing to do: {counted(rows, 'row')} and the configuration are unchanged.")
    for stage, failure in summary.failures:
        lines.append(f"FAILED {stage} {failure.unit}: {failure.error}")
    if summary.failures:
        lines.append(
            f"{counted(len(summary.failures), 'unit')} failed; see: pixsieve failures {shlex.quote(str(summary.path))}"
        )
    report = summary.path / "report"
    if summary.stages[-1].name == "report" and not summary.failures:
        lines += found(files.read_json(report / "report.json"))
        lines.append(f"Report: {report / 'index.html'}")
    return lines


def found(report: dict[str, Any]) -> list[str]:
    rows, duplicates, outliers = report["rows"], report["duplicates"], report["outliers"]
    statuses = ", ".join(f"{count:,} {name}" for name, count in rows["status"].items())
    lines = [
        f"Rows        {rows['ever']:,} in = {rows['live']:,} out + {rows['removed']:,} removed; {statuses or 'none'}",
        f"Duplicates  {counted(duplicates['groups'], 'group')}, {duplicates['redundant']:,} redundant:"
        f" {counted(duplicates['exact'], 'equal file')}, {duplicates['pixels']:,} equal pixels,"
        f" {duplicates['near']:,} similar; {duplicates['linked']:,} linked",
        f"Outliers    {outliers['outlier']:,}, and {outliers['potential']:,} potential",
        f"Faults      {_kinds(report['faults'])}",
        f"Clusters    {report['clusters']['count']:,} with {counted(report['clusters']['rows'], 'row')};"
        f" {report['clusters']['noise']:,} in none",
    ]
    skipped = report.get("skipped")  # not in a report of before
    if skipped and skipped["entries"]:
        lines.insert(1, f"Skipped     {skipped['entries']:,} that are no rows: {in_words(skipped['suffixes'])}")
        named = skipped.get("named", {})
        if RUN in named:
            lines.insert(2, f"            of these, run folders: {', '.join(named[RUN])}")
        if UNLISTABLE in named:
            lines.append(f"WARNING     folders that may not be listed, so not audited: {', '.join(named[UNLISTABLE])}")
    labels, leakage = report["mislabels"], report["leakage"]
    if labels["labelled"]:
        lines.append(f"Labels      {counted(labels['certain'], 'error')}, and {labels['potential']:,} potential")
    if leakage is not None:
        lines.append(
            f"Leakage     {counted(leakage['groups'], 'group')} of {counted(leakage['rows'], 'row')} between splits"
        )
    if duplicates["units_with_pairs_dropped"]:
        lines.append(
            f"Note        {counted(duplicates['units_with_pairs_dropped'], 'pair unit')} passed duplicates.max_pairs:"
            " there, only the best pairs of each row count"
        )
    return lines


def _kinds(faults: dict[str, dict[str, int]]) -> str:
    certain = {kind: levels["certain"] for kind, levels in faults.items() if levels["certain"]}
    potential = sum(levels["potential"] for levels in faults.values())
    named = ": " + ", ".join(f"{count:,} {kind}" for kind, count in certain.items()) if certain else ""
    return f"{sum(certain.values()):,}{named}; and {potential:,} potential"
