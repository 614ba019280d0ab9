"""Creating splits: the regime decides, its promises are checked, the result is frozen."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.contract.task import NamedHash
from harness.datasets.dataset import PerturbDataset
from harness.errors import ChangedError, HarnessError
from harness.splits.assignment import CODE, Assignment, perturbed_contexts
from harness.splits.leaks import Case, Rule, check_leaks
from harness.splits.official import rules as official_rules
from harness.splits.regimes import Regime, find_regime, regimes
from harness.splits.split import Role, Split, freeze

NEEDED: tuple[Role, ...] = ("train", "val", "test")


def create_split(
    dataset: PerturbDataset, regime: str, *, name: str | None = None, seed: int = 0, **params: Any
) -> Split:
    """One split of a dataset; what the regime leaks or cannot make is refused."""
    spec = find_regime(regime)
    assignment = spec.generate(dataset, seed=seed, **params)
    for role in NEEDED:
        _refuse_empty(dataset, assignment, role, regime)
    return freeze_checked(dataset, assignment, regime, spec.rules, name=name or regime, seed=seed)


def create_splits(
    dataset: PerturbDataset, regime: str, *, name: str | None = None, seed: int = 0, **params: Any
) -> list[Split]:
    """Every split of a regime: one, or each member of a family, e.g. one per context for `loco`."""
    spec = find_regime(regime)
    if spec.members is None or _names_one(spec, params):
        return [create_split(dataset, regime, name=name, seed=seed, **params)]
    return [
        create_split(dataset, regime, name=f"{name or regime}-{member}", seed=seed, **(params | dict(own)))
        for member, own in spec.members(dataset).items()
    ]


def freeze_checked(
    dataset: PerturbDataset,
    assignment: Assignment,
    regime: str,
    rules: tuple[Rule, ...],
    *,
    name: str,
    seed: int = 0,
) -> Split:
    """Freeze an assignment that keeps its promises."""
    params = {key: list(v) if isinstance(v, tuple) else v for key, v in assignment.params.items()}
    check_leaks(Case(dataset, assignment.role_of, params), rules)
    return freeze(
        name=name,
        dataset=NamedHash(name=dataset.name, hash=dataset.data_hash),
        regime=regime,
        params=params,
        seed=seed,
        ood_axes=list(assignment.ood_axes),
        role_of=assignment.role_of,
        strata=assignment.strata,
        set_aside=assignment.set_aside,
        notes=list(assignment.notes),
    )


def check_dataset(split: Split, dataset: PerturbDataset) -> None:
    """A split belongs to one content; a dataset that is not that content is refused."""
    if split.dataset.hash != dataset.data_hash:
        raise ChangedError(
            f"split {split.name!r} was frozen over another dataset",
            where=dataset.path,
            got=f"{dataset.name} {dataset.data_hash}",
            expected=f"{split.dataset.name} {split.dataset.hash}",
            mend="restore the dataset it was made on, or create the split again on this one",
        )
    if split.n_obs != dataset.n_obs:
        raise ChangedError(
            f"split {split.name!r} has another number of rows than its dataset",
            where=dataset.path,
            got=dataset.n_obs,
            expected=split.n_obs,
        )


def verify_split(split: Split, dataset: PerturbDataset) -> None:
    """Check a loaded split against its dataset: the content it was frozen over, and its regime's promises."""
    check_dataset(split, dataset)
    known = regimes()
    rules = known[split.regime].rules if split.regime in known else official_rules(split.regime, split.params)
    check_leaks(Case(dataset, split.role_codes(), split.params), rules)


def _names_one(spec: Regime, params: dict[str, Any]) -> bool:
    """Whether the parameters name one member of a family already: its distinguishing parameter was given."""
    return any(params.get(key) not in (None, ()) for key, p in spec.parameters.items() if p.default is None)


def _refuse_empty(dataset: PerturbDataset, assignment: Assignment, role: Role, regime: str) -> None:
    if not np.any((assignment.role_of == CODE[role]) & ~dataset.obs.is_control):
        raise HarnessError(
            f"regime {regime!r} leaves role {role!r} without cells",
            where=f"dataset {dataset.name}",
            got=f"{len(dataset.conditions.table)} conditions in {len(perturbed_contexts(dataset))} contexts",
            mend="choose another regime, other held-out names or larger fractions",
        )
