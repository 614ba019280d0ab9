"""STATE's split files: `[datasets]`, `[training]`, `[zeroshot]`, `[fewshot]`, by cell line and perturbation.

STATE trains on whatever the file does not name, and passes over lines and perturbations that it does not know. Here each
name must exist, and each cell must have one role.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.digest import file_hash
from harness.errors import HarnessError, UnknownNameError
from harness.splits.assignment import (
    ASIDE,
    CODE,
    TRAIN,
    Assignment,
    calib_notes,
    perturbations,
    perturbed_contexts,
)
from harness.splits.create import check_dataset, freeze_checked
from harness.splits.official import STATE, infer_axes, rules
from harness.splits.split import ROLES, Role, Split
from harness.storage import read_toml

SECTIONS = ("datasets", "training", "zeroshot", "fewshot")
HELD_OUT: tuple[Role, ...] = ("val", "test")


def import_toml(
    path: Path, dataset: PerturbDataset, *, name: str | None = None, toml_dataset: str | None = None
) -> Split:
    """Freeze a STATE split file over a dataset; `toml_dataset` is what the file calls it, where it names several.

    A `[zeroshot]` line is held out whole, a `[fewshot]` line loses the listed perturbations; the rest trains, if
    `[training]` names the dataset. Controls have the role of a zeroshot line, else they train.
    """
    told = _read(path)
    ours = _our_name(told, toml_dataset, dataset, path)
    trains = told["training"].get(ours) == "train"
    role_of = np.full(dataset.n_obs, TRAIN if trains else ASIDE, np.int8)
    codes = dataset.obs.context.codes
    zeroshot = _lines(told["zeroshot"], "zeroshot", ours, dataset, path)
    fewshot = _lines(told["fewshot"], "fewshot", ours, dataset, path)
    for line in sorted(set(zeroshot) & set(fewshot)):
        raise HarnessError(
            f"line {line!r} stands in [zeroshot] and in [fewshot]", where=path, mend="name it once"
        )
    for line, role in zeroshot.items():
        role_of[codes == dataset.obs.context.code(line)] = CODE[_role(role, line, path)]
    for line, lists in fewshot.items():
        here = codes == dataset.obs.context.code(line)
        role_of[here] = TRAIN
        for pert, role in _perturbations(lists, line, here, dataset, path).items():
            role_of[here & (dataset.obs.pert.codes == dataset.obs.pert.code(pert))] = CODE[role]
    params = {"sha256": file_hash(path), "toml_dataset": ours}
    aside = (
        [] if trains else [c for c in perturbed_contexts(dataset) if c not in zeroshot and c not in fewshot]
    )
    assignment = Assignment(
        role_of,
        infer_axes(dataset, role_of),
        params,
        set_aside={"lines that [training] does not take": aside} if aside else {},
        notes=tuple(calib_notes(dataset, role_of)),
    )
    return freeze_checked(
        dataset, assignment, STATE, rules(STATE, params), name=name or path.name.split(".")[0]
    )


def export_toml(
    split: Split, dataset: PerturbDataset, *, data_path: str | None = None, calib_as: Role | None = None
) -> str:
    """A split as such a file, refused where STATE would train on cells that this split hides.

    STATE knows train, val and test: `calib_as` says which of the last two calibration perturbations become.
    """
    check_dataset(split, dataset)
    codes = split.role_codes()
    if calib_as is not None:
        codes = np.where(codes == CODE["calib"], CODE[calib_as], codes).astype(np.int8)
    roles = _roles_by_line(codes, dataset)
    key = dataset.name.replace(".", "_")
    lines = ["[datasets]", f"{_quote(key)} = {_quote(data_path or str(dataset.path.absolute()))}", ""]
    lines += ["[training]", f'{_quote(key)} = "train"', "", "[zeroshot]"]
    fewshot: list[str] = []
    for line, role_of_pert in roles.items():
        found = set(role_of_pert.values())
        if len(found) == 1 and "train" not in found:
            lines.append(f'{_quote(f"{key}.{line}")} = "{found.pop()}"')
        elif found != {"train"}:
            fewshot += ["", f"[fewshot.{_quote(f'{key}.{line}')}]"]
            for role in HELD_OUT:
                names = sorted(pert for pert, given in role_of_pert.items() if given == role)
                fewshot.append(f"{role} = [{', '.join(map(_quote, names))}]")
    return "\n".join([*lines, "", "[fewshot]", *fewshot, ""])


def export_checked(
    split: Split, dataset: PerturbDataset, *, data_path: str | None = None, calib_as: Role | None = None
) -> str:
    """Such a file, read back: every perturbed cell has the role that the split gives it."""
    text = export_toml(split, dataset, data_path=data_path, calib_as=calib_as)
    with tempfile.TemporaryDirectory(prefix="harness-split-") as scratch:
        path = Path(scratch) / "split.toml"
        path.write_text(text, encoding="utf-8")
        back = import_toml(path, dataset).role_codes()
    told = split.role_codes()
    told = told if calib_as is None else np.where(told == CODE["calib"], CODE[calib_as], told)
    wrong = np.flatnonzero((back != told) & ~dataset.obs.is_control)
    if len(wrong):
        raise HarnessError(
            "the file does not say what the split says",
            where=f"{dataset.name}, row {wrong[0]}",
            got=f"{len(wrong)} perturbed cells of another role",
        )
    return text


def _read(path: Path) -> dict[str, dict[str, Any]]:
    told = read_toml(path, "split file")
    for section, content in told.items():
        if section not in SECTIONS:
            raise UnknownNameError("section", section, SECTIONS, where=path)
        if not isinstance(content, dict):
            raise HarnessError(f"section {section!r} is not a table", where=path, got=repr(content))
    return {section: told.get(section, {}) for section in SECTIONS}


def _our_name(
    told: Mapping[str, dict[str, Any]], asked: str | None, dataset: PerturbDataset, path: Path
) -> str:
    declared = list(told["datasets"])
    if not declared:
        raise HarnessError("split file declares no dataset", where=path, expected='[datasets] name = "path"')
    for name, value in told["training"].items():
        if name not in declared:
            raise UnknownNameError("dataset", name, declared, where=f"{path} [training]")
        if value != "train":
            raise HarnessError(
                f"[training] gives dataset {name!r} an unknown role",
                where=path,
                got=repr(value),
                expected='"train"',
            )
    if asked is None and len(declared) == 1:
        return declared[0]
    name = asked or dataset.name
    if name not in declared:
        raise UnknownNameError("dataset", name, declared, where=f"{path} [datasets]")
    return name


def _lines(
    section: Mapping[str, Any], kind: str, ours: str, dataset: PerturbDataset, path: Path
) -> dict[str, Any]:
    """The entries of a section that are about our dataset, by cell line, each checked to exist."""
    there = perturbed_contexts(dataset)
    found: dict[str, Any] = {}
    for key, value in section.items():
        name, dot, line = key.partition(".")
        if not dot:
            raise HarnessError(
                f"[{kind}] has a key without a line", where=path, got=repr(key), expected='"dataset.line"'
            )
        if name != ours:
            raise UnknownNameError("dataset", name, [ours], where=f"{path} [{kind}] {key!r}")
        if line not in there:
            raise UnknownNameError("line", line, there, where=f"{path} [{kind}] {key!r}")
        found[line] = value
    return found


def _role(value: Any, line: str, path: Path) -> Role:
    known: dict[str, Role] = {"train": "train", "val": "val", "test": "test"}
    if not isinstance(value, str) or value not in known:
        raise UnknownNameError("role", str(value), known, where=f"{path} [zeroshot] line {line!r}")
    return known[value]


def _perturbations(
    lists: Any, line: str, here: NDArray[np.bool_], dataset: PerturbDataset, path: Path
) -> dict[str, Role]:
    """The held-out perturbations of a fewshot line."""
    where = f"{path} [fewshot] line {line!r}"
    if not isinstance(lists, dict) or not all(isinstance(value, list) for value in lists.values()):
        raise HarnessError("a fewshot line is not a table of lists", where=where, got=repr(lists)[:80])
    there = set(np.array(dataset.obs.pert.levels, object)[np.unique(dataset.obs.pert.codes[here])].tolist())
    there &= set(perturbations(dataset))
    roles: dict[str, Role] = {}
    for key, names in lists.items():
        if key not in ("train", *HELD_OUT):
            raise UnknownNameError("role", key, ("train", *HELD_OUT), where=where)
        role: Role = next(r for r in ROLES if r == key)
        for pert in names:
            if pert not in there:
                raise UnknownNameError("perturbation", str(pert), there, where=where)
            if roles.setdefault(pert, role) != role:
                raise HarnessError(
                    f"perturbation {pert!r} stands in two lists", where=where, got=f"{roles[pert]} and {role}"
                )
    return roles


def _roles_by_line(codes: NDArray[np.int8], dataset: PerturbDataset) -> dict[str, dict[str, str]]:
    """The role of each perturbation of each line; what STATE cannot say is refused."""
    obs = dataset.obs
    rows = np.flatnonzero(~obs.is_control)
    triples = np.unique(np.stack([obs.context.codes[rows], obs.pert.codes[rows], codes[rows]]), axis=1)
    found: dict[str, dict[str, str]] = {}
    for context, pert, code in triples.T:
        line, name = obs.context.levels[context], obs.pert.levels[pert]
        role = ROLES[code] if code != ASIDE else "no role"
        other = found.setdefault(line, {}).setdefault(name, role)
        if other != role or role not in ("train", *HELD_OUT):
            raise HarnessError(
                "STATE's format cannot say this split: it would train on cells that are hidden here",
                where=f"line {line!r}, perturbation {name!r}",
                got=role if other == role else f"{other} and {role}",
                expected="train, val or test for all cells of a line's perturbation",
                mend="calib_as='val' folds calib; create the split with iid_conditions=0 to have no role iid",
            )
    return found


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}" for c in escaped) + '"'
