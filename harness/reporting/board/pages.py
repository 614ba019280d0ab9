"""The pages of the board, one by one: each a path from the site's root and its HTML."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from harness.metrics.card import Card, Direction
from harness.metrics.registry import panel_cards, panels
from harness.reporting.board import names
from harness.reporting.board.entry import SHOWN
from harness.reporting.board.site import Site, metrics_of
from harness.reporting.board.standings import Row, Standings
from harness.reporting.figures import bullet
from harness.reporting.page import number, render

MOST_ROWS = 1000
"""Of the board's first page; the rest is on the tasks' pages and in the files."""
MOST_OF_TASK = 500
MOST_BULLETS = 80
INDEX = "index.html"


def board_pages(site: Site) -> Iterator[tuple[str, str]]:
    """Every page but the scorecards."""
    scorecards = site.scorecards
    yield INDEX, _page("index", site, "", scorecards, parts=_parts(site), facets=_facets(site))
    for task in site.tasks:
        yield names.task_page(task.task), _page("task", site, "../", scorecards, **_task(site, task))
    for submission in site.submissions:
        path = names.submission_page(submission.name)
        yield path, _page("submission", site, "../", scorecards, submission=submission)
    for name, tasks in site.datasets.items():
        path = names.dataset_page(name)
        yield (
            path,
            _page("dataset", site, "../", scorecards, name=name, tasks=tasks, card=site.cards.get(name)),
        )
    yield (
        "metrics/index.html",
        _page("metrics", site, "../", scorecards, panels=panels(), cards=panel_cards()),
    )
    for card in panel_cards():
        key = f"{card.panel}.{card.name}"
        told = _on_tasks(site, key)
        yield (
            names.metric_page(key),
            _page("metric", site, "../", scorecards, card=card, key=key, on_tasks=told, inf=math.inf),
        )


def _page(kind: str, site: Site, root: str, scorecards: frozenset[str], **more: Any) -> str:
    links = {
        "task": lambda task: root + names.task_page(task),
        "submission": lambda name: root + names.submission_page(name),
        "dataset": lambda name: root + names.dataset_page(name),
        "metric": lambda key: root + names.metric_page(key),
        "scorecard": lambda run: root + names.scorecard_page(run) if run in scorecards else None,
    }
    context = {"site": site, "root": root, "link": links, "arrow": arrow, "better": better, "words": WORDS}
    return render(f"board/{kind}.html.j2", **context, **more)


WORDS = {
    "ranked": "Test records, ranked",
    "validation": "Validation records, not ranked",
    "unscored": "Without a score",
}


def arrow(card: Card) -> str:
    """Which way is better, as a sign."""
    if card.direction is Direction.TARGET:
        return f"→ {card.optimum:g}"
    return {Direction.HIGHER: "↑", Direction.LOWER: "↓"}.get(card.direction, "")


def better(card: Card) -> str:
    """Which way is better, in words."""
    if card.direction is Direction.TARGET:
        return f"near {card.optimum:g}"
    return {Direction.HIGHER: "higher", Direction.LOWER: "lower"}.get(card.direction, "it only describes")


def _parts(site: Site) -> dict[str, Any]:
    """Rows of the first page by part, and how many more there are."""
    told = {}
    for part in WORDS:
        rows = list(site.rows(part))
        told[part] = {"rows": rows[:MOST_ROWS], "more": max(0, len(rows) - MOST_ROWS)}
    return told


def _facets(site: Site) -> dict[str, dict[str, list[str]]]:
    """By part and facet the values that rows can be filtered by."""
    found: dict[str, dict[str, list[str]]] = {}
    for part in WORDS:
        rows = list(site.rows(part))
        asked = {
            "family": {task.first.record.dataset.name for task, _ in rows},
            "regime": {site.regime(task) for task, _ in rows},
            "isolation": {row.isolation for _, row in rows},
            "owner": {row.owner for _, row in rows},
        }
        found[part] = {name: sorted(values) for name, values in asked.items()}
    return found


def _task(site: Site, task: Standings) -> dict[str, Any]:
    from harness.metrics.card import cards

    known = cards()
    metrics = metrics_of(task)
    rows = (*task.ranked, *task.validation)
    drawn = [row for row in rows if row.scaled(task.primary) is not None][:MOST_BULLETS]
    return {
        "task": task,
        "cards": {metric: known[metric] for metric in metrics},
        "bullets": {
            (row.name, row.first.record.task.eval_split): _bullet(row, task.primary) for row in drawn
        },
        "most": MOST_OF_TASK,
        "split": site.splits.get(task.first.record.split.hash),
    }


def _bullet(row: Row, metric: str) -> Markup:
    scaled = row.scaled(metric)
    raw = number(row.value(metric), undefined=row.why_undefined(metric))
    return bullet(f"{row.name}, {metric}", scaled, raw=raw)


def _on_tasks(site: Site, key: str) -> list[Mapping[str, Any]]:
    """What became of a metric of the board's tables on each task."""
    if key not in SHOWN:
        return []
    told: list[Mapping[str, Any]] = []
    for task in site.tasks:
        judged = [row.first for row in (*task.ranked, *task.validation) if row.first.gates is not None]
        ranking = task.ranking(key)
        told.append(
            {
                "task": task.task,
                "judged": bool(judged),
                "uninformative": judged[0].uninformative.get(key) if judged else None,
                "ranks": len(ranking.places) if ranking else 0,
                "groups": len({place.group for place in ranking.places.values()}) if ranking else 0,
                "why_not": ranking.why_not if ranking else None,
            }
        )
    return told
