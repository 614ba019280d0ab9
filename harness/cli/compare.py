"""`harness compare`: submissions on one task, every pair of them, and an order that says no more than that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness.cli.runs import complete_run
from harness.cli.show import JSON_OPTION

if TYPE_CHECKING:
    from harness.controls.control_set import ControlSet
    from harness.statistics.intervals import Interval
    from harness.verdicts.claims_of_runs import Said
    from harness.verdicts.compare import Comparison, MetricComparison, Pair
    from harness.verdicts.entrants import Entrant
    from harness.verdicts.intervals import Side

STANDINGS = (
    "group",
    "ranks",
    "submission",
    "seeds",
    "value",
    "on shared conditions",
    "undefined",
    "left out",
)
PAIRS = ("first", "second", "difference", "95 % interval", "better in", "p", "q", "detectable", "verdict")


def compare(
    runs: list[str] = typer.Argument(
        help="Runs of one task (names, their beginnings, folders), or submissions by name, of which the newest runs speak."
        " Runs that differ in the seed alone belong together.",
        autocompletion=complete_run,
    ),
    metric: list[str] = typer.Option(
        [],
        help="Compare by this metric, by `panel.metric` or by name, instead of the headline. May be repeated.",
    ),
    control: list[str] = typer.Option(
        [],
        help="Put this baseline of the task's controls beside the submissions, e.g. `global_mean`. May be repeated.",
    ),
    html: Path | None = typer.Option(None, "--html", help="Write the comparison as a page, one file."),
    as_markdown: bool = typer.Option(False, "--markdown", help="Print Markdown instead of tables."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Compare submissions on one task: paired differences with intervals, adjusted p, rank groups.

    A difference is taken condition by condition, where every submission has a value, and is above 0 where the first of
    the two is better. Ranks are groups and intervals: who is not shown to be better is not put ahead.

    Example: `harness compare ridge global-mean`

    Below stand the claims that each submission has earned against the strongest baseline, or why none.

    Example: `harness compare last --control global_mean --control ridge`

    Example: `harness compare ridge global-mean --html comparison.html`

    Example: `harness compare last runs/20261121-120000_8043df9_ridge_e18452c --metric calibrated.wmse --json`
    """
    from harness.cli.show import print_json
    from harness.records.run_folder import open_run
    from harness.settings import load_settings
    from harness.verdicts.against_controls import spans
    from harness.verdicts.claims_of_runs import claims_of, controls_of_runs, uninformative, verdict_of
    from harness.verdicts.compare import compare as compare_sides
    from harness.verdicts.entrants import gather, other_runs, runs_named

    names = chosen_metrics(metric)
    folder = load_settings().runs
    found = [open_run(run.path, verify=True) for reference in runs for run in runs_named(folder, reference)]
    entrants = gather(found, names)
    controls = controls_of_runs(found)
    comparison = compare_sides(
        [*(one.side() for one in entrants), *_control_sides(control, controls)],
        names,
        spans=None if controls is None else spans(controls, names),
        uninformative=uninformative([verdict_of(run) for run in found], names),
    )
    said = [claims_of(one, names, other_runs(one, folder)) for one in entrants]
    if html is not None:
        _write_page(html, entrants, comparison, said)
    if as_json:
        print_json(_about(entrants) | comparison.document() | {"claims": [one.document() for one in said]})
        return
    if as_markdown:
        typer.echo(_markdown(entrants, comparison, said), nl=False)
        return
    _print(entrants, comparison)
    _print_claims(said)
    if html is not None:
        typer.echo(f"{html}")


def _write_page(
    path: Path, entrants: Sequence[Entrant], comparison: Comparison, said: Sequence[Said]
) -> None:
    from harness.reporting.comparison.page import page
    from harness.reporting.comparison.sheet import sheet_of
    from harness.storage import make_folder, write_text

    content = page(sheet_of(entrants, comparison, said))
    make_folder(path.parent)
    write_text(path, content)


def _markdown(entrants: Sequence[Entrant], comparison: Comparison, said: Sequence[Said]) -> str:
    from harness.reporting.comparison.page import markdown
    from harness.reporting.comparison.sheet import sheet_of

    return markdown(sheet_of(entrants, comparison, said))


def _control_sides(named: Sequence[str], controls: ControlSet | None) -> list[Side]:
    from harness.errors import HarnessError, UnknownNameError
    from harness.verdicts.intervals import Side

    if named and controls is None:
        raise HarnessError(
            "none of these runs was held against controls",
            expected="a run with controls.json",
            mend="submit one of them again without --no-controls",
        )
    baselines = {one.card.name: one for one in controls.of_kind("negative")} if controls is not None else {}
    for name in named:
        if name not in baselines:
            raise UnknownNameError("control", name, baselines)
    return [Side(f"{name} (control)", baselines[name].tables) for name in named]


