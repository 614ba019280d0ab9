"""The page of a run: its numbers are those of metrics.json, its names cannot harm, its bytes are always the same."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from harness.cli.report import app as report_app
from harness.cli.verify import verify as verify_verb
from harness.records.run_folder import RunFolder, open_run
from harness.records.seal import read_seal
from harness.reporting.page import number
from harness.reporting.scorecard.compile import compile_sheet, sheet_of_run
from harness.reporting.scorecard.parts import Parts, parts_of
from harness.reporting.scorecard.training import training_of
from harness.reporting.scorecard.write import pages_of, write_scorecard
from harness.storage import read_json

PAGES = {"scorecard.html", "scorecard.md", "scorecard.json", "report.html"}
VOID = {"meta", "link", "br", "hr", "img", "input", "wbr"}


class Reader(HTMLParser):
    """Every tag with its attributes; open tags are closed in order. SVG elements that end themselves count as closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self._open: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        """By id the text of every cell, row by row."""
        self._table: str | None = None
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert len(given) == len(attrs), f"an attribute of {tag} stands twice"
        self.tags.append((tag, given))
        self.ids += [str(given["id"])] if given.get("id") else []
        if tag == "table":
            self._table = given.get("id")
            self.tables[str(self._table)] = []
        elif tag == "tr" and self._table:
            self.tables[self._table].append([])
        elif tag in ("td", "th") and self._table and self.tables[self._table]:
            self.tables[self._table][-1].append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._table and {"td", "th"} & set(self._open):
            self.tables[self._table][-1][-1] += data


@pytest.fixture(scope="module")
def won(world) -> Parts:
    return world.run(ahead=0.03)


@pytest.fixture(scope="module")
def page(won) -> str:
    return pages_of(compile_sheet(won))["scorecard.html"]


def at(document: Any, path: str) -> Any:
    for step in path.split("/"):
        document = document[step]
    return document


@pytest.mark.parametrize("kind", ["judged", "quick"])
def test_every_number_of_a_metric_equals_metrics_json(kind, won, page, tiny_run):
    metrics = won.metrics if kind == "judged" else tiny_run.metrics()
    html = page if kind == "judged" else (tiny_run.path / "scorecard.html").read_text()
    told = [given for _, given in Reader(html).tags if "data-key" in given]
    assert len(told) > 150
    keys = {given["data-key"] for given in told}
    assert {"calibrated/global/wmse/value", "uncertainty/coverage/90/value"} <= keys
    for given in told:
        value = at(metrics, given["data-key"])
        if "data-value" in given:
            assert float(given["data-value"]) == value, given["data-key"]
        else:
            assert value is None, given["data-key"]


def test_every_number_of_a_perturbation_or_context_equals_metrics_json(tiny_run):
    metrics = tiny_run.metrics()
    sheet = sheet_of_run(tiny_run)
    tables = Reader((tiny_run.path / "scorecard.html").read_text()).tables
    checked = 0
    for panel in sheet.panels:
        for level in panel.levels:
            rows = tables[f"level-{panel.name}-{level.name}"][1:]
            for (label, _), cells in zip(level.rows, rows, strict=True):
                assert cells[0] == label
                for metric, cell in zip(level.metrics, cells[1:], strict=True):
                    value = metrics[panel.name][level.name][label][metric]["value"]
                    assert cell == number(value)
                    checked += 1
    assert checked > 50


def test_the_parts_stand_in_the_order_in_which_they_are_read(page):
    order = ["verdict", "standing", "panels", "uncertainty", "pictures", "controls", "provenance"]
    assert [one for one in Reader(page).ids if one in order] == order


def test_a_page_is_well_formed_small_and_asks_nothing_of_the_outside(page):
    reader = Reader(page)
    assert len(set(reader.ids)) == len(reader.ids)
    assert len(page.encode()) < 1_000_000
    for tag, given in reader.tags:
        for name in ("src", "href", "action", "srcset", "data"):
            target = given.get(name) or "#"
            assert target.startswith(("#", "data:,")), (tag, target)
    assert "url(" not in page
    assert "@import" not in page
    for tag, given in reader.tags:
        assert not any(name.startswith("on") for name in given), tag


