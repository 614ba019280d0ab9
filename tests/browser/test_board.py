"""The board: sort, filter, follow a link, come back."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.chromium

TABLE = "#t-validation"
COLUMN = f"""
const [heading] = arguments;
const table = document.querySelector("{TABLE}");
const at = Array.from(table.tHead.rows[0].cells).findIndex((cell) => cell.textContent.trim().startsWith(heading));
return Array.from(table.tBodies[0].rows).filter((row) => !row.hidden).map((row) => row.cells[at].textContent.trim());
"""
SORT = f"""
const table = document.querySelector("{TABLE}");
const heads = Array.from(table.querySelectorAll("th button"));
heads.find((one) => one.textContent.trim().startsWith("Submission")).click();
table.getBoundingClientRect();
"""
LAY_OUT = f"""
const body = document.querySelector("{TABLE}").tBodies[0];
const rows = Array.from(body.rows).reverse();
body.replaceChildren();
body.getBoundingClientRect();
body.append(...rows);
body.getBoundingClientRect();
"""


def column(look: Any, heading: str) -> list[str]:
    return list(look.driver.execute_script(COLUMN, heading))


def heading(look: Any, text: str) -> Any:
    return next(one for one in look.find(f"{TABLE} th button") if one.text.strip().startswith(text))


def test_a_column_sorts_both_ways_and_says_so(look: Any, gallery: Any) -> None:
    look.open(gallery.page("many"))
    names = column(look, "Submission")
    assert len(names) == 1000
    heading(look, "Submission").click()
    assert column(look, "Submission") == sorted(names)
    head = heading(look, "Submission").find_element("xpath", "..")
    assert head.get_attribute("aria-sort") == "ascending"
    heading(look, "Submission").click()
    assert column(look, "Submission") == sorted(names, reverse=True)
    assert head.get_attribute("aria-sort") == "descending"


def test_a_column_sorts_by_keyboard(look: Any, gallery: Any) -> None:
    look.open(gallery.page("many"))
    look.driver.execute_script("arguments[0].focus()", heading(look, "Submission"))
    look.press("\ue006")
    assert heading(look, "Submission").find_element("xpath", "..").get_attribute("aria-sort") == "ascending"


def test_sorting_a_thousand_rows_costs_hardly_more_than_showing_them(look: Any, gallery: Any) -> None:
    look.open(gallery.page("many"))
    shown = min(look.processor_ms(LAY_OUT) for _ in range(4))
    took = min(look.processor_ms(SORT) for _ in range(4))
    assert took < 2.5 * shown, f"{took:.0f} ms of processor time; {shown:.0f} ms to lay the same rows out"


def test_filters_narrow_the_rows_say_how_many_and_are_kept_in_the_address(look: Any, gallery: Any) -> None:
    look.open(gallery.page("many"))
    form = look.find('form[data-filter="t-validation"]')[0]
    form.find_element("css selector", "[data-facet=text]").send_keys("model-012")
    assert len(column(look, "Submission")) == 10
    assert "10 of 1000" in form.find_element("css selector", "[data-count]").text
    address = look.driver.current_url
    look.driver.get("about:blank")
    look.driver.get(address)
    assert len(column(look, "Submission")) == 10, "a link to what was found"
    form = look.find('form[data-filter="t-validation"]')[0]
    form.find_element("css selector", "button[type=reset]").click()
    look.driver.execute_async_script("setTimeout(arguments[0], 50)")
    assert len(column(look, "Submission")) == 1000


def test_a_link_leads_to_the_scorecard_and_back_to_where_one_was(look: Any, gallery: Any) -> None:
    look.open(gallery.page("site/index"))
    heading(look, "Submission").click()
    before = column(look, "Submission")
    cell = look.find(f"{TABLE} tbody tr:first-child td:last-child a")
    link = cell[0] if cell else look.find(f"{TABLE} tbody tr:first-child a[href*=scorecard]")[0]
    link.click()
    assert "scorecard" in look.driver.title.lower()
    assert look.find("#verdict")
    look.driver.back()
    assert sorted(column(look, "Submission")) == sorted(before)
    assert look.messages() == []


def test_every_link_of_the_board_leads_somewhere(look: Any, gallery: Any) -> None:
    look.open(gallery.page("site/index"))
    inside = (
        "return Array.from(document.querySelectorAll('a[href]'), (one) => one.pathname + '\\n' + one.hash)"
    )
    ids = "return Array.from(document.querySelectorAll('[id]'), (one) => one.id)"
    todo, seen = [gallery.page("site/index")], set()
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".html" or len(seen) > 12:
            continue
        seen.add(page)
        look.open(page)
        own = set(look.run(ids))
        for told in look.run(inside):
            path, anchor = told.split("\n")
            target = type(page)(path)
            assert target.is_file(), f"{page.name} → {path}"
            if target == page and len(anchor) > 1:
                assert anchor[1:].split("?")[0] in own, f"{page.name} → {anchor}"
            todo.append(target)
    assert len(seen) > 5
