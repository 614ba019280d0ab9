"""`harness`: the root of the command line. Verbs are loaded when they are called, so that help answers at once."""

from __future__ import annotations

import difflib
import importlib
import io
import sys
from typing import Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from harness.errors import HarnessError, system_refusal

VERBS: dict[str, tuple[str, str]] = {
    "submit": ("harness.cli.submit:submit", "Run a submission on a task, score it, leave a run folder."),
    "batch": (
        "harness.cli.batch:app",
        "Runs handed in together: list, status, resume, cancel, logs, collect.",
    ),
    "sweep": (
        "harness.cli.sweep:app",
        "Choose a configuration on validation: launch, status, resume, aggregate.",
    ),
    "suite": (
        "harness.cli.suite:app",
        "Tasks × submissions × seeds in one report, with verdicts on claims: run, status, report.",
    ),
    "validate": (
        "harness.cli.validate:validate",
        "Check a submission, or a predictions file against a task.",
    ),
    "new": ("harness.cli.new:new", "Write a working starter submission."),
    "data": (
        "harness.cli.data:app",
        "Datasets: make, import, fetch, list, describe, verify, export, graphs.",
    ),
    "splits": (
        "harness.cli.splits:app",
        "Frozen splits: create, import, list, show, verify, passport, diff, export.",
    ),
    "tasks": ("harness.cli.tasks:app", "Tasks (dataset + split): list, describe, build."),
    "eval": ("harness.cli.evaluate:app", "Score a predictions file without its model."),
    "score": ("harness.cli.score:score", "Score a run or a predictions file, whole or a shard at a time."),
    "rescore": ("harness.cli.rescore:rescore", "Score a run anew; a new record stands beside the old one."),
    "compare": (
        "harness.cli.compare:compare",
        "Submissions on one task: intervals of their differences, rank groups.",
    ),
    "publish": (
        "harness.cli.publish:publish",
        "A static board of sealed records: tasks, submissions, datasets, metrics, scorecards.",
    ),
    "preview": (
        "harness.cli.preview:preview",
        "Look at a published board in the browser, on this machine only.",
    ),
    "ledger": (
        "harness.cli.ledger:app",
        "Who opened which test truth, when and why: show, verify, mend.",
    ),
    "verify": ("harness.cli.verify:verify", "Check every hash that a run or a page hangs on."),
    "seal": ("harness.cli.seal:seal", "Sign a run's seal with an SSH key."),
    "report": ("harness.cli.report:app", "Pages that are made from runs: render."),
    "metrics": ("harness.cli.metrics:app", "Metrics: list, describe."),
    "runs": ("harness.cli.runs:app", "Run folders: list, show, prune."),
    "audit": ("harness.cli.audit:audit", "Look for knowledge that a submission cannot have, on one page."),
    "gates": ("harness.cli.gates:gates", "What every gate found of a run: pass, fail or not applicable."),
    "submissions": ("harness.cli.submissions:app", "Submissions of a folder: list, describe."),
    "doctor": (
        "harness.cli.doctor:doctor",
        "What works on this machine: runtimes, schedulers, GPU, memory, disk.",
    ),
    "parity": (
        "harness.cli.parity:app",
        "Our values beside those of reference programs: check, export, compare.",
    ),
    "export": ("harness.cli.export:app", "Write a run in the files of other programs: cell-eval."),
    "import": ("harness.cli.import_:app", "Take over what other programs wrote: predictions."),
    "image": (
        "harness.cli.image:app",
        "Images of submissions for Docker, Podman, Apptainer: build, list, prune.",
    ),
    "environment": (
        "harness.cli.environment:app",
        "Python environments of submissions: list, wheels of packages that come without one.",
    ),
    "schemas": (
        "harness.cli.schemas:app",
        "JSON Schemas of the contract: list, show, export, check a document.",
    ),
}
"""Verb → (`module:object`, one line of help). The object is a Typer app (a noun) or a function (a verb)."""


class LazyGroup(TyperGroup):
    """A group whose commands are imported when they are run, not when they are listed."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command's name and line of help; enough for a listing."""
        if cmd_name not in VERBS:
            return None
        return TyperCommand(cmd_name, help=VERBS[cmd_name][1], short_help=VERBS[cmd_name][1])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command itself, imported now; a mistyped one is answered with the nearest."""
        if args[0] not in VERBS and not args[0].startswith("-") and not ctx.resilient_parsing:
            near = difflib.get_close_matches(args[0], VERBS, n=1)
            ctx.fail(f"No such command {args[0]!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
        name, _, rest = super().resolve_command(ctx, args)
        return name, load(VERBS[name][0]) if name in VERBS else None, rest


def load(target: str) -> Any:
    """The click command behind `module:object`."""
    module, _, attribute = target.partition(":")
    verb = getattr(importlib.import_module(module), attribute)
    if not isinstance(verb, typer.Typer):
        single = typer.Typer(rich_markup_mode="markdown")
        single.command()(verb)
        verb = single
    return typer.main.get_command(verb)


app = typer.Typer(
    cls=LazyGroup,
    name="harness",
    help="Benchmark harness for single-cell perturbation prediction.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help of the root needs no rich and answers at once
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from harness import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", is_eager=True, callback=_print_version, help="Print the version and leave."
    ),
) -> None:
    """Benchmark harness for single-cell perturbation prediction.

    Models are *submissions*: they turn a task folder without answers into predictions, and the harness scores them.

    Start here: `harness submit submissions/baselines/ridge`
    """


def main() -> None:
    """Run the command line; what a user can mend is said in a few lines, a bug keeps its traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that knows no arrows gets a question mark
    try:
        app(prog_name="harness")
    except HarnessError as error:
        _refuse(error)
    except OSError as error:
        refusal = system_refusal(error)
        if refusal is None:
            raise
        _refuse(refusal)
    except KeyboardInterrupt:
        sys.exit(130)


def _refuse(error: HarnessError) -> NoReturn:
    from harness.cli.show import print_error

    print_error(error)
    sys.exit(error.code)


if __name__ == "__main__":
    main()
