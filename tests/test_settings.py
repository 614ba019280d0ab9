"""`harness.toml`: what it may say."""

from __future__ import annotations

import pytest

from harness.errors import HarnessError
from harness.settings import load_settings


@pytest.mark.parametrize("value", ['""', '" "', '"a\\u0000b"', "3", '["a"]', '"~no-such-person/runs"'])
def test_a_setting_that_names_no_folder_is_refused(tmp_path, value):
    (tmp_path / "harness.toml").write_text(f"runs = {value}\n")
    with pytest.raises(HarnessError, match="setting 'runs'"):
        load_settings(tmp_path)


def test_an_unknown_setting_is_refused_with_the_known_ones(tmp_path):
    (tmp_path / "harness.toml").write_text('run = "x"\n')
    with pytest.raises(HarnessError, match="did you mean 'runs'"):
        load_settings(tmp_path)


def test_environments_are_built_from_the_index_unless_a_folder_of_wheels_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("HARNESS_WHEELS", raising=False)
    assert load_settings(tmp_path).wheels is None
    (tmp_path / "harness.toml").write_text('wheels = "our/wheels"\n')
    assert load_settings(tmp_path).wheels == tmp_path / "our/wheels"
    monkeypatch.setenv("HARNESS_WHEELS", str(tmp_path / "others"))
    assert load_settings(tmp_path).wheels == tmp_path / "others"
