"""The site: what it holds, what it refuses, that it appears whole, and that the same records give the same bytes."""

from __future__ import annotations

import csv
import json
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from harness.contract.status import RunStatus
from harness.errors import ChangedError, ExistsError, HarnessError
from harness.metrics.registry import panel_cards
from harness.reporting.board import publish as publishing
from harness.reporting.board.keep import keep_records
from harness.reporting.board.names import file_name
from harness.reporting.board.publish import compile_site, publish
from harness.reporting.board.reading import run_folders
from harness.reporting.board.serve import server


@pytest.fixture
def few(made, runs: Path, errors) -> Path:
    """A folder of runs: two that rank, one by the harness's authors, a validation run, one that failed."""
    made("good", error=errors(0.1))
    made("bad", error=errors(0.4), authors=("The PerturbFM harness developers",))
    made("good", error=errors(0.1), eval_split="val")
    made("broken", error=None, status=RunStatus.FAILED, reason="exit code 1 <b>")
    return runs


def site_of(runs: Path):
    return compile_site(run_folders(runs), splits=None)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_there_is_a_page_for_everything_and_every_link_leads_to_one(few, tmp_path):
    out = tmp_path / "site"
    done = publish(site_of(few), out)
    found = contents(out)
    assert {"index.html", "board.json", "board.csv", "board.parquet", "metrics/index.html"} <= set(found)
    assert {"tasks/demo--context_ood.html", "submissions/good.html", "datasets/demo.html"} <= set(found)
    assert sum(path.startswith("metrics/") for path in found) == len(panel_cards()) + 1
    assert done.scorecards == sum(path.startswith("scorecards/") for path in found) == 4
    for path, content in found.items():
        if path.endswith(".html"):
            assert len(content) < 1e6
            for href in content.decode().split('href="')[1:]:
                to = href.partition('"')[0]
                if not to.startswith(("#", "data:", "http")):
                    assert (out / path).parent.joinpath(to.partition("#")[0]).is_file(), (path, to)


def test_the_first_page_shows_groups_reasons_and_whose_they_are(few, tmp_path):
    publish(site_of(few), tmp_path / "site")
    page = (tmp_path / "site" / "index.html").read_text()
    assert '<td class="text">harness\u00a0authors</td>' in page
    assert "exit code 1 &lt;b&gt;" in page
    assert "Validation records, not ranked" in page
    assert page.index(">good<") < page.index(">bad<")


def test_the_data_say_what_the_records_say(few, tmp_path, errors):
    out = tmp_path / "site"
    publish(site_of(few), out)
    (task,) = json.loads((out / "board.json").read_text())["tasks"]
    rows = {(row["name"], row["eval_split"]): row for row in task["rows"]}
    mean = sum(errors(0.1)) / 30
    assert rows["good", "test"]["values"]["calibrated.wmse"] == pytest.approx(mean)
    assert rows["good", "test"]["places"]["calibrated.wmse"] == {"group": 1, "ranks": [1, 1]}
    assert rows["bad", "test"]["made_by"] == "harness authors"
    assert rows["broken", "test"]["reason"] == "exit code 1 <b>"
    lines = list(csv.DictReader((out / "board.csv").open()))
    table = pq.read_table(out / "board.parquet").to_pylist()
    assert len(lines) == len(table) == 4
    assert [line["name"] for line in lines] == [row["name"] for row in table]
    assert float(lines[0]["calibrated.wmse"]) == table[0]["calibrated.wmse"] == pytest.approx(mean)


def test_the_same_records_give_the_same_bytes_and_scorecards_are_taken_over(few, tmp_path):
    out = tmp_path / "site"
    first = publish(site_of(few), out)
    before = contents(out)
    again = publish(site_of(few), out)
    assert contents(out) == before
    assert (first.taken_over, again.taken_over) == (0, 4)
    publish(site_of(few), tmp_path / "elsewhere")
    assert contents(tmp_path / "elsewhere") == before


def test_a_record_that_has_changed_is_refused_by_name(few, tmp_path):
    folder = run_folders(few)[1]
    (folder / "metrics.parquet").write_bytes(b"better")
    with pytest.raises(ChangedError, match="sealed, unchanged") as refused:
        site_of(few)
    assert folder.name in str(refused.value)


