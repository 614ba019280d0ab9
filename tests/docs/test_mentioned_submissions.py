"""Every variant and parameter of a shipped submission that a page mentions exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.contract.manifest import Submission, load_manifest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
VARIANT = re.compile(r"`[^`\n]*?\b([a-z0-9][a-z0-9_-]*)@([a-z0-9_]+)\b[^`\n]*`")
SUBMIT = re.compile(r"harness submit ((?:[a-z0-9_][a-z0-9_/@-]* )+)([^`\n|]*)")
PARAM = re.compile(r"--param '?([a-z_]+)=")


@pytest.fixture(scope="module")
def shipped() -> dict[str, Submission]:
    """Manifests by name and by folder."""
    folders = [file.parent for file in (ROOT / "submissions").rglob("submission.toml")]
    read = {folder: load_manifest(folder) for folder in folders}
    return {name: told for folder, told in read.items() for name in (folder.name, told.name)}


def test_variants_that_pages_mention_exist(shipped: dict[str, Submission]) -> None:
    named = {
        (page.name, name, variant)
        for page in PAGES
        for name, variant in VARIANT.findall(page.read_text(encoding="utf-8"))
        if name in shipped
    }
    assert len(named) > 5
    assert not {one for one in named if one[2] not in shipped[one[1]].variants}


def test_parameters_that_pages_give_to_a_submission_exist(shipped: dict[str, Submission]) -> None:
    given = {
        (page.name, Path(word.split("@")[0]).name, key)
        for page in PAGES
        for words, rest in SUBMIT.findall(page.read_text(encoding="utf-8"))
        for word in words.split()
        for key in PARAM.findall(rest)
    }
    assert len(given) > 3
    assert not {one for one in given if one[1] in shipped and one[2] not in shipped[one[1]].params}
