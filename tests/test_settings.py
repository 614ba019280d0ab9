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
