"""Pages are valid HTML, by the parser of the standard and by what it does not check."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import Any

import html5lib
import pytest

PAGES = ("scorecard", "refused", "hostile", "atlas", "many", "hostile-board")
HTML = "{http://www.w3.org/1999/xhtml}"
BLOCKS = {
    "address", "article", "aside", "blockquote", "details", "div", "dl", "fieldset", "figure", "footer", "form", "h1", "h2",
    "h3", "h4", "header", "hr", "main", "nav", "ol", "p", "pre", "section", "table", "ul",
}  # fmt: skip
PHRASES_ONLY = {
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "span",
    "button",
    "label",
    "code",
    "pre",
    "summary",
    "strong",
    "em",
    "bdi",
    "data",
}
CHILDREN = {
    "ul": {"li"}, "ol": {"li"}, "dl": {"div", "dt", "dd"}, "tr": {"td", "th"}, "thead": {"tr"}, "tbody": {"tr"},
    "table": {"caption", "thead", "tbody", "tfoot", "colgroup"},
}  # fmt: skip
TALKS_OUT = re.compile(
    r"(?:src|action|poster)=|@import|url\((?!#)|<(?:link|iframe|object|embed|base)\b(?![^>]*data:)",
    re.IGNORECASE,
)


def elements(root: Any) -> list[tuple[str, Any]]:
    return [
        (node.tag.removeprefix(HTML), node)
        for node in root.iter()
        if isinstance(node.tag, str) and node.tag.startswith(HTML)
    ]


@pytest.fixture(params=PAGES)
def html(request: pytest.FixtureRequest, gallery: Any) -> str:
    return str(gallery.page(request.param).read_text(encoding="utf-8"))


def test_the_standards_parser_finds_no_error(html: str) -> None:
    parser = html5lib.HTMLParser(strict=False)
    parser.parse(html)
    assert [(place, code, told) for place, code, told in parser.errors] == []


def test_elements_stand_where_they_may_and_names_are_not_given_twice(html: str) -> None:
    found = elements(html5lib.parse(html))
    for tag, node in found:
        inside = {child.tag.removeprefix(HTML) for child in node if isinstance(child.tag, str)}
        if tag in CHILDREN:
            assert inside <= CHILDREN[tag], tag
        if tag in PHRASES_ONLY:
            assert not inside & BLOCKS, tag
    ids = Counter(node.get("id") for _, node in found if node.get("id"))
    assert [name for name, n in ids.items() if n > 1] == []
    for _, node in found:
        for attribute in ("aria-labelledby", "aria-describedby", "aria-controls", "for"):
            for named in (node.get(attribute) or "").split():
                assert named in ids, f"{attribute}={named}"


def test_a_page_tells_a_screen_reader_what_is_what(html: str) -> None:
    root = html5lib.parse(html)
    found = elements(root)
    by_tag = Counter(tag for tag, _ in found)
    assert by_tag["main"] == by_tag["h1"] == by_tag["title"] == 1
    assert root.get("lang") == "en"
    levels = [int(tag[1]) for tag, _ in found if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels)), levels
    for tag, node in found:
        if tag == "table":
            assert node.find(f"{HTML}caption") is not None, "a table without a caption"
        elif tag == "th":
            assert node.get("scope"), "a heading of nothing"
        elif tag in ("input", "select"):
            assert node.get("aria-label") or node.get("id") or _in_label(root, node)
        elif tag == "section":
            assert node.get("aria-labelledby") or node.get("aria-label")
    for picture in root.iter("{http://www.w3.org/2000/svg}svg"):
        if picture.get("aria-hidden") != "true":
            assert picture.get("role") == "img"
            assert picture.find("{http://www.w3.org/2000/svg}title") is not None or picture.get("aria-label")


def test_a_page_holds_nothing_that_talks_to_the_outside(html: str) -> None:
    own = re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)
    tags = re.findall(r"<[a-z][^<>]*>", own)
    assert not [tag[:120] for tag in tags if TALKS_OUT.search(re.sub(r'title="[^"]*"', "", tag))]
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'")
    assert not re.search(r"\son[a-z]+=", " ".join(re.sub(r'"[^"]*"', "", tag) for tag in tags))


def _in_label(root: Any, wanted: Any) -> bool:
    return any(node is wanted for label in root.iter(f"{HTML}label") for node in label.iter())
