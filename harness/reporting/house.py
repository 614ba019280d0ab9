"""Which submissions the harness's own authors made: a reader has to know who was judge and party."""

from __future__ import annotations

from harness.controls.baselines import same_rule
from harness.records.record import RunConfig, RunRecord

HOUSE = "The PerturbFM harness developers"
"""As their manifests say."""


def made_by_house(record: RunRecord, config: RunConfig) -> bool:
    """Whether a run is of a submission of the harness's own authors: by its manifest, or as a shipped baseline."""
    return (
        HOUSE in record.authors
        or same_rule(record.submission.content_hash, config.params.resolved) is not None
    )
