"""`perturbfm pretrain`: from an artifact, or a task folder, to an encoder that the models of the ladder can begin with."""

from __future__ import annotations

import argparse
import fcntl
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.sdk import SdkError
from perturbfm.pretrain.refusal import REFUSED, RefusedError

if TYPE_CHECKING:
    from perturbfm.pretrain.ranks import Ranks
    from perturbfm.pretrain.source import Source
    from perturbfm.pretrain.training import Settings

DESCRIPTION = """Pretrain the cell encoder of the ladder on cells whose genes are hidden and noised.

SOURCE is a dataset artifact (with --split: rows of any hidden role are left out) or a task folder, which holds none.
A run that was killed goes on where it was: start it again with the same words. Several processes share each batch:
torchrun --nproc-per-node 2 -m perturbfm pretrain …"""
EXAMPLES = """Example: `perturbfm pretrain data/demo --split context_ood --out runs/encoder`
Example: `perturbfm pretrain data/demo --split context_ood --split perturbation_ood --objective masked --dry-run`"""


def parser() -> argparse.ArgumentParser:
    """The words that are understood."""
    top = argparse.ArgumentParser(prog="perturbfm", description="The in-house model library.")
    told = top.add_subparsers(dest="verb", required=True).add_parser(
        "pretrain",
        help="pretrain the cell encoder",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = told.add_argument
    add("source", metavar="SOURCE", type=Path, help="a dataset artifact or a task folder")
    add("--out", type=Path, default=Path("runs/pretrained"), help="folder of the encoder and its state")
    add(
        "--split",
        action="append",
        default=[],
        help="a frozen split: file, hash or name; more than one: none of their hidden rows",
    )
    add("--splits", type=Path, default=Path("splits"), help="where splits are kept")
    add(
        "--exclude",
        action="append",
        default=[],
        type=Path,
        help="an artifact whose cells must not be seen, by name or content",
    )
    add("--rows", type=Path, help="a .npy file of rows: these alone; refused if one of them may not be seen")
    add("--all-rows", action="store_true", help="data that nothing is ever judged on: no split is needed")
    add(
        "--objective",
        choices=("denoise", "masked"),
        default="denoise",
        help="rebuild all genes, or those that were hidden",
    )
    add("--hide", type=float, default=0.3, help="share of genes that are hidden")
    add("--noise", type=float, default=0.2, help="noise on each gene, in its standard deviations")
    add(
        "--encoder",
        choices=("mlp", "transformer"),
        default="mlp",
        help="as in the model that will begin with it",
    )
    add("--width", type=int, default=64, help="as in the model that will begin with it")
    add("--hidden", type=int, default=128, help="width of the decoder")
    add("--steps", type=int, default=2000)
    add("--batch", type=int, default=256, help="cells of a step, over all processes")
    add("--learning-rate", type=float, default=1e-3)
    add("--evaluate-every", type=int, default=100)
    add("--checkpoint-every", type=int, default=200, help="steps between states on disk")
    add("--seed", type=int, default=0)
    add("--dry-run", action="store_true", help="say which rows would be seen, and stop")
    add("--json", action="store_true", help="print what was done as JSON")
    return top  # fmt: skip


def main(words: Sequence[str] | None = None) -> int:
    """Run a verb; refusals are printed without a traceback."""
    told = parser().parse_args(words)
    try:
        return pretrain(told)
    except SdkError as error:
        print(f"refused: {error}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last state", file=sys.stderr)
        return 130


def pretrain(told: argparse.Namespace) -> int:
    """Check everything, train, write the encoder."""
    import torch

    from perturbfm.network import Design
    from perturbfm.pretrain.encoder_file import card_of, save_encoder
    from perturbfm.pretrain.ranks import joined
    from perturbfm.pretrain.training import Pretraining

    settings = settings_of(told)
    torch.use_deterministic_algorithms(True)
    with joined() as ranks, alone(told.out, ranks):
        source = source_of(told)
        say(told, ranks, source)
        if told.dry_run:
            return 0
        design = Design(encoder=told.encoder, width=told.width, hidden=told.hidden)
        run = Pretraining(source, design, settings, ranks=ranks, folder=told.out)
        run.run(None if told.json else show)
        if not ranks.first:
            return 0
        path = save_encoder(run, told.out)
        curve = {"steps": run.progress.curve.steps, **run.progress.curve.values}
        document = {"encoder": str(path), **card_of(run), "curve": curve}
        (told.out / "pretraining.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        print(json.dumps(document, indent=1) if told.json else path)
    return 0


def settings_of(told: argparse.Namespace) -> Settings:
    """The numbers of a run, within what makes sense."""
    from perturbfm.pretrain.autoencoder import Objective
    from perturbfm.pretrain.training import Settings

    for name in ("steps", "batch", "width", "hidden", "evaluate_every", "checkpoint_every", "learning_rate"):
        if getattr(told, name) <= 0:
            raise RefusedError(f"--{name.replace('_', '-')} must be above 0", got=getattr(told, name))
    if not 0 < told.hide < 1 or told.noise < 0:
        raise RefusedError(
            "nothing can be rebuilt so",
            got=f"--hide {told.hide} --noise {told.noise}",
            expected="a share of genes between 0 and 1, and noise of 0 or more",
        )
    return Settings(
        objective=Objective(told.objective, told.hide, told.noise),
        steps=told.steps,
        batch=told.batch,
        learning_rate=told.learning_rate,
        evaluate_every=told.evaluate_every,
        checkpoint_every=told.checkpoint_every,
        seed=told.seed,
    )


def source_of(told: argparse.Namespace) -> Source:
    """The cells that may be seen."""
    import numpy as np

    from perturbfm.pretrain.artifact import artifact_source
    from perturbfm.pretrain.source import read_card, task_source
    from perturbfm.pretrain.splits import find_split, read_split

    if (told.source / "task.json").is_file():
        if told.split or told.exclude or told.rows or told.all_rows:
            raise RefusedError(
                "a task folder already holds no hidden row",
                where=told.source,
                expected="none of --split, --exclude, --rows, --all-rows",
                mend="leave them away, or name the dataset",
            )
        return task_source(told.source, told.out)
    card = read_card(told.source)
    splits = [read_split(find_split(name, card["name"], told.splits)) for name in told.split]
    only = None
    if told.rows:
        try:
            only = np.load(told.rows, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise RefusedError(
                "no list of rows", where=told.rows, got=error, expected="a .npy file"
            ) from None
    return artifact_source(
        told.source, told.out, splits, excluded=told.exclude, only=only, all_rows=told.all_rows
    )


@contextmanager
def alone(out: Path, ranks: Ranks) -> Iterator[None]:
    """One pretraining in a folder at a time; the lock ends with the process that holds it."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / ".lock").open("w") as handle:
        if ranks.first:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RefusedError(
                    "another pretraining is at work here",
                    where=out,
                    mend="wait for it, or choose another --out",
                ) from None
        yield


def say(told: argparse.Namespace, ranks: Ranks, source: Source) -> None:
    """Which cells are seen and which are not."""
    if not ranks.first or (told.json and not told.dry_run):
        return
    if told.json:
        print(
            json.dumps({"cells": len(source), "genes": len(source.genes), "left_out": dict(source.left_out)})
        )
        return
    print(f"{len(source)} cells × {len(source.genes)} genes")
    for why, n in sorted(source.left_out.items()):
        print(f"  left out: {n} × {why}")


def show(step: int, of: int, measured: Mapping[str, Any]) -> None:
    """One progress line."""
    print(
        f"{step}/{of}  " + "  ".join(f"{k} {v:.4f}" for k, v in measured.items()), file=sys.stderr, flush=True
    )
