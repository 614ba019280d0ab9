"""Which definitions of the metrics a result was computed with. Results of different definitions never share a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.digest import Digest
from harness.errors import HarnessError
from harness.records.run_folder import RunFolder

SHOWN = 4


def version_of(document: Mapping[str, Any]) -> str:
    """Hash of the definition of every metric that stands in a `metrics.json`."""
    versions = document["versions"]
    content = {"metrics": versions["metrics"], "semantics": versions["semantics"]}
    return Digest("metric-versions").json("versions", content).hexdigest()


def versions_of(document: Mapping[str, Any]) -> dict[str, str]:
    """Version of every metric of a `metrics.json`, by `panel.metric`."""
    by_panel: Mapping[str, Mapping[str, str]] = document["versions"]["metrics"]
    return {
        f"{panel}.{name}": version for panel, found in by_panel.items() for name, version in found.items()
    }


def differing_metrics(
    documents: Sequence[Mapping[str, Any]], metrics: Iterable[str] | None = None
) -> list[str]:
    """Metrics, of those named or of all, that are not defined alike in every one of some `metrics.json`."""
    told = [versions_of(document) for document in documents]
    names = sorted(set().union(*told)) if metrics is None else list(metrics)
    return [name for name in names if len({one.get(name) for one in told}) > 1]


def refuse_mixed_versions(runs: Sequence[RunFolder], metrics: Iterable[str] | None = None) -> None:
    """Refuse to bring runs into one table whose metrics, of those named or of all, were defined differently."""
    differing = differing_metrics([run.metrics() or {"versions": {"metrics": {}}} for run in runs], metrics)
    if differing:
        more = f", … {len(differing)} in all" if len(differing) > SHOWN else ""
        raise HarnessError(
            "results of different versions of a metric never share a table",
            where=", ".join(run.path.name for run in runs),
            got=f"other definitions of {', '.join(differing[:SHOWN])}{more}",
            expected="runs scored with the same metrics",
            mend="harness rescore RUN scores an older run with today's metrics",
        )
