"""An evaluation as text: a table for people, JSON for programs, JUnit for build servers, Markdown for pull requests."""

from __future__ import annotations

import json
from dataclasses import asdict
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

from outlay.optimizations.evaluation_results import Interval, Results, by_candidate


def plain_text(evaluation: Results) -> str:
    """A table."""
    names = evaluation.header.scorers
    columns = [f"{'candidate':20s}", *(f"{name:>24s}" for name in names)]
    lines = [" ".join([*columns, f"{'failed':>8s}", f"{'USD':>12s}", f"{'p95 s':>8s}"])]
    for summary in evaluation.summaries.values():
        cells = [f"{_cell(summary.scores.get(name)):>24s}" for name in names]
        ends = [f"{summary.errors:8d}", f"{summary.cost_usd:12f}", f"{_seconds(summary.p95_s):>8s}"]
        lines.append(" ".join([f"{summary.candidate:20s}", *cells, *ends]))
    return "\n".join(lines)


def markdown_text(evaluation: Results) -> str:
    """A table with the verdicts."""
    header = evaluation.header
    titles = ["candidate", *header.scorers, "verdict", "failed", "USD an answer", "p95 s"]
    lines = [f"**{header.name}** · run `{header.run_id}` · baseline {header.baseline} · margin {header.margin:g}", ""]
    lines += ["| " + " | ".join(titles) + " |", "|" + " --- |" * len(titles)]
    for summary in evaluation.summaries.values():
        verdicts = ", ".join(f"{name}: {verdict}" for name, verdict in summary.verdict.items()) or "baseline"
        each = summary.cost_per_example_usd
        cells = [
            summary.candidate,
            *(_cell(summary.scores.get(name)) for name in header.scorers),
            verdicts,
            f"{summary.errors} of {summary.n}",
            "–" if each is None else f"{each:.6f}",
            _seconds(summary.p95_s),
        ]
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    if evaluation.not_asked:
        lines += ["", f"{evaluation.not_asked} rows were not asked for: the budget was spent."]
    return "\n".join(lines) + "\n"


def json_text(evaluation: Results) -> str:
    """Everything."""

    def plain(value: Any) -> str:
        return format(value, "f") if isinstance(value, Decimal) else str(value)

    return json.dumps(
        {
            **evaluation.header.as_json(),
            "regressed": evaluation.regressed,
            "undecided": evaluation.undecided,
            "not_asked": evaluation.not_asked,
            "summaries": {label: asdict(summary) for label, summary in evaluation.summaries.items()},
            "rows": [row.as_json() for row in evaluation.rows],
        },
        default=plain,
        allow_nan=False,
    )


def junit_text(evaluation: Results) -> str:
    """A suite per candidate; a row that failed is an error, `worse` a failure, `not enough data` skipped."""
    root = ElementTree.Element("testsuites", name=_legal(evaluation.header.name))
    rows = by_candidate(evaluation.rows, evaluation.summaries)
    for label, summary in evaluation.summaries.items():
        verdicts = summary.verdict.values()
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=_legal(label),
            tests=str(len(rows[label]) + len(summary.verdict)),
            errors=str(summary.errors),
            failures=str(sum(verdict == "worse" for verdict in verdicts)),
            skipped=str(sum(verdict == "not enough data" for verdict in verdicts)),
        )
        for row in rows[label]:
            name = f"example {row.index}" + (f" repeat {row.repeat}" if row.repeat else "")
            case = ElementTree.SubElement(
                suite, "testcase", classname=_legal(label), name=name, time=f"{row.latency_s:.6f}"
            )
            if row.error is not None:
                ElementTree.SubElement(case, "error", message=_legal(row.error))
        for scorer, verdict in summary.verdict.items():
            case = ElementTree.SubElement(
                suite,
                "testcase",
                classname=_legal(label),
                name=_legal(f"{scorer} against {evaluation.header.baseline}"),
            )
            told = f"{verdict}: {_cell(summary.versus_baseline[scorer])}"
            if verdict == "worse":
                ElementTree.SubElement(case, "failure", message=told)
            elif verdict == "not enough data":
                ElementTree.SubElement(case, "skipped", message=told)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _legal(text: str) -> str:
    """Without what XML cannot hold: control characters and lone surrogates."""
    return "".join(
        c if c in "\t\n\r" or "\x20" <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff" else "�"
        for c in text
    )


def _seconds(found: float | None) -> str:
    return "–" if found is None else f"{found:.2f}"


def _cell(found: Interval | None) -> str:
    if found is None or found.mean is None:
        return "–"
    if found.low is None or found.high is None:
        return f"{found.mean:.3f}"
    return f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]"
