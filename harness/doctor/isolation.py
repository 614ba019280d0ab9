"""The runtimes: each is asked for its offer, for which it runs a line in itself."""

from __future__ import annotations

from dataclasses import replace

from harness.doctor.finding import Finding, broken
from harness.doctor.probes import PROBES
from harness.runtimes.protocol import OFFICIAL, Offer, Runtime
from harness.runtimes.registry import runtimes


def probe_runtime(name: str) -> Finding:
    """What a runtime offers here; where its engine does not answer, what is wrong with the engine."""
    if name in PROBES:
        engine = PROBES[name]()
        if not engine.works:
            return engine
        return _merged(engine, _offered(runtimes()[name]))
    return _offered(runtimes()[name])


def _offered(runtime: Runtime) -> Finding:
    try:
        offer = runtime.offer()
    except Exception as error:  # a plugin's runtime may fail in any way, and the checkup goes on
        return broken(
            runtime.name, f"{type(error).__name__}: {error}", "mend or remove the plugin that brings it"
        )
    if not offer.works:
        return broken(runtime.name, offer.reason, offer.mend, offer.version)
    # an engine that works can still lack something that it says: a step down, an image
    return Finding(runtime.name, True, offer.version, facts_of(offer), offer.reason, offer.mend)


def facts_of(offer: Offer) -> dict[str, str]:
    """The level of isolation, what is granted by what, and what is missing for which reason."""
    facts: dict[str, str] = {"isolation": offer.isolation}
    by: dict[str, list[str]] = {}
    for guarantee, means in offer.granted.items():
        by.setdefault(means, []).append(guarantee.value)
    if by:
        facts["granted"] = "; ".join(f"{', '.join(names)} by {means}" for means, names in by.items())
    why: dict[str, list[str]] = {}
    for guarantee, reason in offer.missing.items():
        why.setdefault(reason, []).append(guarantee.value)
    if why:
        facts["not granted"] = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in why.items())
    facts["official runs"] = "yes" if set(OFFICIAL) <= set(offer.granted) else "no"
    return facts


def _merged(engine: Finding, offered: Finding) -> Finding:
    version = offered.version or engine.version
    return replace(offered, version=version, facts={**engine.facts, **offered.facts})
