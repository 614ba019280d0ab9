"""`harness submissions`: what there is to submit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from harness.cli.names.submissions import complete_submission, find_submission, submission_folders
from harness.cli.show import JSON_OPTION

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="markdown", help="Submissions of a folder: list, describe."
)


@app.command("list")
def list_submissions(as_json: bool = JSON_OPTION) -> None:
    """List the submissions below the submissions folder; one whose manifest is refused is shown with the reason.

    Example: `harness submissions list`
    """
    from harness.cli.show import print_json, print_table
    from harness.settings import load_settings

    root = load_settings().submissions
    entries = [_entry(name, folder) for name, folder in sorted(submission_folders(root).items())]
    if as_json:
        print_json(entries)
        return
    rows = [[e["name"], e["version"], e["title"], ", ".join(e["variants"]), e["refused"]] for e in entries]
    columns = ["name", "version", "title", "variants", "refused"]
    if not any(entry["refused"] for entry in entries):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    print_table(f"Submissions in {root}", columns, rows)


@app.command()
def describe(
    submission: str = typer.Argument(help="Folder or name.", autocompletion=complete_submission),
    as_json: bool = JSON_OPTION,
) -> None:
    """Describe a submission: how it is started, its parameters and variants, what it claims, what it may use.

    Example: `harness submissions describe ridge`
    """
    from harness.cli.show import print_card, print_json
    from harness.contract.content import submission_hash
    from harness.contract.manifest import load_manifest

    folder, variant = find_submission(submission)
    manifest = load_manifest(folder)
    params = manifest.resolve(variant, {})
    content = submission_hash(folder, manifest)
    if as_json:
        document = manifest.model_dump(mode="json", by_alias=True)
        print_json(
            {"folder": str(folder), "content_hash": content, "resolved_params": params, "manifest": document}
        )
        return
    run, claims, resources = manifest.run, manifest.claims, manifest.resources
    print_card(
        f"{manifest.name} {manifest.version}",
        {
            "title": manifest.title,
            "folder": folder,
            "authors": ", ".join(manifest.authors),
            "license": manifest.license,
            "started as": run.module or run.image or run.build or " ".join(run.command or []),
            "runtime": run.runtime,
            "parameters": ", ".join(f"{key}={value}" for key, value in params.items()) or "none",
            "variants": ", ".join(sorted(manifest.variants)) or "none",
            "predicts": ", ".join(_claimed(claims.model_dump())) or "seen conditions only",
            "uncertainty": f"{claims.uncertainty} ({claims.var_kind})"
            if claims.uncertainty == "native"
            else "none",
            "reads": ", ".join(claims.inputs),
            "may use": f"{resources.cpus} cpus, {resources.memory}, {resources.gpus} gpus, {resources.time}",
            "content hash": content,
        },
    )


def _claimed(claims: dict[str, Any]) -> list[str]:
    wanted = ("unseen_contexts", "unseen_perturbations", "combinations")
    return [name.replace("_", " ") for name in wanted if claims[name]]


def _entry(name: str, folder: Path) -> dict[str, Any]:
    from harness.contract.manifest import load_manifest
    from harness.errors import HarnessError

    entry: dict[str, Any] = {"name": name, "folder": str(folder)}
    try:
        manifest = load_manifest(folder)
    except HarnessError as error:
        return entry | {"version": None, "title": None, "variants": [], "refused": str(error)}
    return entry | {
        "version": manifest.version,
        "title": manifest.title,
        "variants": sorted(manifest.variants),
        "refused": None,
    }
