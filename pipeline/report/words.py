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
    lines += summary.notes
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
        f"Duplicates  {counted(duplicates['groups'], 'group')} in {counted(duplicates['sets'], 'set')},"
        f" {duplicates['redundant']:,} redundant:"
        f" {counted(duplicates['exact'], 'equal file')}, {duplicates['pixels']:,} equal pixels,"
        f" {duplicates['near']:,} similar; {duplicates['linked']:,} linked",
        *_alike(report.get("look_alikes", {})),
        *_featureless(report.get("featureless", 0)),
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
    lines += _labels_and_splits(report)
    if duplicates["units_with_pairs_dropped"]:
        lines.append(
            f"Note        {counted(duplicates['units_with_pairs_dropped'], 'pair unit')} passed duplicates.max_pairs:"
            " there, only the best pairs of each row count"
        )
    return lines


def _alike(found: dict[str, int]) -> list[str]:
    """What is near to the model and no copy."""
    if not any(found.values()):
        return []
    return [f"Look-alikes {found['look_alike']:,}; and {counted(found['burst'], 'frame')} of bursts"]


def _featureless(rows: int) -> list[str]:
    return (
        [f"WARNING     {counted(rows, 'row')} of which the model says nothing: zeros, NaN or infinity"] if rows else []
    )


def _labels_and_splits(report: dict[str, Any]) -> list[str]:
    labels, judged, leakage = report["labels"], report["mislabels"], report["leakage"]
    lines = [f"Labels      {labelled(labels)}"] if labels["rows"] or labels["why_not"] else []
    if judged["labelled"]:
        lines[0] += f"; {counted(judged['certain'], 'error')}, and {judged['potential']:,} potential"
    if report["splits"]:
        groups, members = counted(leakage["groups"], "group"), counted(leakage["rows"], "row")
        named = ", ".join(f"{name} {rows:,}" for name, rows in report["splits"].items())
        lines += [f"Splits      {named}", f"Leakage     {groups} of {members} between splits"]
    return lines


def labelled(labels: dict[str, Any]) -> str:
    """What was taken for labels, in words."""
    if labels["why_not"]:
        return f"none: {labels['why_not']} (source.label=folder takes the folders)"
    if not labels["rows"]:
        return "none"
    of = {"column": f"column {labels['column']!r}", "given": "given"}.get(labels["how"], "folders")
    return f"{of}: {counted(labels['classes'], 'class')}, {counted(labels['rows'], 'row')}"


def _kinds(faults: dict[str, dict[str, int]]) -> str:
    certain = {kind: levels["certain"] for kind, levels in faults.items() if levels["certain"]}
    potential = sum(levels["potential"] for levels in faults.values())
    named = ": " + ", ".join(f"{count:,} {kind}" for kind, count in certain.items()) if certain else ""
    return f"{sum(certain.values()):,}{named}; and {potential:,} potential"
