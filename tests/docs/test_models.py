"""The table of all models has what it needs of each submission that is shipped."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.contract.manifest import load_manifest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

from models import manifests, told  # noqa: E402


def test_every_shipped_submission_has_its_line() -> None:
    shipped = {load_manifest(file.parent).name for file in (ROOT / "submissions").rglob("submission.toml")}
    listed = {manifest.name for family in manifests(ROOT).values() for _, manifest in family}
    assert listed == shipped
    assert shipped <= set(told(ROOT)), (
        "docs/models.toml says how it sees a perturbation and where it predicts"
    )


def test_nothing_is_told_of_what_is_not_known() -> None:
    for name, said in told(ROOT).items():
        assert set(said) <= {"genes", "space", "licence"}, name
        assert {"genes", "space"} <= set(said), name
