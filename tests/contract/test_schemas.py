"""The exported JSON Schemas are current, and say what the records say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from harness.contract.schemas import RECORDS, export_schemas, json_schema, schema_file, stale_schemas
from harness.errors import HarnessError, UnknownNameError

ROOT = Path(__file__).parents[2]
Document = dict[str, Any]

TASK: Document = {
    "schema": 1,
    "name": "demo:context_ood",
    "dataset": {"name": "demo", "hash": "ab" * 32},
    "split": {"name": "context_ood", "hash": "cd" * 32},
    "eval_split": "val",
    "seed": 0,
    "unit": "cell",
    "x_kind": "log_normalised",
    "genes": ["MYC", "TP53"],
    "genes_hash": "ef" * 32,
    "control_label": "control",
    "n_train": 100,
    "n_query": 64,
    "rows_per_condition": 8,
    "rows_limited_by": "max_rows",
    "graphs": {
        "string": {"file": "graphs/string.npz", "provenance": "external", "n_edges": 3, "coverage": 1}
    },
    "perturbed_genes_known": 0.5,
    "files": {"train/X.npy": "01" * 32},
}
PREDICTIONS: Document = {
    "mean": {"dtype": "<f4", "shape": [64, 2]},
    "var": {"dtype": ">f8", "shape": [64, 2]},
    "idx": {"dtype": "<i8", "shape": [64]},
    "supported": {"dtype": "|u1", "shape": [64]},
}
STATUS: Document = {"status": "failed", "reason": "exit code 1"}


def changed(document: Document, place: str, value: Any) -> Document:
    """A copy with one value put at a dotted place, or taken away (`...`)."""
    copy: Document = json.loads(json.dumps(document))
    *path, last = place.split(".")
    table = copy
    for key in path:
        table = table.setdefault(key, {})
    if value is ...:
        del table[last]
    else:
        table[last] = value
    return copy


GOOD = {"task": TASK, "predictions": PREDICTIONS, "status": STATUS}
CHANGES: dict[str, list[tuple[str, Any]]] = {
    "submission": [
        ("run.module", ...),
        ("run.command", ["Rscript", "main.R"]),
        ("run.image", "name@sha256:" + "0" * 64),
        ("run.command", []),
        ("run.module", "no colon"),
        ("run.module", 7),
        ("run.build", "../x"),
        ("run.runtime", "podman"),
        ("run.runtime", "kubernetes"),
        ("run.packages", ["a", "b.c"]),
        ("run.packages", []),
        ("schema", ...),
        ("schema", 2),
        ("schema", "1"),
        ("name", "Upper"),
        ("title", ""),
        ("title", "two\nlines"),
        ("url", None),
        ("url", "ftp://x"),
        ("licence", "MIT"),
        ("license", ...),
        ("authors", []),
        ("authors", "me"),
        ("params.loss", "mse"),
        ("params.layers", [1, "a", True]),
        ("params.layers", [[1]]),
        ("params.loss", None),
        ("params.9lives", 1),
        ("variants", {}),
        ("variants.Bad", {}),
        ("claims.uncertainty", "none"),
        ("claims.uncertainty", "both"),
        ("claims.combinations", 1),
        ("resources.cpus", 1),
        ("resources.cpus", 0),
        ("resources.cpus", 1.5),
        ("resources.gpus", -1),
        ("resources.memory", "8GB"),
        ("resources.time", "00:99:00"),
        ("resources.disk", "1G"),
    ],
    "task": [
        ("schema", 2),
        ("eval_split", "test"),
        ("eval_split", "calib"),
        ("genes", [1, 2]),
        ("n_query", "64"),
        ("n_query", ...),
        ("dataset.hash", ...),
        ("dataset.path", "/x"),
        ("graphs.string.provenance", "guessed"),
        ("graphs.string.coverage", 0.25),
        ("truth", {}),
        ("files", ["train/X.npy"]),
        ("perturbed_genes_known", None),
    ],
    "predictions": [
        ("var", ...),
        ("var", None),
        ("mean", ...),
        ("mean.dtype", "<f2"),
        ("mean.dtype", "<i4"),
        ("mean.dtype", "|O"),
        ("mean.shape", [64]),
        ("mean.shape", [64, 2, 1]),
        ("mean.shape", [64, 0]),
        ("mean.shape", [64, -2]),
        ("mean.shape", [64, 2.5]),
        ("idx", ...),
        ("idx.dtype", "<f8"),
        ("idx.dtype", "<u2"),
        ("idx.shape", [64, 1]),
        ("supported.dtype", "|b1"),
        ("supported.dtype", "<f4"),
        ("epistemic", {"dtype": "<f4", "shape": [64, 2]}),
        ("epistemic", {"dtype": "<f4"}),
        ("truth", {"dtype": "<f4", "shape": [64, 2]}),
    ],
    "status": [
        ("status", "ok"),
        ("status", "fine"),
        ("status", ...),
        ("reason", ...),
        ("reason", None),
        ("reason", ""),
        ("reason", 3),
        ("exit", 3),
    ],
}


def accepted_by_record(name: str, document: Document) -> bool:
    try:
        RECORDS[name].read(document, where=name)
    except HarnessError:
        return False
    return True


@pytest.mark.parametrize("name", RECORDS)
def test_a_schema_is_valid_in_the_dialect_it_names(name: str) -> None:
    schema = json_schema(name)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("name", RECORDS)
def test_schema_and_record_accept_and_refuse_the_same_documents(name: str, manifest: Document) -> None:
    good = GOOD.get(name, manifest)
    validator = Draft202012Validator(json_schema(name))
    assert validator.is_valid(good)
    assert accepted_by_record(name, good)
    verdicts = []
    for place, value in CHANGES[name]:
        document = changed(good, place, value)
        verdicts.append(validator.is_valid(document))
        by_record = accepted_by_record(name, document)
        beyond_schema = (place, value) == ("run.build", "../x")
        assert beyond_schema or verdicts[-1] == by_record, (place, value, verdicts[-1], by_record)
    assert {True, False} == set(verdicts), "the changes show both acceptance and refusal"


@pytest.mark.parametrize("ways", [[], ["module"], ["command"], ["image"], ["build"], ["module", "build"]])
def test_exactly_one_way_to_start_is_accepted_by_schema_and_record(
    manifest: Document, ways: list[str]
) -> None:
    told = {
        "module": "a:b",
        "command": ["Rscript", "main.R"],
        "image": "name@sha256:" + "a" * 64,
        "build": "containers/v3a.Containerfile",
    }
    document = {**manifest, "run": {way: told[way] for way in ways}}
    assert Draft202012Validator(json_schema("submission")).is_valid(document) == (len(ways) == 1)
    assert accepted_by_record("submission", document) == (len(ways) == 1)


def test_the_schemas_folder_is_current() -> None:
    assert stale_schemas(ROOT / "schemas") == [], "harness schemas export"
    assert {path.name for path in (ROOT / "schemas").iterdir()} == {schema_file(name) for name in RECORDS}


def test_an_edited_or_missing_schema_is_stale(tmp_path: Path) -> None:
    paths = export_schemas(tmp_path)
    assert stale_schemas(tmp_path) == []
    paths[0].write_text(paths[0].read_text().replace("submission", "admission"))
    paths[1].unlink()
    assert stale_schemas(tmp_path) == list(RECORDS)[:2]


def test_every_way_to_start_is_described() -> None:
    schema = json_schema("submission")
    run = schema["$defs"]["Run"]["properties"]
    assert all("description" in field for field in run.values())


def test_an_unknown_schema_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'submission'"):
        json_schema("submision")
