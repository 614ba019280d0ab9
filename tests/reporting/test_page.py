"""Pages print numbers as a reader takes them, and what is no number as its reason; they ask nothing of the outside."""

from __future__ import annotations

import base64
import hashlib
import math
import re

import pytest
from jinja2 import UndefinedError

from harness.reporting.page import markdown, number, render, seconds, share, signed, size, when


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0868139, "0.0868"), (54, "54"), (1.25e-9, "1.25e−9"), (-0.5, "−0.500"), (0.0, "0"), (123456.7, "123457"),
        (3.2e7, "3.20e7"), (12345, "12\u202f345"), (-3, "−3"), (999.96, "1000"),
    ],
)  # fmt: skip
def test_a_number_has_three_digits_and_a_whole_one_is_whole(value, text):
    assert number(value) == text


@pytest.mark.parametrize("nothing", [None, math.nan, math.inf])
def test_what_is_no_number_is_said_and_never_zero_or_blank(nothing):
    for shown in (number, signed, share):
        assert shown(nothing) == "undefined"
        assert shown(nothing, undefined="no condition is defined") == "no condition is defined"


def test_signs_shares_sizes_times_and_moments_read_as_they_are_said():
    assert (signed(0.25), signed(-0.25), signed(0.0)) == ("+0.250", "−0.250", "0")
    assert share(0.125, 1) == "12.5\u202f%"
    assert (size(999), size(413487104), size(None)) == ("999\u202fB", "413\u202fMB", "undefined")
    assert (seconds(2.5), seconds(75), seconds(3725)) == (
        "2.50\u202fs",
        "1\u202fmin 15\u202fs",
        "1\u202fh 02\u202fmin",
    )
    assert when("2026-11-21T18:43:24+00:00") == "21 Nov 2026, 18:43 UTC"
    assert when("yesterday") == "yesterday"


def test_other_peoples_words_are_plain_in_markdown():
    assert markdown("a|b\n# <b>*x*</b> [l](u) `c`") == r"a\|b \# \<b\>\*x\*\</b\> \[l\](u) \`c\`"


def test_a_name_that_the_context_lacks_is_an_error():
    with pytest.raises(UndefinedError):
        render("scorecard.html.j2")


def test_a_page_runs_its_own_script_alone_and_loads_nothing():
    html = render("base.html.j2")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html).group(1)
    assert "default-src 'none'" in policy
    script = re.search(r"<script>(.*?)</script>", html, re.DOTALL).group(1)
    assert f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in policy
    assert html.startswith("<!doctype html>")


def luminance(colour: str) -> float:
    full = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    parts = [int(full[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    r, g, b = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1, 2], ids=["light", "dark", "print"])
def test_every_colour_of_letters_can_be_read_on_every_ground(theme):
    blocks = re.findall(r":root \{(.*?)\}", render("base.html.j2"), re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#\w+)", blocks[theme]))
    for name in ("fg", "muted", "accent", "good", "warn", "bad", "c1", "c2", "c3", "c4", "c5", "c6"):
        for ground in ("bg", "panel"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
    for name in ("good", "warn", "bad"):
        assert contrast(colours[name], colours[f"{name}-bg"]) >= 4.5, name
