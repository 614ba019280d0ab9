"""Every page as a reader meets it: any width, light or dark, with and without scripts, by keyboard, on paper, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.chromium

PAGES = ("scorecard", "refused", "hostile", "atlas", "hostile-board", "site/index", "site/metrics/index")
WIDTHS = (1280, 768, 360)
MOST_BYTES = 1_000_000
OVER = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
CLIPPED = """
return Array.from(document.querySelectorAll(".scroll")).filter((box) => {
  const style = getComputedStyle(box);
  return box.checkVisibility() && (style.overflowX !== "visible" || style.overflowY !== "visible");
}).length;
"""
TAB = "\ue004"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_is_silent_asks_for_nothing_and_can_be_read(
    look: Any, gallery: Any, name: str, width: int, dark: bool
) -> None:
    page: Path = gallery.page(name)
    look.open(page, width=width, dark=dark)
    look.shot(f"{name.replace('/', '-')}-{width}-{'dark' if dark else 'light'}")
    assert look.messages() == []
    assert look.requests() == []
    assert look.run(OVER) <= 0, "the page itself never scrolls sideways; its tables do"
    assert look.run("contrast.js") == []
    assert look.driver.title


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_small(gallery: Any, name: str) -> None:
    assert gallery.page(name).stat().st_size < MOST_BYTES


@pytest.mark.parametrize("name", ["scorecard", "atlas", "site/index", "hostile-board"])
def test_a_page_says_the_same_without_scripts(look: Any, gallery: Any, name: str) -> None:
    words = 'return document.querySelector("main").innerText.split(/\\s+/).filter((word) => /\\w/.test(word)).length'
    look.open(gallery.page(name))
    assert look.find("th button"), "with scripts tables can be sorted"
    without_forms = "for (const one of document.querySelectorAll('form, button.copy')) one.remove();" + words
    with_script = look.run(without_forms)
    look.open(gallery.page(name), script=False)
    assert not look.find("th button")
    assert look.run(without_forms) == with_script
    assert look.messages() == []


@pytest.mark.parametrize("name", ["scorecard", "site/index", "atlas"])
def test_everything_can_be_reached_by_keyboard_and_is_seen_when_it_is(
    look: Any, gallery: Any, name: str
) -> None:
    look.open(gallery.page(name))
    expected = look.run("focusable.js")
    look.press(TAB)
    first = look.run("focused.js")
    assert first["href"] == "#main", "the first stop skips to the content"
    assert first["shown"]
    seen = {first["place"]}
    for _ in range(expected + 2):
        look.press(TAB)
        here = look.run("focused.js")
        if here is None or here["place"] in seen:
            break
        assert here["outlined"], f"focus cannot be seen on {here['name']}"
        assert here["shown"], f"focus is out of sight on {here['name']}"
        seen.add(here["place"])
    assert len(seen) == expected


@pytest.mark.parametrize("name", ["scorecard", "atlas", "site/index"])
def test_on_paper_nothing_is_cut_off_or_dark(look: Any, gallery: Any, name: str) -> None:
    look.open(gallery.page(name), width=794, media="print", dark=True)
    assert look.run(CLIPPED) == 0, "boxes that scroll on a screen are open on paper"
    assert look.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not any(one.is_displayed() for one in look.find(".page-nav, .skip, button"))
    assert look.run("contrast.js") == []
    assert look.pdf().startswith(b"%PDF")


def test_what_a_stranger_wrote_stays_text(look: Any, gallery: Any) -> None:
    for name in ("hostile", "hostile-board"):
        look.open(gallery.page(name), width=360)
        assert "harmed" not in look.driver.title.split("<")[0]
        assert look.run('return document.querySelectorAll("main script").length') == 0
        assert "{{ 7*7 }}" in look.run('return document.querySelector("body").textContent')
        shown = look.find("main bdi, header bdi")
        assert shown
        for one in shown:
            if one.is_displayed():
                assert one.size["height"] < 120, "ten thousand letters are cut"
                assert one.get_attribute("dir") in ("auto", ""), (
                    "its direction does not turn what stands beside it"
                )
