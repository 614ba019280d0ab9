"""`harness data merge`: several datasets as one, over the genes they share."""

from __future__ import annotations

from pathlib import Path

import typer

from harness.cli.data.made import say_made, target_folder
from harness.cli.names.datasets import complete_dataset


def merge(
    datasets: list[str] = typer.Argument(
        help="Two datasets or more, by name or folder.", autocompletion=complete_dataset
    ),
    name: str | None = typer.Option(
        None, help="Name of the merged dataset; without it, their names joined."
    ),
    out: Path | None = typer.Option(None, help="Its folder; without it, its name in the data folder."),
    seed: int = typer.Option(0, help="Seed of the control pools and the matching."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be merged, and stop."),
) -> None:
    """Freeze several datasets as one over their shared genes, to hold one of them out (`--spec dataset_ood`).

    Contexts and batches bear the name of their dataset, so that equal names of two laboratories stay apart. The covariate
    `dataset_id` says where a cell comes from.

    Example: `harness data merge lab_a lab_b --name two_labs`

    Example: `harness data merge lab_a lab_b --dry-run`
    """
    from harness.cli.names.datasets import named_dataset
    from harness.cli.progress import progress_bar
    from harness.cli.show import print_card
    from harness.datasets.merge import check_sources, merge_datasets, shared_genes

    sources = [named_dataset(reference) for reference in datasets]
    told = name or (out.name if out else "-".join(source.name for source in sources))
    target = target_folder(out, told)
    if dry_run:
        check_sources(sources)
        print_card(
            "Would merge",
            {
                **{s.name: f"{s.n_obs} rows, {len(s.genes)} genes" for s in sources},
                "shared genes": len(shared_genes(sources)),
                "dataset": target,
            },
        )
        return
    with progress_bar(f"merge {told}") as report:
        merge_datasets(sources, target, name=told, seed=seed, progress=report)
    say_made(target)
