"""JSON Schemas of the contract, made from the records that check it, so that the two cannot differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.contract.ending import RunEnding
from harness.contract.listing import PredictionsListing
from harness.contract.manifest import Submission
from harness.contract.models import Record
from harness.contract.task import TaskCard
from harness.errors import UnknownNameError
from harness.storage import canonical_json, write_text

DIALECT = "https://json-schema.org/draft/2020-12/schema"
RECORDS: dict[str, type[Record]] = {
    record.schema_name(): record for record in (Submission, TaskCard, PredictionsListing, RunEnding)
}
"""Schema name → the record that it describes."""


def record_of(name: str) -> type[Record]:
    """The record behind a schema name."""
    if name not in RECORDS:
        raise UnknownNameError("schema", name, RECORDS)
    return RECORDS[name]


def schema_file(name: str) -> str:
    """The file name of a schema."""
    return f"{name}.schema.json"


def json_schema(name: str) -> dict[str, Any]:
    """One schema as a document in the 2020-12 dialect."""
    schema = record_of(name).model_json_schema(by_alias=True)
    _close_key_patterns(schema)
    return {"$schema": DIALECT, "$id": schema_file(name), **schema}


def export_schemas(folder: Path) -> list[Path]:
    """Write every schema into a folder."""
    paths = [folder / schema_file(name) for name in RECORDS]
    for name, path in zip(RECORDS, paths, strict=True):
        write_text(path, schema_text(name))
    return paths


def stale_schemas(folder: Path) -> list[str]:
    """Names of the schemas whose file in a folder is missing or says something else than the code."""
    found = {
        name: path.read_text(encoding="utf-8") if (path := folder / schema_file(name)).is_file() else None
        for name in RECORDS
    }
    return [name for name in RECORDS if found[name] != schema_text(name)]


def schema_text(name: str) -> str:
    """The content of a schema's file."""
    return canonical_json(json_schema(name), indent=2) + "\n"


def _close_key_patterns(node: Any) -> None:
    """Tables whose keys follow a pattern admit no others; pydantic leaves that unsaid."""
    if isinstance(node, dict):
        if "patternProperties" in node:
            node["additionalProperties"] = False
        for child in node.values():
            _close_key_patterns(child)
    elif isinstance(node, list):
        for child in node:
            _close_key_patterns(child)
