"""`submission.toml`: what is accepted, what is refused and how."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from harness.contract.manifest import Submission, load_manifest, parse_reference
from harness.errors import HarnessError, UnknownNameError

Document = dict[str, Any]


def refusal(document: Document) -> str:
    with pytest.raises(HarnessError) as caught:
        Submission.read(document, where="submission.toml")
    return str(caught.value)


def with_(document: Document, **changes: Any) -> Document:
    """The document with some keys replaced; tables are changed key by key."""
    merged = {
        name: {**document.get(name, {}), **value} if isinstance(value, dict) else value
        for name, value in changes.items()
    }
    return {**document, **merged}


def test_a_whole_manifest_is_read_and_written_back(manifest: Document) -> None:
    submission = Submission.read(manifest, where="here")
    assert submission.document()["schema"] == 1
    assert "schema_version" not in submission.document()
    assert Submission.read(submission.document(), where="again") == submission


def test_resources_are_read_in_bytes_and_seconds(manifest: Document) -> None:
    resources = Submission.read(manifest, where="here").resources
    assert resources.memory_bytes == 1.5 * 1024**3
    assert resources.seconds == 86_400 + 2 * 3600 + 30 * 60


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ({}, "exactly one of module, command, image, build is needed, got none"),
        ({"module": "a:b", "command": ["x"]}, "is needed, got module and command"),
        ({"module": "no colon"}, "run.module: "),
        ({"command": []}, "run.command: "),
        ({"command": "Rscript main.R"}, "run.command: expected a valid"),
        ({"image": "registry/name:latest"}, "run.image: "),
        ({"build": "../../Containerfile"}, "run.build: the path may not climb out of its folder"),
        ({"build": "/etc/Containerfile"}, "run.build: "),
        ({"module": "a:b", "requirements": "a/../../b"}, "run.requirements: the path may not climb"),
        ({"module": "a:b", "packages": ["os.path"]}, "run.packages.0: "),
        ({"module": "a:b", "runtime": "dockr"}, "run.runtime: expected 'process', 'venv'"),
    ],
)
def test_a_way_to_start_that_is_not_one_is_refused(manifest: Document, run: Document, said: str) -> None:
    assert said in refusal({**manifest, "run": run})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "My_Model"}, "name: "),
        ({"name": "x\n"}, "name: "),
        ({"title": "two\nlines"}, "title: "),
        ({"title": "  "}, "title: "),
        ({"title": "\x1b[2J"}, "title: "),
        ({"version": ""}, "version: "),
        ({"url": "javascript:alert(1)"}, "url: "),
        ({"schema": 2}, "schema: expected 1, got 2"),
        ({"authors": "me"}, "authors: expected a valid "),
        (
            {"claims": {"unseen_contexts": "yes"}},
            "claims.unseen_contexts: expected a valid boolean, got 'yes'",
        ),
        ({"resources": {"cpus": "2"}}, "resources.cpus: expected a valid integer, got '2'"),
        ({"resources": {"cpus": 0}}, "resources.cpus: expected greater than or equal to 1, got 0"),
        ({"resources": {"memory": "8 GB"}}, "resources.memory: "),
        ({"resources": {"memory": "0G"}}, "resources: memory and time may not be zero, got 0G"),
        ({"resources": {"time": "90"}}, "resources.time: "),
        ({"resources": {"time": "00:00:00"}}, "memory and time may not be zero"),
        ({"params": {"a=b": 1}}, "params.a=b: "),
        ({"params": {"alpha": float("nan")}}, "params.alpha: "),
        ({"variants": {"no graph": {}}}, "variants.no graph: "),
        ({"variants": {"v": {"aplha": 1}}}, "variant 'v' patches 'aplha', which is not among the params"),
        ({"variants": {"v": {"epochs": "many"}}}, "variant 'v' sets epochs = 'many', its default is 30"),
    ],
)
def test_a_broken_field_is_named_with_what_was_found(manifest: Document, change: Document, said: str) -> None:
    assert said in refusal(with_(manifest, **change))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"licence": "MIT"}, "unknown key 'licence' (did you mean 'license'?)"),
        ({"schemas": 1}, "unknown key 'schemas' (did you mean 'schema'?)"),
        ({"schema_version": 1}, "unknown key 'schema_version'"),
        ({"run": {"modul": "a:b"}}, "unknown key 'run.modul' (did you mean 'module'?)"),
        ({"claims": {"var_kinds": "cell"}}, "unknown key 'claims.var_kinds' (did you mean 'var_kind'?)"),
        ({"memory": "8G"}, "unknown key 'memory' (did you mean 'resources.memory'?)"),
        ({"claims": {"cpus": 4}}, "unknown key 'claims.cpus' (did you mean 'resources.cpus'?)"),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest_known_one(
    manifest: Document, change: Document, said: str
) -> None:
    assert said in refusal(with_(manifest, **change))


def test_a_value_of_no_allowed_type_is_one_fault_and_not_one_per_type(manifest: Document) -> None:
    said = refusal(with_(manifest, params={"alpha": {"from": 0}}))
    assert "1 fault\n" in said
    assert said.count("params.alpha") == 1
    assert "a valid boolean or a valid integer or a valid number or a valid string or a valid" in said


def test_all_faults_of_a_manifest_are_told_at_once(manifest: Document) -> None:
    del manifest["title"]
    said = refusal(with_(manifest, name="NO", run={"moduel": "x"}))
    assert "3 faults" in said
    assert all(words in said for words in ("title is missing", "name: ", "unknown key 'run.moduel'"))


def test_a_date_without_quotes_is_refused_with_the_quotes(manifest: Document) -> None:
    assert 'put it in quotes: "2025-01-31"' in refusal(with_(manifest, version=date(2025, 1, 31)))


def test_a_list_instead_of_a_table_is_refused() -> None:
    with pytest.raises(HarnessError, match="the document: expected an object"):
        Submission.read([1, 2], where="here")


def test_params_resolve_defaults_then_variant_then_what_was_passed(manifest: Document) -> None:
    submission = Submission.read(manifest, where="here")
    assert submission.resolve(None, {})["use_graph"] is True
    resolved = submission.resolve("no_graph", {"epochs": 2, "alpha": 3})
    assert (resolved["use_graph"], resolved["epochs"], resolved["alpha"]) == (False, 2, 3)


def test_an_unknown_variant_lists_those_that_exist(manifest: Document) -> None:
    with pytest.raises(UnknownNameError, match="no_graph, strong"):
        Submission.read(manifest, where="here").resolve("nograph", {})


def test_an_unknown_parameter_is_answered_with_the_nearest(manifest: Document) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'epochs'"):
        Submission.read(manifest, where="here").resolve(None, {"epoch": 3})


@pytest.mark.parametrize(("key", "value"), [("epochs", 1.5), ("use_graph", 1), ("alpha", True), ("loss", 3)])
def test_a_parameter_of_another_type_than_its_default_is_refused(
    manifest: Document, key: str, value: Any
) -> None:
    with pytest.raises(HarnessError, match=f"parameter '{key}' has the wrong type"):
        Submission.read(manifest, where="here").resolve(None, {key: value})


def test_a_manifest_is_loaded_from_its_folder(tmp_path: Path) -> None:
    text = """
        schema = 1
        name = "a"
        version = "1"
        title = "A"
        authors = []
        license = "MIT"
        [run]
        command = ["Rscript", "main.R"]
    """
    (tmp_path / "submission.toml").write_text(text)
    assert load_manifest(tmp_path).run.command == ["Rscript", "main.R"]


def test_a_folder_without_a_manifest_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"got: no submission\.toml"):
        load_manifest(tmp_path)
    with pytest.raises(HarnessError, match="got: no such folder"):
        load_manifest(tmp_path / "nowhere")


def test_broken_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "submission.toml").write_text("schema = 1\nname = ridge\n")
    with pytest.raises(HarnessError, match=r"not readable TOML[\s\S]*line 2"):
        load_manifest(tmp_path)


@pytest.mark.parametrize(
    ("text", "folder", "variant"),
    [("subs/v2@no_graph", "subs/v2", "no_graph"), ("subs/v2", "subs/v2", None), ("a@b/c@d", "a@b/c", "d")],
)
def test_a_reference_is_a_folder_and_perhaps_a_variant(text: str, folder: str, variant: str | None) -> None:
    assert parse_reference(text) == (Path(folder), variant)
