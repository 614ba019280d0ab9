"""Several datasets as one, over the genes they share: what it takes to train on some laboratories and ask for another's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from harness.datasets.builder import Arrays, Rows, build_dataset
from harness.datasets.dataset import PerturbDataset
from harness.datasets.export import blocks
from harness.datasets.meta import Preprocessing, Source
from harness.datasets.obs import Covariate, Labels
from harness.datasets.progress import Progress
from harness.errors import HarnessError
from harness.storage import refuse_existing

ORIGIN = "dataset_id"
"""The covariate that says which dataset a row comes from."""
JOIN = " · "


def merge_datasets(
    sources: Sequence[PerturbDataset],
    out: Path,
    *,
    name: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Path:
    """Freeze the rows of several datasets as a new one, over the genes that all of them measure.

    The covariate `dataset_id` says where a row comes from. Contexts, batches and cell ids bear the name of their dataset,
    so that equal names of two laboratories stay apart; perturbation ids are shared, and must mean the same genes.
    Controls are dealt and matched anew from `seed`. Values are taken as they are: datasets whose values are of different
    kinds or scales are refused. Covariates that describe the intervention must be in all; others are kept where they are.
    """
    refuse_existing(out, kind="dataset")
    check_sources(sources)
    genes = shared_genes(sources)
    notes = _notes(sources, genes)
    rows = Rows.join([_rows_of(source, _shared_covariates(sources)) for source in sources])
    order = rows.order()
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    rule = sources[0].meta.matching.rule
    with build_dataset(
        out,
        name=name or out.name,
        title=f"merged: {', '.join(source.name for source in sources)}",
        genes=genes,
        rows=rows.take(order),
        perturbations=_perturbations(sources),
        preprocessing=_preprocessing(sources, genes),
        unit=sources[0].meta.unit,
        x_kind=sources[0].meta.x_kind,
        control_label=sources[0].meta.control_label,
        counts_dtype=_counts_dtype(sources),
        source=_source(sources),
        notes=notes,
        seed=seed,
        matching=rule,
        paired=place[_pairs(sources)[order]] if rule == "paired" else None,
    ) as arrays:
        _write(sources, genes, arrays, place, progress)
    return out


def shared_genes(sources: Sequence[PerturbDataset]) -> list[str]:
    """The genes that every dataset measures, in the order of the first."""
    shared = set.intersection(*(set(source.genes) for source in sources))
    if not shared:
        raise HarnessError(
            "the datasets have no gene in common",
            got="; ".join(f"{s.name}: {', '.join(s.genes[:3])}, …" for s in sources),
            mend="import them with the same naming (symbols or Ensembl ids)",
        )
    return [gene for gene in sources[0].genes if gene in shared]


def check_sources(sources: Sequence[PerturbDataset]) -> None:
    """What cannot be one dataset is refused: the same data twice, or values that do not mean the same."""
    if len(sources) < 2:
        raise HarnessError("merging needs at least two datasets", got=len(sources))
    _refuse_twice("name", [source.name for source in sources])
    _refuse_twice("content", [source.data_hash for source in sources])
    again = [source.name for source in sources if ORIGIN in source.meta.covariates]
    if again:
        raise HarnessError(
            f"a dataset has a covariate {ORIGIN!r} already",
            got=", ".join(again),
            mend="merge all the original datasets at once",
        )
    metas = {source.name: source.meta for source in sources}
    _refuse_different("units", {name: meta.unit for name, meta in metas.items()})
    _refuse_different("kinds of values", {name: meta.x_kind for name, meta in metas.items()})
    _refuse_different("control labels", {name: meta.control_label for name, meta in metas.items()})
    _refuse_different("matching rules", {name: meta.matching.rule for name, meta in metas.items()})
    sums = {name: meta.preprocessing.target_sum for name, meta in metas.items()}
    _refuse_different("target sums", {name: total for name, total in sums.items() if total is not None})
    _refuse_different("intervention covariates", {source.name: _interventions(source) for source in sources})


def _refuse_twice(what: str, values: Sequence[str]) -> None:
    if len(set(values)) < len(values):
        raise HarnessError(
            f"two of the datasets have the same {what}", got=", ".join(values), mend="merge each one once"
        )


def _refuse_different(what: str, told: Mapping[str, object]) -> None:
    if len(set(told.values())) > 1:
        raise HarnessError(
            f"the datasets have different {what}",
            got="; ".join(f"{name}: {value}" for name, value in told.items()),
            expected="the same in all",
            mend="import them again so that they agree",
        )


def _interventions(source: PerturbDataset) -> str:
    cards = source.meta.covariates
    return ", ".join(f"{name} ({cards[name].kind})" for name in source.obs.intervention) or "none"


def _shared_covariates(sources: Sequence[PerturbDataset]) -> list[str]:
    """Covariates that every dataset has, of one kind."""
    kinds = [{name: card.kind for name, card in source.meta.covariates.items()} for source in sources]
    return [name for name, kind in kinds[0].items() if all(other.get(name) == kind for other in kinds)]


def _rows_of(source: PerturbDataset, covariates: Sequence[str]) -> Rows:
    obs = source.obs
    kept: dict[str, Covariate] = {name: obs.covariates[name] for name in covariates}
    return Rows(
        pert=obs.pert,
        context=_named(obs.context, source.name),
        batch=_named(obs.batch, source.name),
        is_control=obs.is_control,
        cell_ids=pa.array([f"{source.name}:{cell}" for cell in source.cell_ids()], pa.string()),
        covariates=kept | {ORIGIN: Labels(np.zeros(len(obs), np.int32), (source.name,))},
        intervention=obs.intervention,
    )


def _named(labels: Labels, dataset: str) -> Labels:
    return Labels(labels.codes, tuple(f"{dataset}{JOIN}{level}" for level in labels.levels))


def _perturbations(sources: Sequence[PerturbDataset]) -> dict[str, list[str]]:
    """Target genes by perturbation; the same id must mean the same genes everywhere."""
    merged: dict[str, list[str]] = {}
    for source in sources:
        for pert, targets in source.meta.perturbations.items():
            if merged.setdefault(pert, targets) != targets:
                raise HarnessError(
                    f"perturbation {pert!r} has different target genes in two datasets",
                    where=f"dataset {source.name}",
                    got=", ".join(targets) or "none",
                    expected=", ".join(merged[pert]) or "none",
                    mend="rename it in one of the sources",
                )
    return merged


def _pairs(sources: Sequence[PerturbDataset]) -> NDArray[np.int64]:
    """The control row of each row of paired data, counted through all datasets."""
    starts = np.cumsum([0, *(source.n_obs for source in sources)])
    return np.concatenate([s.control + start for s, start in zip(sources, starts[:-1], strict=True)])


def _counts_dtype(sources: Sequence[PerturbDataset]) -> str | None:
    """A type that holds the counts of all; none unless all have them."""
    counts = [source.counts for source in sources if source.counts is not None]
    return np.result_type(*(array.dtype for array in counts)).str if len(counts) == len(sources) else None


def _preprocessing(sources: Sequence[PerturbDataset], genes: Sequence[str]) -> Preprocessing:
    each = [(source.name, source.meta.preprocessing) for source in sources]
    sums = {how.target_sum for _, how in each}
    return Preprocessing(
        found="; ".join(dict.fromkeys(how.found for _, how in each)),
        steps=[f"{name}: {step}" for name, how in each for step in how.steps],
        target_sum=sums.pop() if len(sums) == 1 else None,
        gene_space=f"{len(genes)} genes shared by {', '.join(name for name, _ in each)}",
    )


def _source(sources: Sequence[PerturbDataset]) -> Source:
    """Licence and citation of each; what one dataset leaves open is said to be open."""
    each = [(source.name, source.meta.source) for source in sources]
    return Source(
        license="; ".join(f"{name}: {source.license or 'not stated'}" for name, source in each),
        citation="; ".join(f"{name}: {source.citation or 'not stated'}" for name, source in each),
    )


def _notes(sources: Sequence[PerturbDataset], genes: Sequence[str]) -> list[str]:
    kept = {*_shared_covariates(sources)}
    notes = []
    unknown = [source.name for source in sources if source.meta.preprocessing.target_sum is None]
    if 0 < len(unknown) < len(sources):
        notes.append(f"the scale of the values is not known for {', '.join(unknown)}")
    for source in sources:
        notes.append(
            f"{source.name}: {source.n_obs} rows, {len(genes)} of {len(source.genes)} genes, {source.data_hash}"
        )
        left = [*sorted(set(source.meta.covariates) - kept), *(f"obsm/{key}" for key in sorted(source.obsm))]
        left += ["counts"] if source.counts is not None and _counts_dtype(sources) is None else []
        if left:
            notes.append(f"{source.name}: left out: {', '.join(left)}")
        notes += [f"{source.name}: {note}" for note in source.meta.notes]
    return notes


def _write(
    sources: Sequence[PerturbDataset],
    genes: Sequence[str],
    arrays: Arrays,
    place: NDArray[np.int64],
    progress: Progress | None,
) -> None:
    done = 0
    for source in sources:
        index = {gene: column for column, gene in enumerate(source.genes)}
        columns = np.array([index[gene] for gene in genes])
        for rows in blocks(source):
            target = place[done : done + len(rows)]
            arrays.X[target] = source.X[rows[0] : rows[-1] + 1][:, columns]
            if arrays.counts is not None and source.counts is not None:
                arrays.counts[target] = source.counts[rows[0] : rows[-1] + 1][:, columns]
            done += len(rows)
            if progress:
                progress(done, len(place))
