"""`harness audit`: the lie detector, one page on any submission as a black box."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cli.names.submissions import complete_submission, find_submission
from harness.cli.names.tasks import complete_task
from harness.cli.show import JSON_OPTION

if TYPE_CHECKING:
    from harness.audit.finding import Audit


def audit(
    submission: str = typer.Argument(
        help="Folder or name of a submission, with @VARIANT for one of its variants.",
        autocompletion=complete_submission,
    ),
    task: str = typer.Option(
        None,
        help="Where secrets are hidden and runs repeated; only validation truth is opened. Default: a small demo screen.",
        autocompletion=complete_task,
    ),
    runtime: str = typer.Option(None, help="Runtime, instead of the manifest's."),
    check: list[str] = typer.Option([], help="Only this check; may be repeated. --dry-run lists them."),
    out: Path = typer.Option(None, help="Write the page as a Markdown file too."),
    dry_run: bool = typer.Option(False, "--dry-run", help="List the checks that would run; run nothing."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Look for knowledge that a submission cannot have: canaries, a planted marker, worlds without signal, reruns.

    Each check passes, fails or does not apply, with its number. Exits with 0 where none fails, with 3 where one fails,
    with 17 where a leak is suspected.

    Example: `harness audit ridge`

    Example: `harness audit submissions/baselines/ridge --check canary --check "planted marker" --out audit.md`
    """
    from harness.audit.audit import CHECKS
    from harness.audit.audit import audit as run_audit
    from harness.audit.subject import Subject
    from harness.cli.names.tasks import choose_task
    from harness.cli.progress import live_steps
    from harness.cli.show import print_json
    from harness.errors import UnknownNameError
    from harness.storage import write_text

    folder, variant = find_submission(submission)
    for name in check:
        if name not in CHECKS:
            raise UnknownNameError("check", name, CHECKS, where="--check")
    wanted = [name for name in CHECKS if not check or name in check]
    subject = Subject.of(folder, variant, runtime)
    if dry_run:
        typer.echo(f"would audit {subject.label} in runtime {subject.runtime.name}: {', '.join(wanted)}")
        return
    chosen = None if task is None else choose_task(task, None, None)
    with live_steps() as steps:
        steps.step("audit")
        page = run_audit(
            subject,
            task=None if chosen is None else (chosen.dataset, chosen.split),
            checks=wanted,
            say=lambda name: steps.step(f"audit · {name}"),
        )
    if out is not None:
        write_text(out, page.markdown())
    if as_json:
        print_json(page.document())
    else:
        _print_page(page)
    raise typer.Exit(page.exit_code)


def _print_page(page: Audit) -> None:
    from harness.cli.show import print_table

    rows = [
        (one.check, one.state, "–" if one.number is None else f"{one.number:.4g}", one.reason)
        for one in page.findings
    ]
    print_table(f"Audit of {page.submission}, on {page.task}", ["check", "", "number", "reason"], rows)
    typer.echo(f"isolation: {page.isolation}")
    typer.echo(page.verdict)
