"""What a submission is, as one hash: every file of its folder and the source of the packages it names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from harness.contract.manifest import Submission
from harness.digest import Digest, file_hash
from harness.errors import HarnessError

CACHES = frozenset(
    (
        "__pycache__",
        ".git",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".venv",
        ".DS_Store",
    )
)
"""Files and folders that come and go without changing what the submission does."""


def submission_hash(folder: Path, manifest: Submission) -> str:
    """Content hash of a submission: the same files and packages give the same hash in any place, on any machine."""
    digest = Digest("submission")
    _add_tree(digest, "folder", folder)
    if manifest.run.build is not None:
        recipe = recipe_path(folder, manifest.run.build)
        if not recipe.is_relative_to(folder.absolute()):  # inside it is among the folder's files
            digest.field("recipe", file_hash(recipe))
    for package in sorted(set(manifest.run.packages)):
        source = package_source(package)
        if source.is_dir():
            _add_tree(digest, f"package:{package}", source)
        else:
            digest.field(f"package:{package}", file_hash(source))
    return digest.hexdigest()


def recipe_path(folder: Path, build: str) -> Path:
    """The Containerfile or definition file of `[run] build`: in the submission folder, or in one above it."""
    start = folder.absolute()
    for place in (start, *start.parents):
        if (place / build).is_file():
            return place / build
    raise HarnessError(
        "the file that this submission is built from is not there",
        where=folder,
        got=f"no {build} in its folder or above it",
        expected="a Containerfile, or a definition file (.def) of Apptainer",
        mend="correct [run] build in submission.toml",
    )


def submission_files(folder: Path) -> list[tuple[str, Path]]:
    """Every file that belongs to a submission folder, by its name inside, in order."""
    return sorted((path.relative_to(folder).as_posix(), path) for path in _files(folder))


def package_source(package: str) -> Path:
    """The folder or file that holds a package's source; the package itself is not imported."""
    spec = find_spec(package)
    if spec is None or spec.origin in (None, "built-in", "frozen"):
        raise HarnessError(
            f"package {package!r} has no source here",
            got="not installed" if spec is None else "no source file",
            expected="an installed Python package, as the manifest says under [run] packages",
            mend=f"install {package}, or take it out of packages",
        )
    origin = Path(str(spec.origin))
    return origin.parent if spec.submodule_search_locations else origin


def _add_tree(digest: Digest, label: str, root: Path) -> None:
    files = submission_files(root)
    digest.strings(f"{label}.names", (name for name, _ in files))
    digest.strings(f"{label}.hashes", (file_hash(path) for _, path in files))


def _files(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = Path(entry.path)
            if entry.name in CACHES or entry.name.endswith((".pyc", ".egg-info")):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _files(path)
            elif path.is_file():
                yield path
            else:
                raise HarnessError(
                    "a submission may hold only files and folders",
                    where=path,
                    got="a link to a folder, a broken link, a pipe or a device",
                    mend="put the files themselves into the folder",
                )
