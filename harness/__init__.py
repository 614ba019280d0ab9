"""PerturbFM harness: frozen splits, complete metric panels and honest controls for perturbation prediction.

The line from a dataset to a scored run, as functions:

    dataset = harness.open_dataset(Path("data/demo"))
    split = harness.create_split(dataset, "context_ood")
    task = harness.build_task(dataset, split, "val", cache=Path("data/.tasks"))
    expected = harness.expected_rows(task, harness.load_truth(task), "query", var_required=False)
    predictions = harness.open_predictions(Path("predictions.npz"), expected)
    evaluation = harness.evaluate(dataset, split, task, predictions, var_kind="effect")

`plan_run` and `submit` do all of it for a submission, and leave a run folder; they enter each opening of test truth in
the ledger, which the functions above leave to you. A name is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.contract.manifest import load_manifest
    from harness.contract.predictions import open_predictions
    from harness.datasets.dataset import open_dataset
    from harness.datasets.synthetic import make_preset
    from harness.errors import HarnessError
    from harness.records.run_folder import open_run
    from harness.schedulers.submit import SubmitRequest, plan_run, submit
    from harness.scoring.evaluate import evaluate, expected_rows
    from harness.splits.create import create_split
    from harness.splits.store import SplitStore
    from harness.tasks.build import build_task
    from harness.tasks.truth import load_truth

__version__ = "0.1.0"
__all__ = [
    "HarnessError",
    "SplitStore",
    "SubmitRequest",
    "build_task",
    "create_split",
    "evaluate",
    "expected_rows",
    "load_manifest",
    "load_truth",
    "make_preset",
    "open_dataset",
    "open_predictions",
    "open_run",
    "plan_run",
    "submit",
]

_HOME = {
    "HarnessError": "errors",
    "SplitStore": "splits.store",
    "SubmitRequest": "schedulers.submit",
    "build_task": "tasks.build",
    "create_split": "splits.create",
    "evaluate": "scoring.evaluate",
    "expected_rows": "scoring.evaluate",
    "load_manifest": "contract.manifest",
    "load_truth": "tasks.truth",
    "make_preset": "datasets.synthetic",
    "open_dataset": "datasets.dataset",
    "open_predictions": "contract.predictions",
    "open_run": "records.run_folder",
    "plan_run": "schedulers.submit",
    "submit": "schedulers.submit",
}
"""Public name → the module that defines it."""


def __getattr__(name: str) -> object:
    """A public name, imported when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    value = getattr(import_module(f"harness.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