def test_every_table_has_a_caption_and_headings_with_a_scope(page):
    reader = Reader(page)
    tables = [tag for tag, _ in reader.tags if tag == "table"]
    assert len(tables) == sum(tag == "caption" for tag, _ in reader.tags)
    assert all("scope" in given for tag, given in reader.tags if tag == "th")


def test_hostile_names_reasons_and_logs_are_words_and_nothing_else(world, hostile, won):
    card = won.record.submission.model_copy(update={"title": hostile, "version": "1.0", "name": hostile})
    record = won.record.model_copy(update={"submission": card, "reason": hostile, "authors": [hostile]})
    told = {"curves": {hostile: {"steps": [1, 2], "values": {hostile: [1.0, 2.0]}}}, hostile: hostile}
    parts = replace(won, record=record, log=hostile, diagnostics=told)
    pages = pages_of(compile_sheet(parts))
    html = pages["scorecard.html"]
    assert "<script>alert" not in html
    assert html.count("<script>") == 1
    assert "&#39;&amp;{{ 7*7 }}" in html
    assert "&lt;script&gt;alert(1)" in html
    assert len(html.encode()) < 1_000_000
    Reader(html)
    assert "<script>" not in re.sub(r"`[^`]*`", "", pages["scorecard.md"])  # code is shown as it stands
    assert json.loads(pages["scorecard.json"])["submission"]["name"] == hostile


def test_rendering_twice_gives_the_same_bytes(copied_run):
    before = {name: (copied_run.path / name).read_bytes() for name in PAGES}
    write_scorecard(copied_run)
    assert {name: (copied_run.path / name).read_bytes() for name in PAGES} == before


def test_report_html_is_the_same_page(tiny_run):
    assert (tiny_run.path / "report.html").read_bytes() == (tiny_run.path / "scorecard.html").read_bytes()


def test_the_pages_are_sealed_with_the_run_and_verify_finds_an_edited_number(copied_run, monkeypatch):
    assert set(read_seal(copied_run.path).pages) == PAGES
    verify = typer.Typer()
    verify.command()(verify_verb)
    for name in ("scorecard.html", "report.html"):
        assert not changed(verify, copied_run.path / name)
    for name in ("scorecard.html", "scorecard.md", "scorecard.json"):
        path = copied_run.path / name
        whole = path.read_text()
        path.write_text(whole.replace("0.", "1.", 1))
        assert changed(verify, copied_run.path)
        path.write_text(whole)
    assert not changed(verify, copied_run.path)


def changed(verify: Any, what: object) -> list[str]:
    """The pages that verify finds changed; a copy of a run lacks its data, which is no fault of a page."""
    told = CliRunner().invoke(verify, [str(what), "--json"])
    return [
        one["said"]
        for one in json.loads(told.output)
        if one["what"] == "page" and one["verdict"] == "changed"
    ]


def test_a_run_of_before_gets_its_pages_by_report_render_and_a_changed_one_none(copied_run):
    (copied_run.path / "scorecard.html").unlink()
    done = CliRunner().invoke(report_app, ["render", str(copied_run.path)])
    assert done.exit_code == 0, done.output
    assert done.output.strip().endswith("scorecard.html")
    (copied_run.path / "scorecard.html").unlink()
    metrics = copied_run.path / "metrics.json"
    metrics.write_text(metrics.read_text().replace("0.", "1.", 1))
    assert CliRunner().invoke(report_app, ["render", str(copied_run.path)]).exit_code != 0
    assert not (copied_run.path / "scorecard.html").exists()


def test_what_is_undefined_prints_its_reason(won):
    metrics = json.loads(json.dumps(won.metrics))
    reason = "no condition has a direction & a <value>"
    metrics["calibrated"]["global"]["wmse"] = {"value": None, "n": 0, "reason": reason}
    html = pages_of(compile_sheet(replace(won, metrics=metrics)))["scorecard.html"]
    assert html.count("no condition has a direction &amp; a &lt;value&gt;") >= 2


