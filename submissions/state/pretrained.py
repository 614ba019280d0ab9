"""Whether a trained ST model fits a task: its labels, its control, its genes. What does not fit is refused by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from harness.sdk import SdkError

FILES = ("config.yaml", "var_dims.pkl", "pert_onehot_map.pt", "checkpoints")
GENES = "genes.txt"


def require_files(folder: Path) -> None:
    """Refuse a folder that is not one that `state tx train` leaves."""
    lacking = [name for name in FILES if not (folder / name).exists()]
    if lacking:
        raise SdkError(
            f"no trained ST model in {folder}: it lacks {', '.join(lacking)}; "
            "copy the whole run folder of `state tx train` into this submission's folder"
        )


def control_label(config: dict[str, Any], known: Iterable[str]) -> str:
    """The label of controls, which must be one that the model was trained with.

    `state tx train` writes its config before it replaces the label for `drugname_drugconc`: inference then gives controls
    the code of an arbitrary drug, or leaves every cell as it was.
    """
    told = str(config.get("data", {}).get("kwargs", {}).get("control_pert", ""))
    labels = {str(each) for each in known}
    if told not in labels:
        likely = sorted(
            each for each in labels if "dmso" in each.lower() or "target" in each.lower() or "ctrl" in each
        )
        raise SdkError(
            f"the model's config names the control {told!r}, which it was not trained with (a known fault of STATE); "
            f"correct data.kwargs.control_pert in config.yaml, e.g. to {(likely or sorted(labels))[0]!r}"
        )
    return told


def columns(task_genes: Sequence[str], named: Sequence[str] | None, wanted: int, folder: Path) -> list[int]:
    """For each input of the model, the task's gene; the names must be known, and each must be there."""
    listed = folder / GENES
    if listed.is_file():
        named = [line.strip() for line in listed.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not named or len(named) != wanted:
        raise SdkError(
            f"the model takes {wanted} genes and names {len(named or ())}: STATE stores no names for X_hvg; "
            f"put them in order into {listed}, one a line"
        )
    index = {gene: i for i, gene in enumerate(task_genes)}
    lacking = [gene for gene in named if gene not in index]
    if lacking:
        raise SdkError(f"{len(lacking)} of the model's {wanted} genes are not in this task: {some(lacking)}")
    repeated = (
        sorted({gene for gene in named if list(named).count(gene) > 1}) if len(set(named)) < wanted else []
    )
    if repeated:
        raise SdkError(f"the model's genes are not distinct: {some(repeated)} stand more than once")
    return [index[gene] for gene in named]


def labels(asked: Iterable[str], known: Iterable[str], unknown: str) -> set[str]:
    """The perturbations that the model knows among those asked for; others are refused unless they may fall back."""
    wanted = set(asked)
    strangers = sorted(wanted - {str(each) for each in known})
    if unknown not in ("refuse", "fallback"):
        raise SdkError(f"unknown = {unknown!r}; one of refuse, fallback")
    if len(strangers) == len(wanted) or (strangers and unknown == "refuse"):
        raise SdkError(
            f"the model does not know {len(strangers)} of {len(wanted)} perturbations of this task: {some(strangers)}; "
            'with unknown = "fallback" they get the mean training delta'
        )
    return wanted.difference(strangers)


def some(names: Sequence[str], shown: int = 5) -> str:
    """A few of the names, and how many there are."""
    return ", ".join(names[:shown]) + (f", … {len(names)} in all" if len(names) > shown else "")
