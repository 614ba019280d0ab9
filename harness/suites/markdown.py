"""A suite's report as a page of Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from harness.metrics.card import Direction, cards
from harness.statistics.intervals import Interval
from harness.suites.deciding import counted
from harness.suites.report import Report
from harness.suites.tables import Row, Score, TaskTable, better_in, primary_of

ARROWS = {Direction.HIGHER: "↑", Direction.LOWER: "↓", Direction.NONE: "", Direction.TARGET: "→"}


def page(report: Report) -> str:
    """The whole page."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    suite = report.evidence.suite
    yield f"# {suite.title or suite.name}"
    yield ""
    counts = ", ".join(f"{n} {word}" for word, n in report.evidence.stand.counts().items())
    yield (
        f"Suite `{suite.name}`: {len(report.evidence.stand.cells)} runs ({counts}), "
        f"{counted(report.evidence.grid.seeds, 'seed')}, on validation; test was not opened."
    )
    if report.quick:
        yield ""
        yield "**Quick**: fewer seeds than claims need, so that every verdict is descriptive."
    yield from _decisions(report)
    yield from _claims(report)
    for table in report.tasks:
        yield from _task(report, table)
    yield from _ablations(report)
    yield from _efficiency(report)
    if report.audits:
        yield from ("", "## Audits", "")
        yield from (f"- {one.entry}: {one.sentence}" for one in report.audits)


def _decisions(report: Report) -> Iterator[str]:
    if not report.decisions:
        return
    yield from ("", "## Go or no-go", "")
    yield from _table(
        ("gate", "answer", "because", "not told here"),
        [
            (
                f"{one.entry.name}: {one.entry.title}",
                f"**{one.answer}**",
                "; ".join(one.reasons),
                one.entry.note,
            )
            for one in report.decisions
        ],
    )


def _claims(report: Report) -> Iterator[str]:
    if not report.claims:
        return
    yield from ("", "## Claims", "")
    yield ", ".join(f"{n} {word}" for word, n in report.counts.items()) + "."
    for claim in report.claims:
        yield from ("", f"### {claim.said.text}", "")
        yield from (f"**{claim.word}** (`{claim.name}`)", "")
        for one, found in claim.findings:
            told = "; ".join(filter(None, (found.numbers, *found.reasons)))
            against = f"{one.ours} against {one.theirs}, " if one.theirs else ""
            yield f"- {against}{one.task}: {found.word}. {told}"
        for task, space in zip(claim.said.tasks, claim.gene_spaces, strict=True):
            yield f"- genes of {task}: {space}"


def _task(report: Report, table: TaskTable) -> Iterator[str]:
    yield from ("", f"## {table.task}", "")
    if table.missing:
        yield f"Not here: {table.missing}. Nothing that speaks of it can be decided."
        return
    yield f"Genes: {table.gene_space}."
    if table.undecidable:
        yield from ("", "This task cannot tell:", "")
        yield from (f"- {one}" for one in table.undecidable)
    metrics = report.evidence.suite.metrics
    first = primary_of(report.evidence, table.task)
    shown = first if first in metrics else metrics[0]
    rows = sorted(
        table.rows,
        key=lambda row: -(better_in(row, shown) or 0) if row.scores[shown].value is not None else math.inf,
    )
    yield ""
    heads = [f"{name} {ARROWS[cards()[name].direction]}".strip() for name in metrics]
    yield from _table(
        ("submission", "runs", *heads, f"{shown}: against the best baseline", "gates failed"),
        [
            (
                row.entry if row.kind == "submission" else f"*{row.entry}*",
                len(row.runs) if row.kind == "submission" else "control",
                *(_score(row.scores[name]) for name in metrics),
                _against(row, shown),
                "–" if row.gates_failed is None else ", ".join(row.gates_failed) or "none",
            )
            for row in rows
        ],
    )
    missing = [row.missing for row in table.rows if row.missing]
    if missing:
        yield ""
        yield from (f"- missing: {one}" for one in missing)
    yield from (
        "",
        "Values are means over seeds ± their sd; (scaled: 0 is the train mean, 1 a replicate).",
        "",
    )
    yield from (
        f"- {row.entry}: {', '.join(f'`{name}`' for name in row.runs)}" for row in table.rows if row.runs
    )


def _ablations(report: Report) -> Iterator[str]:
    if not report.ablations:
        return
    yield from ("", "## Ablations", "")
    yield "Paired differences, whole − without; above 0: what was taken away helps. q within each table."
    for entry, rows in report.ablations:
        yield from ("", f"### {entry.model}", "")
        yield from _table(
            ("task", "metric", "without", "difference", "95 % interval", "better in", "q", "note"),
            [
                (row.task, row.metric, row.without, *_interval(row.interval, row.q), row.reason)
                for row in rows
            ],
        )


def _efficiency(report: Report) -> Iterator[str]:
    told = report.evidence.suite.data_efficiency
    if told is None:
        return
    yield from ("", f"## Data efficiency, {told.metric}", "")
    yield "The same questions after a nested part of the training cells; the gain is that of all cells over the part."
    yield ""
    yield from _table(
        ("task", "submission", "training cells", told.metric, "gain", "95 % interval", "note"),
        [
            (
                row.task,
                row.entry,
                f"{row.fraction:.0%}",
                "–" if row.value is None else f"{row.value:.4g}",
                *_interval(row.gain, None)[:2],
                row.reason,
            )
            for row in report.efficiency
        ],
    )


def _score(score: Score) -> str:
    if score.value is None:
        return "–"
    spread = "" if score.sd is None else f" ± {score.sd:.2g}"
    scaled = "" if score.scaled is None else f" ({score.scaled:.2f})"
    return f"{score.value:.4g}{spread}{scaled}"


def _against(row: Row, metric: str) -> str:
    if metric not in row.against_best:
        return "–"
    name, interval = row.against_best[metric]
    difference, limits, *_ = _interval(interval, None)
    return f"{difference} {limits} {name}"


def _interval(interval: Interval | None, q: float | None) -> tuple[str, str, str, str]:
    if interval is None or not interval.n:
        return "–", "–", "–", "–"
    limits = f"[{interval.low:+.3g}, {interval.high:+.3g}]" if math.isfinite(interval.low) else "–"
    return (
        f"{interval.estimate:+.3g}",
        limits,
        f"{interval.share_better:.0%}",
        "–" if q is None else f"{q:.2g}",
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(str(cell).replace('|', chr(92) + '|').replace(chr(10), ' ') for cell in row)} |"
