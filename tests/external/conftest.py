"""External models: their environments are built from the lock files that are shipped, and they train and predict.

Not part of `make test`: `make test-external` runs them. What they find is written as a table to the file that
HARNESS_EXTERNAL_SUMMARY names.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.contract.manifest import load_manifest
from harness.errors import HarnessError
from harness.runtimes.environments.build import UnbuildableError, environment
from harness.runtimes.environments.inventory import environments
from harness.runtimes.environments.lock import read_lock
from harness.runtimes.environments.wheels import SOURCES, build_wheels
from harness.settings import load_settings

ROOT = Path(__file__).parents[2]
SUBMISSIONS = ROOT / "submissions"
TIMES: dict[str, tuple[str, float]] = {}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """These tests run where they are asked for: they fetch packages and take minutes."""
    if item.get_closest_marker("external") and "external" not in (item.config.option.markexpr or ""):
        pytest.skip("external models are run by `make test-external`")


def missing(reason: str) -> None:
    """Skip, or fail where HARNESS_REQUIRE names `external`."""
    if "external" in os.environ.get("HARNESS_REQUIRE", "").split(","):
        pytest.fail(f"HARNESS_REQUIRE names external, but {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def cache() -> Path:
    """Where environments are kept: with those of the checkout, so that they are built once."""
    return load_settings(ROOT).environments


@pytest.fixture(scope="session")
def built(cache: Path) -> Callable[[str], Path]:
    """The folder of a submission whose environment is there, built now where it is not: `built("gears")`."""

    def submission(name: str) -> Path:
        folder = SUBMISSIONS / name
        settings = load_settings(ROOT)
        run = load_manifest(folder).run
        assert run.requirements is not None
        try:
            if (folder / SOURCES).is_file():
                build_wheels(folder / SOURCES, settings.own_wheels)
            lock = read_lock(folder / run.requirements)
            environment(lock, cache, wheels=settings.wheels, beside=settings.own_wheels)
        except UnbuildableError as error:
            missing(f"the environment of {name} cannot be built: {error.got}")
        except HarnessError as error:
            missing(f"{name}: {error.what}: {error.got}")
        return folder

    return submission


@pytest.fixture(autouse=True)
def _environments_of_the_checkout(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs use the environments that were built, whichever project they stand in."""
    monkeypatch.setenv("HARNESS_DATA_DIR", str(cache.parent))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Note how each test went."""
    report = yield
    if report.when == "call" or report.outcome == "skipped":
        TIMES[item.name] = (report.outcome, report.duration)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """The table of what was found, where one is asked for."""
    told = os.environ.get("HARNESS_EXTERNAL_SUMMARY")
    if not told or not TIMES:
        return
    chosen = session.config.option.keyword
    asked = f"Models asked for: {chosen}; the others did not run." if chosen else "All models were asked for."
    lines = ["# External models: what the last run found", "", asked, ""]
    lines += ["| test | outcome | seconds |", "|---|---|---|"]
    lines += [f"| {name} | {outcome} | {seconds:.0f} |" for name, (outcome, seconds) in sorted(TIMES.items())]
    lines += ["", "| environment of | packages | MiB | seconds to build |", "|---|---|---|---|"]
    for one in environments(load_settings(ROOT).environments):
        lines.append(f"| {one.built_for} | {len(one.packages)} | {' | '.join(one.cost)} |")
    Path(told).parent.mkdir(parents=True, exist_ok=True)
    Path(told).write_text("\n".join(lines) + "\n", encoding="utf-8")
