"""An importer is found by being there."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from harness.datasets.importers import registry
from harness.datasets.importers.registry import ImportOptions, importer, importers
from harness.errors import HarnessError, UnknownNameError


def test_every_module_with_an_importer_is_found_with_description_and_options() -> None:
    found = importers()
    assert {"h5ad", "simple", "perturbench", "scperturb", "scperturbench"} <= set(found)
    for name, entry in found.items():
        assert entry.name == name
        assert entry.description
        assert issubclass(entry.options, ImportOptions)
        for option, field in entry.options.model_fields.items():
            assert field.description, f"{name}: option {option} has no description"


def test_an_unknown_importer_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError) as refused:
        importer("h5da")
    assert refused.value.mend == "did you mean 'h5ad'?"


def test_two_importers_of_one_name_and_an_incomplete_one_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    twin = EntryPoint("h5ad", "harness.datasets.importers.h5ad:IMPORTER", registry.ENTRY_POINT_GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [twin])
    with pytest.raises(HarnessError, match="two importers are named 'h5ad'"):
        importers()
    odd = EntryPoint("odd", "harness.errors:ExitCode.OK", registry.ENTRY_POINT_GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [odd])
    with pytest.raises(HarnessError, match="incomplete"):
        importers()
