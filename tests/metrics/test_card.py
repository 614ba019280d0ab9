"""A metric's version speaks of everything its value depends on."""

from __future__ import annotations

import pytest

from harness.metrics import card as card_module
from harness.metrics.card import cards


def versions() -> dict[str, str]:
    return {name: card.version for name, card in cards().items()}


def test_a_changed_kernel_gives_the_metrics_that_stand_on_it_another_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = versions()
    plain = card_module._source_hash
    monkeypatch.setattr(
        card_module, "_source_hash", lambda module: "other" if module.endswith(".sinkhorn") else plain(module)
    )
    changed = {name for name, version in versions().items() if version != before[name]}
    assert "scperturbench.wasserstein_all" in changed
    assert "calibrated.sinkhorn_skill" in changed
    assert "celleval.pr_auc" not in changed


def test_versions_differ_between_metrics_of_one_module() -> None:
    found = versions()
    assert len(set(found.values())) == len(found)
