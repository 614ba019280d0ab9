"""The table of all shipped submissions: manifests, with what they do not say from `models.toml`."""

from __future__ import annotations

import tomllib
from pathlib import Path

from harness.contract.manifest import Submission, load_manifest

BASELINES, IN_HOUSE, OTHERS = (
    "Baselines, which are also the controls of every run",
    "In-house",
    "Models of other groups, wrapped here",
)
HEADS = (
    "submission",
    "core idea",
    "graph prior",
    "perturbation genes",
    "prediction space",
    "uncertainty",
    "licence",
)
KINDS = {"effect": "of the effect", "observed": "of the measurement", "cell": "of single cells"}


def manifests(root: Path) -> dict[str, list[tuple[str, Submission]]]:
    """Title of a family → (folder relative to submissions/, manifest) of each of its submissions."""
    found: dict[str, list[tuple[str, Submission]]] = {BASELINES: [], IN_HOUSE: [], OTHERS: []}
    submissions = root / "submissions"
    files = sorted(submissions.glob("*/submission.toml")) + sorted(submissions.glob("*/*/submission.toml"))
    for file in files:
        folder, manifest = file.parent.relative_to(submissions).as_posix(), load_manifest(file.parent)
        ours = len(manifest.authors) == 1 and "harness developers" in manifest.authors[0]
        family = BASELINES if folder.startswith("baselines/") else IN_HOUSE if ours else OTHERS
        found[family].append((folder, manifest))
    return found


def told(root: Path) -> dict[str, dict[str, str]]:
    """What `models.toml` says, by name of the submission."""
    with (root / "docs" / "models.toml").open("rb") as handle:
        return tomllib.load(handle)


def row(folder: str, manifest: Submission, said: dict[str, str]) -> list[str]:
    """One line of the table."""
    filled = manifest.claims.uncertainty == "none"
    ensembles = [name for name in manifest.variants if name.startswith("ensemble")]
    uncertainty = "filled by the harness" if filled else f"native, {KINDS[manifest.claims.var_kind]}"
    return [
        f"[`{manifest.name}`](../../submissions/{folder}/submission.toml)",
        manifest.title,
        "yes" if "graph" in manifest.claims.inputs else "no",
        said.get("genes", "not told"),
        said.get("space", "not told"),
        uncertainty + (f"; deep ensemble as `@{ensembles[0]}`" if ensembles else ""),
        said.get("licence", manifest.license),
    ]


def comparison(root: Path, notice: str) -> str:
    """The page `reference/models.md`."""
    said = told(root)
    parts = [
        f"{notice}# All models\n",
        "What is shipped in `submissions/`, side by side. `harness submissions describe NAME` shows parameters, variants and claims of one; "
        "how well they do is on the board, not here.\n",
    ]
    for title, members in manifests(root).items():
        lines = [row(folder, manifest, said.get(manifest.name, {})) for folder, manifest in members]
        table = [list(HEADS), ["---"] * len(HEADS), *lines]
        parts.append(f"## {title}\n")
        parts.append(
            "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in table)
            + "\n"
        )
    parts.append(
        "*Filled*: the harness takes the variance from the residuals of training, and the scorecard says so. Variances that are the same for every row cannot tell easy "
        "conditions from hard ones. A *label* says nothing of an unseen perturbation; a *set* of genes does.\n"
    )
    return "\n".join(parts)
