"""The peer's side of the cell-eval job; runs inside the peer's own environment.

python celleval.py FOLDER PROFILE OUT
"""

import json
import resource
import sys
from pathlib import Path


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main(folder: Path, profile: str, out: Path) -> None:
    from cell_eval import MetricsEvaluator

    imported = cpu_seconds()
    evaluator = MetricsEvaluator(
        adata_pred=str(folder / "pred.h5ad"),
        adata_real=str(folder / "real.h5ad"),
        control_pert="non-targeting",
        pert_col="target_gene",
        num_threads=1,
        outdir=str(out),
    )
    skipped = ["clustering_agreement"] if profile == "full" else None
    results, _ = evaluator.compute(
        profile=profile, skip_metrics=skipped, write_csv=False, break_on_error=True
    )
    columns = {name: results[name].to_list() for name in results.columns}
    (out / "columns.json").write_text(json.dumps(columns))
    print()
    print(json.dumps({"import_cpu_s": imported}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
