"""Which submission is meant: a folder, or a name below the submissions folder."""

from __future__ import annotations

from pathlib import Path

from harness.errors import UnknownNameError
from harness.settings import load_settings

MANIFEST = "submission.toml"
DEEPEST = 3


def submission_folders(root: Path) -> dict[str, Path]:
    """Every submission below a folder, by its path without the leading groups; the shortest path wins a shared name."""
    found: dict[str, Path] = {}
    for depth in range(1, DEEPEST + 1):
        for manifest in sorted(root.glob("/".join(["*"] * depth + [MANIFEST]))):
            found.setdefault(manifest.parent.name, manifest.parent)
    return found


def find_submission(reference: str) -> tuple[Path, str | None]:
    """`FOLDER[@VARIANT]` or `NAME[@VARIANT]` as (folder, variant); an unknown name is refused with the nearest ones."""
    from harness.contract.manifest import parse_reference

    folder, variant = parse_reference(reference)
    if (folder / MANIFEST).is_file() or folder.is_dir():
        return folder, variant
    root = load_settings().submissions
    known = submission_folders(root)
    found = known.get(folder.name) if folder.parent in (Path(), root) else None
    if found is None:
        raise UnknownNameError(
            "submission", folder.name, known, where=folder.parent if folder.parent != Path() else root
        )
    return found, variant


def complete_submission(incomplete: str) -> list[str]:
    """Names of submissions; after `@`, the variants of one."""
    known = submission_folders(load_settings().submissions)
    name, at, _ = incomplete.partition("@")
    if not at:
        return [known_name for known_name in known if known_name.startswith(incomplete)]
    if name not in known:
        return []
    import tomllib

    try:
        variants = tomllib.loads((known[name] / MANIFEST).read_text()).get("variants", {})
    except (OSError, ValueError):
        return []
    return [f"{name}@{variant}" for variant in sorted(variants) if f"{name}@{variant}".startswith(incomplete)]
