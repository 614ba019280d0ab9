"""Names of the board's files: readable, and safe whatever somebody called a thing."""

from __future__ import annotations

import re

from harness.digest import Digest

LONGEST = 80
JOINED = "--"
_OTHER = re.compile(r"[^A-Za-z0-9._-]+")


def file_name(*words: str) -> str:
    """A file name without its ending; two different things never get the same one.

    >>> file_name("demo", "context_ood"), file_name("ridge")
    ('demo--context_ood', 'ridge')
    """
    told = JOINED.join(words)
    plain = _OTHER.sub("-", told).lstrip(".-")[:LONGEST]
    if plain == told == plain.lower() and not any(JOINED in word for word in words):
        return plain
    return f"{plain.lower()}-{Digest('file-name').strings('words', list(words)).hexdigest()[:8]}"


def task_page(task: str) -> str:
    """Where a task's page is, from the site's root."""
    return f"tasks/{file_name(*task.split(':', 1))}.html"


def submission_page(name: str) -> str:
    """Where a submission's page is."""
    return f"submissions/{file_name(name)}.html"


def dataset_page(name: str) -> str:
    """Where a dataset's page is."""
    return f"datasets/{file_name(name)}.html"


def metric_page(key: str) -> str:
    """Where the page of `panel.metric` is."""
    return f"metrics/{file_name(key)}.html"


def scorecard_page(run: str) -> str:
    """Where the scorecard of a run is."""
    return f"scorecards/{file_name(run)}.html"