def test_pictures_that_cannot_be_drawn_say_why(won):
    metrics = json.loads(json.dumps(won.metrics))
    uncertainty = metrics["uncertainty"]
    uncertainty["risk_coverage"] = {"curve": None, "reason": "every variance is filled"}
    uncertainty["calibration"]["reported"] = {
        "intervals": None,
        "quantiles": None,
        "n": 0,
        "reason": "no condition here",
    }
    uncertainty["calibration"]["iid"] = uncertainty["calibration"]["reported"]
    uncertainty["conformal"] = {"alpha": 0.1, "calib": {"reason": "too few"}, "iid": {"reason": "too few"}}
    html = pages_of(compile_sheet(replace(won, metrics=metrics, pictures=None)))["scorecard.html"]
    for reason in ("every variance is filled", "no condition here", "this run kept no pictures"):
        assert reason in html


def test_more_than_a_hundred_rows_are_left_to_the_table_file(won):
    metrics = json.loads(json.dumps(won.metrics))
    one = next(iter(metrics["calibrated"]["per_perturbation"].values()))
    metrics["calibrated"]["per_perturbation"] = {f"g{i:03}": one for i in range(130)}
    sheet = compile_sheet(replace(won, metrics=metrics))
    level = next(p for p in sheet.panels if p.name == "calibrated").levels[-1]
    assert (len(level.rows), level.left_out) == (100, 30)
    assert "The first 100 of 130 perturbations." in pages_of(sheet)["scorecard.html"]


def test_rows_by_a_fallback_are_shown_apart(won):
    metrics = json.loads(json.dumps(won.metrics))
    metrics["supported"] = {"native": 0.5, "extension": 0.25, "fallback": 0.25}
    sheet = compile_sheet(replace(won, metrics=metrics))
    assert any("50% of the rows" in remark for remark in sheet.verdict.remarks)
    assert (
        "Headline over all conditions, and over those that it supports" in pages_of(sheet)["scorecard.html"]
    )


def test_the_scaled_interval_keeps_better_to_the_right_whatever_the_direction(won):
    row = next(row for row in compile_sheet(won).headline if row.metric == "wmse")
    assert row.direction == "lower"
    assert row.scaled_low < row.scaled < row.scaled_high
    assert row.low < row.value < row.high


def test_the_command_repeats_what_was_chosen(won):
    repeat = compile_sheet(won).provenance["repeat"]
    assert repeat.startswith("harness submit mine --task ")
    assert "--eval-split val --seed 0 --runtime process" in repeat


@pytest.mark.parametrize(
    "told",
    [
        None, 3, [], {"curves": {}}, {"curves": {"a": []}}, {"curves": {"a": {"steps": [], "values": {}}}},
        {"curves": {"a": {"steps": ["x"], "values": {"l": [1]}}}}, {"curves": {"a": {"steps": [1], "values": {"l": 2}}}},
        {"curves": {"a": {"steps": [1], "values": {"l": [1, 2]}}}},
    ],
)  # fmt: skip
def test_diagnostics_of_another_form_are_passed_over(told):
    assert training_of(told) is None


def test_a_training_curve_is_kept_with_its_gaps_and_thinned_out():
    told = {
        "curves": {"a": {"steps": list(range(5000)), "values": {"loss": [None, *range(4999)]}}},
        "best_step": 7,
    }
    training = training_of(told)
    assert training.best_step == 7
    assert len(training.curves[0].steps) <= 400
    assert training.curves[0].values["loss"][0] is None


def test_a_log_is_cut_at_its_end_and_cannot_steer_a_terminal(copied_run: RunFolder):
    (copied_run.path / "log.txt").write_bytes(b"first\n" + b"\x1b[31mred\x07\n" * 5000 + b"\xff last\n")
    parts = parts_of(open_run(copied_run.path))
    assert parts.log_left_out > 0
    assert "\x1b" not in parts.log
    assert "first" not in parts.log
    assert parts.log.endswith("\ufffd last\n")


def test_scorecard_json_holds_what_the_page_shows(tiny_run):
    document = read_json(tiny_run.path / "scorecard.json", "scorecard")
    assert document["schema"] == 1
    assert document["run"] == tiny_run.path.name
    assert document["verdict"]["text"] in (tiny_run.path / "scorecard.md").read_text().replace("\\", "")
