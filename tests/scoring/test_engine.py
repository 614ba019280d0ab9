"""One score by any road: processes, shards, blocks, with and without what was kept; the same bytes."""

from __future__ import annotations

import os

import numpy as np
import pytest

from harness.contract.predictions import open_predictions
from harness.errors import ChangedError, HarnessError
from harness.metrics import forecasts
from harness.scoring.engine import Engine, ScoreInputs
from harness.scoring.evaluate import put_together, score, score_in_shards, write_evaluation
from harness.scoring.levels import NO_CONDITIONS
from harness.scoring.workers import fitting_workers
from harness.storage import canonical_json


@pytest.fixture(scope="module")
def predictions(tmp_path_factory, tiny_task):
    rng = np.random.default_rng(3)
    shape = (tiny_task.card.n_query, len(tiny_task.card.genes))
    mean, var = rng.normal(0, 0.2, shape).astype(np.float32), rng.uniform(0.01, 0.2, shape).astype(np.float32)
    path = tmp_path_factory.mktemp("predictions") / "p.npz"
    np.savez(path, mean=mean, var=var, epistemic=var / 2, idx=np.arange(len(mean)))
    return path


@pytest.fixture
def engine_of(tiny, tiny_split, tiny_task, predictions):
    def make(*, keep: bool = True, var_kind="cell", path=predictions):
        file = open_predictions(path, _expected(tiny_task))
        return Engine(ScoreInputs(tiny, tiny_split, tiny_task, file, var_kind, "query", keep))

    return make


def _expected(task):
    from harness.contract.predictions import Expected

    return Expected.of(task.card, var_required=False)


@pytest.fixture(scope="module")
def alone(tiny, tiny_split, tiny_task, predictions):
    """The document that one process makes without keeping anything."""
    file = open_predictions(predictions, _expected(tiny_task))
    inputs = ScoreInputs(tiny, tiny_split, tiny_task, file, "cell", "query", keep=False)
    return canonical_json(score(Engine(inputs), workers=1).document)


def test_two_processes_give_the_bytes_of_one(engine_of, alone):
    seen = []
    evaluation = score(engine_of(keep=False), workers=2, progress=lambda done, of: seen.append((done, of)))
    assert canonical_json(evaluation.document) == alone
    n = len(evaluation.engine.chosen)
    assert seen == [(i, n) for i in range(1, n + 1)]


@pytest.mark.parametrize("shards", [1, 5, 12])
def test_any_number_of_shards_gives_the_bytes_of_one_process(engine_of, alone, shards):
    assert canonical_json(score_in_shards(engine_of(), shards).document) == alone


def test_shards_may_come_in_any_order(engine_of, alone, tmp_path):
    engine = engine_of()
    for number in (3, 1, 2):
        engine.score_shard(number, 3, tmp_path / f"shard-{number}-of-3")
    folders = sorted(tmp_path.iterdir(), reverse=True)
    assert canonical_json(put_together(engine_of(), folders).document) == alone


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_the_size_of_blocks_changes_no_byte(engine_of, alone, monkeypatch, block):
    monkeypatch.setattr(forecasts, "BLOCK_CONDITIONS", block)
    assert canonical_json(score(engine_of(), workers=1).document) == alone


def test_each_condition_is_in_one_shard_and_neighbours_stay_together(engine_of):
    engine = engine_of()
    shards = [engine.shard(k, 4) for k in range(1, 5)]
    assert [index for shard in shards for index in shard] == engine.chosen
    assert all(shards)


def test_a_missing_shard_is_refused_by_number(engine_of, tmp_path):
    engine = engine_of()
    engine.score_shard(1, 2, tmp_path / "shard-1-of-2")
    with pytest.raises(HarnessError, match="in no shard"):
        put_together(engine, [tmp_path / "shard-1-of-2"])


def test_a_shard_of_other_predictions_is_refused(engine_of, tmp_path, predictions):
    engine_of().score_shard(1, 1, tmp_path / "shard")
    with np.load(predictions) as arrays:
        other = {name: arrays[name] for name in arrays.files}
    np.savez(tmp_path / "other.npz", **(other | {"mean": other["mean"] + 1}))
    with pytest.raises(HarnessError, match="another score"):
        put_together(engine_of(path=tmp_path / "other.npz"), [tmp_path / "shard"])


def test_a_flipped_byte_in_a_shard_is_refused(engine_of, tmp_path):
    engine = engine_of()
    engine.score_shard(1, 1, tmp_path / "shard")
    path = tmp_path / "shard" / "predicted.npy"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(ChangedError):
        put_together(engine, [tmp_path / "shard"])


def test_what_a_process_refuses_is_refused_here_with_its_words(engine_of):
    engine = engine_of()
    score(engine, workers=1)
    kept = engine.kept.folder / "condition-0.sealed"
    whole = kept.read_bytes()
    assert engine.chosen[0] == 0
    try:
        kept.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(ChangedError, match="has changed") as refused:
            score(engine, workers=2)
        assert refused.value.mend
        assert "rm -r" in refused.value.mend
    finally:
        kept.write_bytes(whole)


def test_written_documents_are_the_same_bytes_twice(engine_of, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_evaluation(tmp_path / name, score(engine_of(), workers=1), "run")
    for file in ("metrics.json", "calibration.json", "metrics.parquet", "pictures.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_every_metric_of_every_panel_has_a_value_or_a_reason(engine_of):
    document = score(engine_of(), workers=1).document
    assert document["complete"] is True
    for panel in document["panels"]:
        for summary in document[panel]["global"].values():
            assert summary["value"] is not None or summary["reason"]
    empty = document["subsets"]["iid"]["calibrated"]["global"]["mse"]
    assert empty["n"] or empty["reason"] == NO_CONDITIONS


def test_small_scores_start_no_further_process():
    assert fitting_workers(1_000_000) == 1
    assert fitting_workers(10**12) <= (os.cpu_count() or 1)
