"""Starter submissions: copies of the folders in `harness/starters/` under a new name."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from harness.contract.manifest import Name
from harness.errors import HarnessError
from harness.storage import new_folder

PLACEHOLDER = "STARTER-NAME"


def write_starter(name: str, kind: str, parent: Path) -> Path:
    """Make the folder `parent/name`, whole or not at all."""
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError:
        raise HarnessError(
            "a submission cannot have this name",
            got=repr(name),
            expected="lower-case letters, digits and dashes, not first a dash, at most 64",
            mend="harness new my-model",
        ) from None
    with new_folder(parent / name, kind="submission") as folder:
        for file in files("harness").joinpath("starters", kind).iterdir():
            if file.is_file():
                text = file.read_text(encoding="utf-8").replace(PLACEHOLDER, name)
                (folder / file.name).write_text(text, encoding="utf-8")
    return parent / name
