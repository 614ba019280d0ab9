"""A checkup looks at every runtime, both schedulers and the machine, and survives a runtime that breaks."""

from __future__ import annotations

from dataclasses import replace

from harness.doctor import isolation
from harness.doctor.checkup import can_run, checks, checkup, in_order
from harness.doctor.isolation import facts_of, probe_runtime
from harness.runtimes.protocol import Guarantee, Offer
from harness.runtimes.registry import runtimes
from harness.settings import load_settings


def test_every_runtime_is_looked_at_the_own_ones_first(tmp_path):
    known = checks(load_settings(tmp_path))
    assert [check.name for check in known if check.kind == "runtime"] == in_order(runtimes())
    assert in_order({"zebra": 1, "apptainer": 1, "process": 1, "ant": 1}) == [
        "process",
        "apptainer",
        "ant",
        "zebra",
    ]


def test_what_is_found_is_in_the_order_asked_for_reading_and_timed(tmp_path):
    found = checkup(load_settings(tmp_path), ["python", "local", "process"])
    assert [each.finding.name for each in found] == ["process", "local", "python"]
    assert all(each.seconds >= 0 for each in found)
    assert can_run(found)
    assert not can_run(found[1:])


class Broken:
    """A plugin's runtime that raises where it should answer."""

    name = "broken"

    def offer(self) -> Offer:
        raise RuntimeError("its engine changed")


def test_a_runtime_that_breaks_is_a_finding_and_not_the_end(monkeypatch):
    monkeypatch.setattr(isolation, "runtimes", lambda: {"broken": Broken()})
    found = probe_runtime("broken")
    assert (found.works, found.reason) == (False, "RuntimeError: its engine changed")


def test_a_step_down_is_said_of_a_runtime_that_works(monkeypatch):
    class Lesser(Broken):
        def offer(self) -> Offer:
            missing = {Guarantee.OFFLINE: "no namespaces"}
            return Offer(True, "process+limits", granted={Guarantee.WALL: "watched"}, missing=missing,
                         reason="bubblewrap is not installed", mend="apt-get install bubblewrap")  # fmt: skip

    monkeypatch.setattr(isolation, "runtimes", lambda: {"broken": Lesser()})
    found = probe_runtime("broken")
    assert found.works
    assert (found.reason, found.mend) == ("bubblewrap is not installed", "apt-get install bubblewrap")
    assert found.facts == {
        "isolation": "process+limits",
        "granted": "wall by watched",
        "not granted": "offline: no namespaces",
        "official runs": "no",
    }


def test_an_offer_with_everything_is_official():
    offer = Offer(True, "sandbox", granted=dict.fromkeys(Guarantee, "the kernel"))
    assert facts_of(offer)["official runs"] == "yes"
    fewer = replace(offer, granted={Guarantee.WALL: "the kernel"})
    assert facts_of(fewer)["official runs"] == "no"
