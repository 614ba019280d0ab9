"""How much memory a family holds, by the kernel's own lists and by a search through all processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from harness.runtimes import watch

HOLD = "import sys; held = bytearray(40_000_000); print('ready', flush=True); sys.stdin.read()"
PARENT = f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', {HOLD!r}]))"


@pytest.fixture
def family() -> Iterator[int]:
    """A process with a child that holds 40 MB."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        yield parent.pid
        parent.communicate()


def test_the_memory_of_descendants_counts_and_that_of_the_root_does_not(family: int) -> None:
    (child,) = psutil.Process(family).children()
    assert watch.tree_rss(family) == pytest.approx(child.memory_info().rss, rel=0.05)
    assert watch.tree_rss(family) > 40_000_000


def test_both_ways_to_count_agree(family: int) -> None:
    assert watch.tree_rss(family) == pytest.approx(watch._tree_rss_elsewhere(family), rel=0.05)


def test_a_process_that_is_gone_holds_nothing() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert watch.tree_rss(child.pid) == 0


def test_the_harness_itself_is_above_the_family_it_watches(family: int) -> None:
    assert watch.tree_rss(os.getpid()) > watch.tree_rss(family)
