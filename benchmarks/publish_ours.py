"""Publish a folder of made-up records twice, in a process of its own: everything new, then everything taken over."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from harness.reporting.board.publish import compile_site, publish


def main(runs: Path, out: Path) -> None:
    """Publish, publish again, report both times and the sizes."""
    told = {}
    for which in ("first", "again"):
        began = time.perf_counter()
        site = compile_site(sorted(runs.iterdir()), splits=None)
        published = publish(site, out)
        told[which] = time.perf_counter() - began
    print(
        json.dumps(
            told
            | {
                "scorecards": published.scorecards,
                "taken_over": published.taken_over,
                "index_kb": (out / "index.html").stat().st_size / 1e3,
                "largest_kb": max(path.stat().st_size for path in out.rglob("*.html")) / 1e3,
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
