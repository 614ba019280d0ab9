"""Where things lie: an optional `harness.toml`, environment variables, and defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, UnknownNameError
from harness.storage import read_toml

SETTINGS_FILE = "harness.toml"
LEDGER_FILE = "ledger.jsonl"
KEYS = ("data", "ledger", "runs", "splits", "submissions", "task", "wheels")
TABLES = ("slurm",)


@dataclass(frozen=True)
class Settings:
    """The folders and the default task of one project."""

    root: Path
    data: Path
    """Dataset artifacts by name, and the cache of built tasks."""
    runs: Path
    splits: Path
    submissions: Path
    task: str
    """The task of `harness submit` when none is named."""
    ledger: Path
    """The file in which every opening of test truth is entered; beside the runs folder unless a setting moves it."""
    wheels: Path | None = None
    """A folder of wheels that replaces the package index where environments are built."""
    slurm: Mapping[str, Any] = field(default_factory=dict)
    """What the site asks of its SLURM; checked where it is used."""

    @property
    def task_cache(self) -> Path:
        return self.data / ".tasks"

    @property
    def environments(self) -> Path:
        return self.data / ".environments"

    @property
    def own_wheels(self) -> Path:
        """Wheels that were made here of packages that come without one."""
        return self.data / ".wheels"

    def dataset_path(self, name_or_path: str) -> Path:
        """A dataset by folder, or by its name in the data folder."""
        path = Path(name_or_path)
        return path if path.exists() or path.parent != Path() else self.data / name_or_path


def load_settings(start: Path | None = None) -> Settings:
    """Settings of the nearest `harness.toml` at or above a folder; without one, that folder is the project."""
    here = (start or Path.cwd()).absolute()
    root = next((folder for folder in (here, *here.parents) if (folder / SETTINGS_FILE).is_file()), here)
    told = _read(root / SETTINGS_FILE)
    split_dir = os.environ.get("HARNESS_SPLIT_DIR") or os.environ.get("PERTURBFM_SPLIT_DIR")
    wheels = os.environ.get("HARNESS_WHEELS")

    def folder(key: str, variable: str | None) -> Path:
        try:
            return root / Path(variable or told.get(key, key)).expanduser()
        except RuntimeError as error:  # ~name of nobody
            raise HarnessError(
                f"setting {key!r} names no folder", where=root / SETTINGS_FILE, got=variable or told[key]
            ) from error

    runs = folder("runs", os.environ.get("HARNESS_RUN_DIR"))
    return Settings(
        root=root,
        data=folder("data", os.environ.get("HARNESS_DATA_DIR")),
        runs=runs,
        splits=folder("splits", split_dir),
        submissions=folder("submissions", None),
        task=told.get("task", "demo:context_ood"),
        ledger=folder("ledger", None) if "ledger" in told else runs.parent / LEDGER_FILE,
        wheels=folder("wheels", wheels) if wheels or "wheels" in told else None,
        slurm=told.get("slurm", {}),
    )


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    told = read_toml(path, SETTINGS_FILE)
    for key, value in told.items():
        if key not in (*KEYS, *TABLES):
            raise UnknownNameError("setting", key, (*KEYS, *TABLES), where=path)
        if key in TABLES:
            if not isinstance(value, dict):
                raise HarnessError(
                    f"setting {key!r} is not a table", where=path, got=repr(value), expected=f"[{key}]"
                )
            continue
        if not isinstance(value, str):
            raise HarnessError(f"setting {key!r} is not text", where=path, got=repr(value))
        if not value.strip() or not value.isprintable():
            raise HarnessError(f"setting {key!r} is not printable text", where=path, got=repr(value))
    return told
