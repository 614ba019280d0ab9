"""Claims in words."""

from __future__ import annotations

import math

import pytest

from harness.errors import HarnessError
from harness.suites.sentence import BEST, BEST_TRIVIAL, Verb, parse


@pytest.mark.parametrize(
    ("text", "verb", "subject", "objects"),
    [
        ("v2 beats ridge on calibrated.wmse in demo:context_ood", Verb.BEATS, "v2", ("ridge",)),
        ("v3a beats v3 and best baseline on m in a, b", Verb.BEATS, "v3a", ("v3", BEST)),
        ("v0 beats best trivial baseline on m in a", Verb.BEATS, "v0", (BEST_TRIVIAL,)),
        ("v2 is not worse than v0, v1 on m in a", Verb.NOT_WORSE, "v2", ("v0", "v1")),
        ("additive is ahead of control_only on m in a", Verb.AHEAD, "additive", ("control_only",)),
        ("the gene graph helps v2 over v2@no_graph on m in a", Verb.HELPS, "v2", ("v2@no_graph",)),
        ("a rewired graph does not help v1r over v1@none on m in a", Verb.HELPS_NOT, "v1r", ("v1@none",)),
        ("m of v0@ensemble5 is above 1 in a", Verb.LIES, "v0@ensemble5", ()),
        ("controls pass on m in a", Verb.SOUND, "", ()),
    ],
)
def test_every_form_is_understood(text, verb, subject, objects):
    said = parse(text)
    assert (said.verb, said.subject, said.objects) == (verb, subject, objects)
    assert said.tasks == tuple(text.rpartition(" in ")[2].split(", "))


def test_margins_and_limits_are_read():
    assert parse("a is not worse than b on m in t by more than 2 %").margin == pytest.approx(0.02)
    assert parse("a is not worse than b on m in t").margin == pytest.approx(0.05)
    within = parse("m of a is within 0.05 of 0.9 in t")
    assert (within.low, within.high) == pytest.approx((0.85, 0.95))
    assert parse("m of a is below 0.1 in t").low == -math.inf
    assert parse("the gene graph helps v2 over b on m in t").part == "the gene graph"


@pytest.mark.parametrize(
    "text", ["v2 is great", "v2 beats ridge", "v2 beats ridge on m", "v2 beats on m in t", ""]
)
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(HarnessError, match="not understood") as refusal:
        parse(text, where="here")
    assert "beats ridge on" in str(refusal.value)
