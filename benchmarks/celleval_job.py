"""The cell-eval job: our columns and cell-eval's own, on the same files, one after the other in one run.

python -m benchmarks.celleval_job --cells 10000 --perturbations 50
python -m benchmarks --only celleval
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from benchmarks.celleval_inputs import write_inputs
from benchmarks.job import Row
from benchmarks.measure import Cost, measure

NAME = "celleval"
TITLE = "cell-eval's columns, beside cell-eval itself"
SIZES = ((10_000, 50), (50_000, 100))
QUICK = ((2_000, 10),)
HERE = Path(__file__).parent
PEER = "cell-eval==0.8.2"
CACHE = Path.home() / ".cache" / "perturbfm-harness" / "peers"
PROFILES = ("vcc", "full")
RECORDED_CPU_S = {
    ("vcc", 10_000): 16.0, ("full", 10_000): 37.0,
    ("vcc", 50_000): 91.0, ("full", 50_000): 406.0,
    ("vcc", 150_000): 410.0,
}  # fmt: skip
"""Seconds that an earlier run of the peer took on these inputs, imports included; `full` with clustering."""
RECORDED_RSS_MB = {
    ("vcc", 10_000): 750.0, ("full", 10_000): 880.0,
    ("vcc", 50_000): 1900.0, ("full", 50_000): 2500.0,
    ("vcc", 150_000): 4900.0,
}  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """One profile on both sides."""

    profile: str
    cells: int
    perturbations: int
    ours: Cost
    peer: Cost | None
    """None where the peer could not be installed, or was not asked to run."""
    source: Literal["measured", "recorded", "none"]
    worst_mean_gap: float | None
    """Largest difference between both sides in the mean of a column."""

    @property
    def peer_cpu_s(self) -> float | None:
        """The peer's CPU seconds: without imports where measured, with them where recorded."""
        return self.peer.own_cpu_s if self.peer else RECORDED_CPU_S.get((self.profile, self.cells))

    @property
    def peer_rss_mb(self) -> float | None:
        return self.peer.peak_rss_mb if self.peer else RECORDED_RSS_MB.get((self.profile, self.cells))

    @property
    def ratio(self) -> float | None:
        """How many times less CPU ours takes."""
        return None if self.peer_cpu_s is None else self.peer_cpu_s / self.ours.own_cpu_s

    def row(self) -> Row:
        """The comparison as a line of the table."""
        what = f"{self.profile}, {self.cells} cells, {self.perturbations} perturbations"
        if self.peer is not None:
            note = f"means of columns agree to {self.worst_mean_gap:.0e}"
            return Row.of(what, self.ours, PEER, self.peer, note)
        row = Row.of(what, self.ours)
        if self.source == "none":
            return row
        note = "recorded with imports" + (" and clustering" if self.profile == "full" else "")
        return replace(
            row,
            peer=PEER,
            peer_cpu_s=self.peer_cpu_s,
            peer_peak_mb=self.peer_rss_mb,
            source="recorded",
            note=note,
        )

    def document(self) -> dict[str, Any]:
        """The comparison as a JSON object."""
        return {
            "job": f"cell-eval {self.profile}, {self.cells} cells, {self.perturbations} perturbations",
            "ours": self.ours.document(),
            "peer": self.peer.document()
            if self.peer
            else {"cpu_s": self.peer_cpu_s, "peak_rss_mb": self.peer_rss_mb},
            "peer_source": self.source,
            "ratio_cpu": self.ratio,
            "worst_mean_gap": self.worst_mean_gap,
        }


def run(quick: bool) -> list[Row]:
    """Both profiles at every size; 50,000 cells keep the peer busy for about ten minutes."""
    return [one.row() for size in (QUICK if quick else SIZES) for one in compare(*size)]


def peer_python(cache: Path = CACHE) -> Path | None:
    """The interpreter of the peer's own environment, made on first use; None where it cannot be installed."""
    folder = cache / PEER.replace("==", "-")
    python = folder / "bin" / "python"
    if not (folder / "complete").is_file():
        venv.create(folder, with_pip=True, clear=True)
        installed = subprocess.run([python, "-m", "pip", "install", "--quiet", PEER], check=False)
        if installed.returncode != 0:
            return None
        (folder / "complete").touch()
    return python


def compare(
    n_cells: int, n_perturbations: int, *, profiles: tuple[str, ...] = PROFILES, run_peer: bool = True
) -> list[Comparison]:
    """Write the inputs and run both sides on them, each in its own process with one thread."""
    python = peer_python() if run_peer else None
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_inputs(folder, n_cells, n_perturbations)
        return [_compare(folder, profile, n_cells, n_perturbations, python) for profile in profiles]


def _compare(
    folder: Path, profile: str, n_cells: int, n_perturbations: int, python: Path | None
) -> Comparison:
    results = {side: folder / f"{profile}-{side}" for side in ("ours", "peer")}
    for out in results.values():
        out.mkdir()
    ours = measure([sys.executable, HERE / "celleval_ours.py", folder, profile, results["ours"]])
    peer, gap = None, None
    if python is not None:
        peer = measure([python, HERE / "peers" / "celleval.py", folder, profile, results["peer"]])
        gap = _worst_mean_gap(*(json.loads((out / "columns.json").read_text()) for out in results.values()))
    recorded = (profile, n_cells) in RECORDED_CPU_S
    source: Literal["measured", "recorded", "none"] = (
        "measured" if peer else "recorded" if recorded else "none"
    )
    return Comparison(profile, n_cells, n_perturbations, ours, peer, source, gap)


def _worst_mean_gap(ours: dict[str, list[Any]], peer: dict[str, list[Any]]) -> float:
    gaps = []
    for name in set(ours) & set(peer) - {"perturbation"}:
        a, b = (_mean(side[name]) for side in (ours, peer))
        gaps.append(abs(a - b) / max(1.0, abs(b)))
    return max(gaps)


def _mean(values: list[float | None]) -> float:
    known = [value for value in values if value is not None and not math.isnan(value)]
    return math.fsum(known) / len(known) if known else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--perturbations", type=int, default=50)
    parser.add_argument("--profile", choices=PROFILES, action="append")
    parser.add_argument("--no-peer", action="store_true", help="print the recorded figures of the peer")
    asked = parser.parse_args()
    found = compare(
        asked.cells,
        asked.perturbations,
        profiles=tuple(asked.profile or PROFILES),
        run_peer=not asked.no_peer,
    )
    print(json.dumps([one.document() for one in found], indent=2))


if __name__ == "__main__":
    main()
