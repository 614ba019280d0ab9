"""Large predictions: headers at once, values in a stream, memory bounded."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from harness.contract.faults import PredictionsRefused
from harness.contract.predictions import Expected, open_predictions

N_GENES = 2000
MEASURE = """
import json, sys, threading, time
from pathlib import Path
from harness.contract.listing import inspect
from harness.contract.predictions import Expected, open_predictions

path, n_query, n_genes = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])

def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024

inspect(path)
started = time.perf_counter()
inspect(path)
headers = time.perf_counter() - started

before, peak, done = anonymous(), [0.0], threading.Event()

def watch():
    while not done.wait(0.002):
        peak[0] = max(peak[0], anonymous())

watcher = threading.Thread(target=watch)
watcher.start()
started = time.perf_counter()
found = open_predictions(path, Expected(n_query, n_genes, var_required=True))
whole = time.perf_counter() - started
done.set()
watcher.join()
value = float(found.mean[n_query - 1, n_genes - 1])
print(json.dumps({"headers": headers, "whole": whole, "grown_mib": peak[0] - before, "value": value}))
"""


def write_large(path: Path, n_query: int, *, dtype: str = "<f4", method: int = zipfile.ZIP_STORED) -> int:
    """Stream a valid file, so that the test itself needs no memory; returns the bytes of its arrays."""
    row = np.linspace(0.5, 1.5, N_GENES).astype(dtype)
    block = np.tile(row, (256, 1)).tobytes()
    with zipfile.ZipFile(path, "w", method, compresslevel=1) as archive:
        for name in ("mean", "var"):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                shape = (n_query, N_GENES)
                np.lib.format.write_array_header_1_0(
                    member, {"descr": dtype, "fortran_order": False, "shape": shape}
                )
                for _ in range(n_query // 256):
                    member.write(block)
        with archive.open("idx.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array(member, np.arange(n_query)[::-1], version=(1, 0))
    return 2 * len(block) * (n_query // 256)


def measure(path: Path, n_query: int) -> dict[str, float]:
    if not Path("/proc/self/status").exists():
        pytest.skip("anonymous memory is read from /proc, which this system has not")
    command = [sys.executable, "-c", MEASURE, str(path), str(n_query), str(N_GENES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(("dtype", "method"), [("<f4", zipfile.ZIP_STORED), (">f8", zipfile.ZIP_DEFLATED)])
def test_a_file_of_100_mb_is_checked_in_bounded_memory(tmp_path: Path, dtype: str, method: int) -> None:
    n_query = 6656
    assert write_large(tmp_path / "p.npz", n_query, dtype=dtype, method=method) > 100e6
    found = measure(tmp_path / "p.npz", n_query)
    assert found["value"] == 1.5
    assert found["headers"] < 0.05
    assert found["grown_mib"] < 100


@pytest.mark.long
def test_a_valid_file_of_1_gb_has_its_headers_read_in_50_ms_and_streams_in_300_mb(tmp_path: Path) -> None:
    n_query = 62_720
    assert write_large(tmp_path / "p.npz", n_query) > 1e9
    found = measure(tmp_path / "p.npz", n_query)
    assert found["value"] == 1.5
    assert found["headers"] < 0.05
    assert found["grown_mib"] < 300


def test_a_bomb_of_4_tib_is_refused_from_its_headers(tmp_path: Path) -> None:
    sparse = tmp_path / "predictions"
    sparse.mkdir()
    shape = (1 << 30, 1 << 10)
    with (sparse / "mean.npy").open("wb") as handle:
        np.lib.format.write_array_header_1_0(handle, {"descr": "<f4", "fortran_order": False, "shape": shape})
        handle.truncate(handle.tell() + (4 << 40))
    np.save(sparse / "idx.npy", np.arange(3))

    with pytest.raises(PredictionsRefused, match="got \\[1073741824, 1024\\]; expected \\[3, 2\\]"):
        open_predictions(sparse, Expected(3, 2))
