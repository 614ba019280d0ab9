"""The atlas as a page, and as files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from harness.reporting.atlas.sheet import Atlas, Condition, Method
from harness.reporting.figures import Dot, error_by_novelty
from harness.reporting.page import render
from harness.storage import make_folder, write_json, write_text

TEMPLATE = "atlas.html.j2"
MOST_METHODS = 8
"""Methods with a picture of their own; all are in the tables."""
MOST_TOGETHER = 4
"""Methods beside the baseline where all stand in one picture."""
MOST_ROWS = 100
"""Conditions listed on the page; all are in `atlas.json`."""


def page(atlas: Atlas) -> str:
    """The whole page."""
    shown = atlas.methods[: MOST_TOGETHER + 1]
    listed = sorted(range(len(atlas.conditions)), key=lambda at: _farthest_first(atlas.conditions[at]))
    return render(
        TEMPLATE,
        atlas=atlas,
        sense="higher is better" if atlas.higher_is_better else "lower is better",
        pictures=_by_distance(atlas),
        together=[_together(atlas, shown, "effect"), _together(atlas, shown, "cells")],
        methods=[one for one in atlas.methods if not one.control],
        columns=shown,
        listed=[(atlas.conditions[at], [one.values[at] for one in shown]) for at in listed[:MOST_ROWS]],
    )


def write_atlas(out: Path, atlas: Atlas) -> tuple[Path, Path]:
    """Write the page and `atlas.json` beside it; each appears whole."""
    path = out if out.suffix == ".html" else out / f"{file_stem(atlas)}.html"
    told = path.with_suffix(".json")
    make_folder(path.parent)
    content = page(atlas)
    write_json(told, atlas.document())
    write_text(path, content)
    return path, told


def file_stem(atlas: Atlas) -> str:
    """A file's name for an atlas."""
    return "atlas-" + re.sub(r"[^A-Za-z0-9._-]+", "-", f"{atlas.task}-{atlas.eval_split}").strip("-.")


def _farthest_first(one: Condition) -> tuple[bool, float, str, str]:
    return one.distance is None, -(one.distance or 0.0), one.context, one.perturbation


def _by_distance(atlas: Atlas) -> list[tuple[str, Markup]]:
    """Each method beside the baseline, by distance to training."""
    baseline = [one for one in atlas.methods if one.control]
    own = [one for one in atlas.methods if not one.control][:MOST_METHODS]
    return [
        (one.name, _picture(atlas, f"{one.name} by distance", [one, *baseline], "distance")) for one in own
    ]


def _together(atlas: Atlas, shown: Sequence[Method], axis: str) -> Markup:
    title = {"effect": "By size of the effect", "cells": "By number of cells"}[axis]
    return _picture(atlas, title, shown, axis)


def _picture(atlas: Atlas, title: str, methods: Sequence[Method], axis: str) -> Markup:
    labels = {
        "distance": "distance to the nearest training conditions",
        "effect": "size of the observed effect",
        "cells": "cells of the condition",
    }
    return error_by_novelty(
        title,
        [(one.name, _dots(atlas.conditions, one, axis)) for one in methods],
        x_label=labels[axis],
        y_label=atlas.metric,
        reason="no condition has a place on this axis",
    )


def _dots(conditions: Sequence[Condition], method: Method, axis: str) -> list[Dot]:
    found = []
    for one, value in zip(conditions, method.values, strict=True):
        x = getattr(one, axis)
        if x is not None and value is not None:
            found.append(Dot(float(x), value, f"{one.perturbation} in {one.context}", one.seen))
    return found