def chosen_metrics(named: Sequence[str]) -> list[str]:
    """`panel.metric` of what was named; the headline where nothing was. Descriptions have no better and worse."""
    from harness.errors import HarnessError
    from harness.metrics.registry import HEADLINE, find_cards, panels

    if not named:
        return list(HEADLINE)
    found = []
    for name in named:
        cards = find_cards(name)
        directed = [card for card in cards if card.direction != "none" and card.panel in panels()]
        if not directed:
            raise HarnessError(
                f"{name} is a description, not a score: no value of it is better than another",
                expected="a metric with a direction",
                mend="harness metrics list shows the direction of each",
            )
        found += [f"{card.panel}.{card.name}" for card in directed]
    return list(dict.fromkeys(found))


def _about(entrants: Sequence[Entrant]) -> dict[str, Any]:
    from harness.verdicts.entrants import not_ranked
    from harness.verdicts.judge import VERDICT_FILE

    record = entrants[0].runs[0].record
    return {
        "task": record.task.name,
        "eval_split": record.task.eval_split,
        "runs": {one.name: [run.path.name for run in one.runs] for one in entrants},
        "not_judged": [
            one.name for one in entrants if not all(VERDICT_FILE in run.record.files for run in one.runs)
        ],
        "notes": {one.name: reasons for one in entrants if (reasons := not_ranked(one.runs[0]))},
    }


def _print(entrants: Sequence[Entrant], comparison: Comparison) -> None:
    about = _about(entrants)
    typer.echo(f"{about['task']}, {about['eval_split']}: {len(entrants)} submissions")
    for one in comparison.metrics:
        _print_metric(one, comparison)
    intervals = [pair.interval for one in comparison.metrics for pair in one.pairs]
    for method in sorted({_method(one) for one in intervals if one.n}):
        typer.echo(f"intervals: {method}")
    typer.echo(f"q: Benjamini–Hochberg over {comparison.family} tests, all pairs on all metrics shown")
    if about["not_judged"]:
        typer.echo(
            f"a quick look without controls, where a leak would not show: {', '.join(about['not_judged'])}"
        )
    few = [name for name, seeds in comparison.seeds.items() if seeds == 1]
    if few:
        typer.echo(f"one training seed, so that another could turn the order: {', '.join(few)}")


def _print_claims(said: Sequence[Said]) -> None:
    for one in said:
        if one.reason:
            typer.echo(f"{one.name}: not shown: {one.reason}")
        for claim in sorted(one.claims, key=lambda claim: not claim.shown):
            subject = f"{one.name} {claim.kind} {claim.baseline} on {claim.metric}"
            typer.echo(f"claim: {claim.text}" if claim.shown else f"{subject}: {claim.text}")


def _print_metric(one: MetricComparison, comparison: Comparison) -> None:
    from harness.cli.scores import ARROWS, number
    from harness.cli.show import print_table
    from harness.metrics.card import cards

    card = cards()[one.metric]
    arrow = ARROWS.get(card.direction.value, f"→ {card.optimum}")
    rows = [
        [
            each.place.group if each.place else "–",
            _ranks(each.place.low, each.place.high) if each.place else "–",
            each.name,
            comparison.seeds[each.name],
            number(_finite(each.value)),
            number(_finite(each.shared)),
            each.undefined,
            each.left_out,
        ]
        for each in one.standings
    ]
    print_table(f"{one.metric} {arrow}, {one.n} conditions shared by all", STANDINGS, rows)
    if one.not_ranked:
        typer.echo(f"not ranked: {one.not_ranked}")
    if one.pairs and one.n:
        print_table("", PAIRS, [_pair_row(pair) for pair in one.pairs])


def _pair_row(pair: Pair) -> list[object]:
    found = pair.interval
    if not found.n or found.reason:
        return [pair.ours, pair.theirs, "–", found.reason, "–", "–", "–", "–", pair.word]
    return [
        pair.ours,
        pair.theirs,
        f"{found.estimate:+.4f}",
        f"[{found.low:+.4f}, {found.high:+.4f}]",
        f"{found.share_better:.0%}",
        f"{found.p:.2g}",
        f"{pair.q:.2g}",
        f"{pair.detectable:.4f}",
        pair.word,
    ]


def _method(interval: Interval) -> str:
    drawn = f", {interval.resamples} resamples, seed {interval.seed}" if interval.resamples else ""
    means = f"for {interval.scope}, {interval.n_contexts} of them, {interval.n} conditions"
    return f"{interval.method} {means}, {interval.n_seeds} seeds{drawn}"


def _ranks(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}–{high}"


def _finite(value: float) -> float | None:
    import math

    return value if math.isfinite(value) else None
