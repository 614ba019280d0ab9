"""Our side of the bootstrap job: `bootstrap_ours.py CONTEXTS CONDITIONS METRICS RESAMPLES`."""

from __future__ import annotations

import json
import resource
import sys
import time

import numpy as np

from harness.statistics.intervals import PERCENTILE, paired_intervals


def main() -> None:
    """Compute the intervals once and say how long they took."""
    contexts, conditions, metrics, resamples = map(int, sys.argv[1:])
    rng = np.random.default_rng(0)
    of_condition = np.repeat(np.arange(contexts), conditions)
    ours, theirs = rng.standard_normal((2, contexts * conditions, metrics))
    names = np.arange(contexts * conditions)
    used = resource.getrusage(resource.RUSAGE_SELF)
    import_cpu_s, start = used.ru_utime + used.ru_stime, time.perf_counter()
    found = paired_intervals(ours, theirs, of_condition, names, resamples=resamples)
    seconds = time.perf_counter() - start
    assert {one.method for one in found} == {PERCENTILE}
    print(json.dumps({"import_cpu_s": import_cpu_s, "seconds": seconds}))


if __name__ == "__main__":
    main()
