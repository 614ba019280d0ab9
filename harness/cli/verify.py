"""`harness verify`: whether a run or a page is still what was sealed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cli.runs import complete_run
from harness.cli.show import JSON_OPTION

if TYPE_CHECKING:
    from harness.records.verify import Check

PAGE_ENDING = ".html"


def verify(
    what: str = typer.Argument(
        help="A run (name, its beginning, folder, `last`), or a page that was made from one (.html).",
        autocompletion=complete_run,
    ),
    rescore: bool = typer.Option(
        False, "--rescore", help="Also score the stored predictions again; every bit has to be the same."
    ),
    signers: Path = typer.Option(
        None, help="Allowed signers, as ssh-keygen reads them: one of them has to have signed the seal."
    ),
    workers: int = typer.Option(None, min=1, help="Processes for --rescore."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Check every hash that a run or a page hangs on: data, gene list, split, predictions, metrics, page, ledger.

    Exit code 4 where something has changed; each change is named. What cannot be checked here is said, and is no fault.

    Example: `harness verify last`

    Example: `harness verify last --rescore`
    """
    from harness.errors import ExitCode

    page = Path(what) if what.endswith(PAGE_ENDING) else None
    checks, run = _page_checks(page) if page else ([], what)
    if run is not None:
        checks += _run_checks(run, rescore=rescore, workers=workers)
        if signers is not None:
            checks.append(_signature(run, signers))
    elif rescore or signers is not None:
        raise typer.BadParameter("the run of this page is not here; nothing can be scored again or signed")
    _print(what, checks, as_json)
    if any(check.verdict == "changed" for check in checks):
        raise typer.Exit(ExitCode.CHANGED)


def _run_checks(reference: str, *, rescore: bool, workers: int | None) -> list[Check]:
    from harness.cli.progress import live_steps
    from harness.cli.score import context_of_named_run
    from harness.records.verify import Places, verify_run
    from harness.schedulers.rescore import enter_look_at
    from harness.schedulers.reverify import rescore_checks
    from harness.settings import load_settings

    settings = load_settings()
    path = _run_path(reference)
    with live_steps() as steps:
        steps.step("verify")
        places = Places(settings.data, settings.splits, settings.ledger)
        checks = verify_run(path, places, lambda done, of: steps.within("data", done, of))
        if rescore and not any(check.verdict == "changed" for check in checks):
            steps.step("score")
            context = context_of_named_run(str(path.absolute()))
            enter_look_at(context, settings.ledger, "verify")
            checks += rescore_checks(context, workers, lambda done, of: steps.within("conditions", done, of))
    return checks


def _page_checks(page: Path) -> tuple[list[Check], str | None]:
    """What the page says of itself, and where its run is, if it is here."""
    from harness.digest import file_hash
    from harness.errors import HarnessError
    from harness.records.page_seal import read_page_seal
    from harness.records.run_folder import RECORD_FILE
    from harness.records.seal import read_seal
    from harness.records.verify import Check, failed
    from harness.settings import load_settings

    if not page.is_file():
        raise HarnessError("no page here", where=page)
    try:
        seal = read_page_seal(page.read_bytes().decode(errors="replace"), page)
    except HarnessError as fault:
        beside = page.absolute().parent
        return [failed("page", fault)], str(beside) if (beside / RECORD_FILE).is_file() else None
    checks = [Check("page", "as sealed", "its own hash")]
    folders = [page.absolute().parent, load_settings().runs / seal.run]
    found = next((f for f in folders if f.name == seal.run and (f / RECORD_FILE).is_file()), None)
    if found is None:
        return [*checks, Check("run", "not checked", f"{seal.run} is not here")], None
    try:
        same = file_hash(page) in read_seal(found).pages.values()
    except HarnessError:
        return checks, str(found)  # named with the run
    said = f"in the seal of {seal.run}" if same else f"the seal of {seal.run} knows another page or none"
    return [*checks, Check("page", "as sealed" if same else "changed", said)], str(found)


def _signature(reference: str, signers: Path) -> Check:
    from harness.errors import HarnessError
    from harness.records.signature import check_signature
    from harness.records.verify import Check, failed

    try:
        return Check("signature", "as sealed", f"of {check_signature(_run_path(reference), signers)}")
    except HarnessError as fault:
        return failed("signature", fault)


def _run_path(reference: str) -> Path:
    """The folder of a run, also of one whose record can no longer be read."""
    from harness.records.run_folder import RECORD_FILE, find_run
    from harness.settings import load_settings

    runs = load_settings().runs
    for path in (Path(reference), runs / reference):
        if (path / RECORD_FILE).is_file():
            return path
    return find_run(runs, reference).path


def _print(what: str, checks: list[Check], as_json: bool) -> None:
    from harness.cli.show import print_json, print_table

    if as_json:
        print_json([check.document for check in checks])
        return
    print_table(what, ["what", "", "said"], [[check.what, check.verdict, check.said] for check in checks])
    changed = sum(check.verdict == "changed" for check in checks)
    typer.echo("nothing has changed" if not changed else f"{changed} changed")
