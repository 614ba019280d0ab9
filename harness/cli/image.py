"""`harness image`: the images that submissions run in, on every engine of this machine."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness.cli.names.submissions import complete_submission, find_submission
from harness.cli.show import JSON_OPTION

if TYPE_CHECKING:
    from harness.runtimes.containers.build import Plan

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="markdown", help="Images of submissions: build, list, prune."
)


class EngineOption(StrEnum):
    """Who builds an image and holds it."""

    AUTO = "auto"
    DOCKER = "docker"
    PODMAN = "podman"
    APPTAINER = "apptainer"


@app.command()
def build(
    target: str = typer.Argument(
        help="Folder or name of a submission; or a Containerfile or definition file (.def), e.g. of the base image.",
        autocompletion=complete_submission,
    ),
    engine: EngineOption = typer.Option(
        EngineOption.AUTO, help="`auto`: the runtime of the submission, else the first engine that answers."
    ),
    name: str = typer.Option(
        None, help="Name of the image, for a file; `base.Containerfile` is perturbfm-base."
    ),
    base: str = typer.Option(None, help="The image to build on: the argument BASE of the file."),
    arg: list[str] = typer.Option([], help="NAME=VALUE: another argument of the file. Repeatable."),
    online: bool = typer.Option(False, "--online", help="Let the steps of the build use the network."),
    trust: bool = typer.Option(
        False, "--trust", help="Build a submission's definition file (.def), whose steps reach this machine."
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be built, and build nothing."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Build the image that a submission names under `[run] build`, or one of a file; runs never build nor fetch any.

    The image carries the content hash of the submission: after a change it is another one and is built anew.

    Example: `harness image build submissions/mine --engine docker`

    Example: `harness image build containers/base.Containerfile --online`
    """
    from harness.cli.show import print_json
    from harness.runtimes.containers.build import build as build_planned

    plan, chosen = _plan(target, engine, name, _arguments(arg, base), online, trust)
    told: dict[str, Any] = {
        "name": plan.name,
        "engine": chosen,
        "file": None if plan.recipe is None else str(plan.recipe),
    }
    told |= {"arguments": dict(plan.arguments), "built": not dry_run}
    if not dry_run:
        made = build_planned(plan, chosen, None if as_json else _say)  # type: ignore[arg-type]
        told |= {"digest": made.digest, "path": None if made.path is None else str(made.path)}
    if as_json:
        print_json(told)
    elif dry_run:
        source = plan.recipe or "nothing: it runs in an image that must be there"
        typer.echo(f"would build {plan.name} with {chosen} from {source}")
    else:
        typer.echo(f"{plan.name} is there for {chosen}: {told['path'] or told['digest']}")


@app.command("list")
def list_images(as_json: bool = JSON_OPTION) -> None:
    """List the harness's images on every engine that answers, and the image files of Apptainer.

    Example: `harness image list`
    """
    from harness.cli.show import print_json, print_table
    from harness.runtimes.containers.inventory import inventory

    found, silent = inventory()
    if as_json:
        print_json({"images": [vars(one) for one in found], "silent": silent})
        return
    rows = [[one.engine, one.name, one.role, one.digest[:19], f"{one.n_bytes / 2**20:.0f}"] for one in found]
    print_table("Images", ["engine", "name", "of", "digest", "MiB"], rows)
    for name, reason in silent.items():
        typer.echo(f"{name}: {reason}")


@app.command()
def prune(
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be removed, and remove nothing."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Remove images of submissions that have changed or gone since, half-built files, and containers of dead harnesses.

    Base images stay, and so do images of engines that do not answer.

    Example: `harness image prune --dry-run`
    """
    from harness.cli.show import print_json, print_table
    from harness.runtimes.containers.inventory import prunable, remove

    found = prunable(_current())
    if not dry_run:
        for piece in found:
            remove(piece)
    if as_json:
        print_json([{**vars(piece), "removed": not dry_run} for piece in found])
        return
    title = "Would be removed" if dry_run else "Removed"
    print_table(title, ["engine", "what", "why"], [[p.engine, p.name, p.why] for p in found], empty="nothing")


def _plan(
    target: str, engine: EngineOption, name: str | None, arguments: dict[str, str], online: bool, trust: bool
) -> tuple[Plan, str]:
    from harness.contract.manifest import load_manifest
    from harness.runtimes.containers.build import DEFINITION, plan_recipe, plan_submission

    path = Path(target)
    if path.is_file():
        wished = "apptainer" if path.name.endswith(DEFINITION) else None
        return plan_recipe(path, name, arguments, online=online), _engine(engine, wished)
    folder, _ = find_submission(target)
    plan = plan_submission(folder, arguments, online=online, trusted=trust)
    runtime = load_manifest(folder).run.runtime
    wished = runtime if runtime in ("docker", "podman", "apptainer") else None
    if plan.recipe is not None and plan.recipe.name.endswith(DEFINITION):
        wished = "apptainer"
    return plan, _engine(engine, wished)


def _engine(engine: EngineOption, wished: str | None) -> str:
    """The engine of this name, or the one that fits and answers."""
    from harness.runtimes.containers.engine import KINDS, NoEngineError, find_engine

    if engine is not EngineOption.AUTO:
        return engine.value
    if wished is not None:
        return wished
    silent = None
    for kind in KINDS:
        try:
            return find_engine(kind).runtime
        except NoEngineError as error:
            silent = silent or error
    assert silent is not None
    raise silent


def _arguments(told: list[str], base: str | None) -> dict[str, str]:
    from harness.errors import HarnessError

    arguments = {}
    for one in told:
        key, equals, value = one.partition("=")
        if not equals or not key:
            raise HarnessError("an argument is NAME=VALUE", got=one, mend="--arg NAME=VALUE")
        arguments[key] = value
    return arguments | ({"BASE": base} if base else {})


def _current() -> set[str]:
    """The image names of the submissions as they are now."""
    from harness.cli.names.submissions import submission_folders
    from harness.contract.manifest import load_manifest
    from harness.errors import HarnessError
    from harness.runtimes.containers.images import image_name
    from harness.settings import load_settings

    names = set()
    for folder in submission_folders(load_settings().submissions).values():
        try:
            names.add(image_name(load_manifest(folder), folder))
        except HarnessError:
            continue  # what cannot be read has no image
    return names


def _say(line: str) -> None:
    typer.echo(line, err=True)
