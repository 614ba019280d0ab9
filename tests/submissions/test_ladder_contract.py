"""Every variant of the ladder keeps the contract, as `harness validate` sees it: in its sandbox, on tiny tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.conformance.suite import check_submission
from harness.contract.manifest import load_manifest

SUBMISSIONS = Path(__file__).parents[2] / "submissions"
VARIANTS = [
    (name, variant)
    for name in ("v0", "v1", "v2", "v3", "v3a", "diffusion")
    for variant in (None, *sorted(load_manifest(SUBMISSIONS / name).variants))
]


def check(name: str, variant: str | None) -> None:
    report = check_submission(SUBMISSIONS / name, variant=variant)
    assert report.conforms, report.failed


def test_the_operator_with_gates_keeps_the_contract():
    check("v3", None)


@pytest.mark.long
@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_every_variant_keeps_the_contract(name, variant):
    check(name, variant)