def test_records_that_are_not_sealed_or_not_themselves_are_all_named(few, tmp_path):
    first, second, third, _ = run_folders(few)
    (first / "seal.json").unlink()
    record = json.loads((second / "record.json").read_text())
    (second / "record.json").write_text(json.dumps(record | {"seed": 3}))
    (third / "scorecard.html").write_text("better")
    with pytest.raises(ChangedError, match="3 of 4 runs") as refused:
        site_of(few)
    assert all(folder.name in str(refused.value) for folder in (first, second, third))


def test_versions_of_metrics_splits_and_genes_are_not_mixed(made, runs):
    made("a")
    old = made("b", metrics_version="4" * 64)
    with pytest.raises(HarnessError, match="versions of a metric never share") as refused:
        site_of(runs)
    assert old.name in str(refused.value)
    assert "harness rescore" in str(refused.value)
    made("b")  # scored anew: the newer one speaks
    assert len(site_of(runs).submissions) == 2
    made("c", split_hash="6" * 64)
    with pytest.raises(HarnessError, match="different versions of its split"):
        site_of(runs)


def test_a_board_that_breaks_off_leaves_the_old_one_as_it_was(few, made, tmp_path, monkeypatch, errors):
    out = tmp_path / "site"
    publish(site_of(few), out)
    before = contents(out)
    made("late", error=errors(0.2))

    def full(*_: object) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(publishing, "_write_scorecard", full)
    with pytest.raises(OSError, match="No space"):
        publish(site_of(few), out)
    assert contents(out) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", "site"]


def test_a_folder_of_something_else_is_never_replaced(few, tmp_path):
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter.tex").write_text("years")
    with pytest.raises(ExistsError, match="something else than a board"):
        publish(site_of(few), out)
    assert contents(out) == {"chapter.tex": b"years"}


def test_hostile_names_do_no_harm(made, runs, tmp_path):
    hostile = '<script>alert(1)</script>../../"\u202e\U0001f9ec'
    made(hostile[:24].replace("/", "-"), title=hostile * 500, authors=(hostile,), reason="=cmd()")
    out = tmp_path / "site"
    publish(site_of(runs), out)
    found = contents(out).items()
    pages = [text.decode() for path, text in found if path.endswith(".html") and "scorecards/" not in path]
    assert len(pages) > 100
    assert not any("<script>alert" in page for page in pages)
    assert "'=cmd()" in (out / "board.csv").read_text()


def test_file_names_are_safe_and_never_shared():
    asked = [
        ("a", "b"),
        ("a--b",),
        ("A", "b"),
        ("a:b",),
        ("a/b",),
        ("../x",),
        ("ä",),
        ("x" * 300,),
        ("x" * 301,),
        (".",),
    ]
    found = [file_name(*words) for words in asked]
    assert len({name.lower() for name in found}) == len(asked)
    assert not any("/" in name or name.startswith(".") or len(name) > 100 for name in found)


def test_kept_records_are_small_and_give_the_same_board(few, tmp_path):
    kept = tmp_path / "kept"
    site = site_of(few)
    keep_records(site.entries, kept)
    assert not list(kept.rglob("metrics.json"))
    publish(site, tmp_path / "site")
    publish(site_of(kept), tmp_path / "again")
    assert contents(tmp_path / "again") == contents(tmp_path / "site")
    keep_records(site.entries[:1], kept)
    assert [folder.name for folder in run_folders(kept)] == [site.entries[0].run]


def test_the_site_is_served_on_loopback_alone_and_folders_are_not_listed(few, tmp_path):
    out = tmp_path / "site"
    publish(site_of(few), out)
    with server(out, 0) as httpd:
        host, port = httpd.server_address[:2]
        assert host == "127.0.0.1"
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        with urllib.request.urlopen(f"http://{host}:{port}/") as answer:
            assert answer.read() == (out / "index.html").read_bytes()
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"http://{host}:{port}/tasks/")
        httpd.shutdown()
    with pytest.raises(HarnessError, match="no published site"):
        server(tmp_path, 0)
