"""`harness schemas`: the contract as JSON Schemas, for producers in any language."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.show import JSON_OPTION, print_json, print_table

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="JSON Schemas of the contract: list, show, export, check a document.",
)


def _names(incomplete: str) -> list[str]:
    from harness.contract.schemas import RECORDS

    return [name for name in RECORDS if name.startswith(incomplete)]


@app.command("list")
def list_(as_json: bool = JSON_OPTION) -> None:
    """List the schemas and what each describes.

    Example: `harness schemas list --json`
    """
    from harness.contract.schemas import RECORDS, schema_file

    rows = [(name, schema_file(name), _first_line(record)) for name, record in RECORDS.items()]
    if as_json:
        print_json([{"name": name, "file": file, "describes": text} for name, file, text in rows])
        return
    print_table("Schemas", ["name", "file", "describes"], rows)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A schema, as `list` names it.", autocompletion=_names)],
    as_json: bool = JSON_OPTION,
) -> None:
    """Show the fields of one schema; with `--json`, the schema itself.

    Example: `harness schemas show submission`

    Example: `harness schemas show submission --json > submission.schema.json`
    """
    from harness.contract.schemas import json_schema

    schema = json_schema(name)
    if as_json:
        print_json(schema)
        return
    tables = [("", schema), *((f"{title}: ", table) for title, table in schema.get("$defs", {}).items())]
    rows = [
        (prefix + field, "needed" if field in table.get("required", ()) else "", said.get("description", ""))
        for prefix, table in tables
        for field, said in table.get("properties", {}).items()
    ]
    print_table(f"{name}: {schema['description']}", ["field", "", "meaning"], rows)


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("schemas"),
    check: bool = typer.Option(False, "--check", help="Write nothing; say whether the folder is current."),
) -> None:
    """Write every schema into a folder, or check that the folder is current.

    Example: `harness schemas export --out schemas`

    Example: `harness schemas export --check`
    """
    from harness.contract.schemas import export_schemas, stale_schemas
    from harness.errors import ChangedError

    if not check:
        for path in export_schemas(out):
            typer.echo(path)
        return
    stale = stale_schemas(out)
    if stale:
        raise ChangedError(
            "schemas differ from the code",
            where=out,
            got=", ".join(stale),
            mend=f"harness schemas export --out {out}",
        )
    typer.echo(f"{out} is current")


@app.command()
def check(
    document: Annotated[
        Path,
        typer.Argument(help="submission.toml, task.json, a status record, or predictions.npz (its headers)."),
    ],
    schema: Annotated[
        str | None,
        typer.Option(help="Which schema; default: by the file's name.", autocompletion=_names),
    ] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Check one document against its schema and the rules that a schema cannot say.

    Example: `harness schemas check submissions/baselines/ridge/submission.toml`
    """
    from harness.contract.schemas import record_of

    name = schema or _guess(document)
    record_of(name).read(_parse(document, name), where=document)
    if as_json:
        print_json({"document": str(document), "schema": name, "accepted": True})
        return
    typer.echo(f"{document} is a valid {name} document")


def _guess(document: Path) -> str:
    from harness.contract.schemas import RECORDS
    from harness.errors import HarnessError

    stem = document.name.split(".")[0]
    if document.suffix == ".npz" or document.is_dir():
        return "predictions"
    if stem in RECORDS:
        return stem
    raise HarnessError(
        "the file's name does not say which schema is meant",
        where=document,
        expected=", ".join(RECORDS),
        mend="name it with --schema",
    )


def _parse(document: Path, name: str) -> Any:
    from harness.storage import read_json, read_toml

    if name == "predictions" and document.suffix != ".json":
        from harness.contract.listing import inspect, listing

        return listing(inspect(document))
    return (read_toml if document.suffix == ".toml" else read_json)(document, "document")


def _first_line(record: type[Any]) -> str:
    return (record.__doc__ or "").strip().splitlines()[0]
