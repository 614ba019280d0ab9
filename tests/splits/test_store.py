"""The split store: written once, found again, verified at each reading, safe under several writers and under kill -9."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.datasets.dataset import PerturbDataset
from harness.errors import ChangedError, ExistsError, HarnessError, UnknownNameError
from harness.splits.create import create_split
from harness.splits.index import read_index, refuse_name
from harness.splits.split import Split
from harness.splits.store import SplitStore

Grid = Callable[..., PerturbDataset]
PERTS = [f"P{i}" for i in range(6)]

WRITER = """
import sys
from pathlib import Path
from harness.datasets.dataset import open_dataset
from harness.splits.create import create_split
from harness.splits.store import SplitStore
data, root, *seeds = sys.argv[1:]
dataset = open_dataset(Path(data))
splits = [create_split(dataset, "context_ood", name=f"s{seed}", seed=int(seed)) for seed in seeds]
print("ready", flush=True)
sys.stdin.readline()
for split in splits:
    SplitStore(Path(root)).save(split)
"""


@pytest.fixture(scope="module")
def screen(grid: Grid) -> PerturbDataset:
    return grid(["C0", "C1", "C2", "C3"], PERTS)


@pytest.fixture(scope="module")
def split(screen: PerturbDataset) -> Split:
    return create_split(screen, "context_ood", holdout_context=("C0",))


@pytest.fixture
def store(tmp_path: Path) -> SplitStore:
    return SplitStore(tmp_path / "splits")


def writer(screen: PerturbDataset, root: Path, seeds: list[int]) -> subprocess.Popen[str]:
    """A process that has made its splits and waits for a line before it saves them."""
    argv = [sys.executable, "-c", WRITER, str(screen.path), str(root), *map(str, seeds)]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


def test_a_saved_split_is_found_by_hash_by_prefix_by_name_and_by_alias(
    store: SplitStore, split: Split
) -> None:
    path = store.save(split, alias="default")
    assert path == store.root / f"{split.frozen_hash}.json"
    for reference in (
        split.frozen_hash,
        split.frozen_hash[:7],
        "context_ood",
        "screen:context_ood",
        "default",
    ):
        assert store.load(reference) == split
    assert store.load("context_ood", "screen") == split


def test_the_same_split_again_leaves_the_file_as_it_is(store: SplitStore, split: Split) -> None:
    before = store.save(split).stat()
    after = store.save(split).stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)
    assert len(store.list()) == 1


def test_a_name_that_means_another_split_is_refused_with_a_way_out(
    store: SplitStore, split: Split, screen: PerturbDataset
) -> None:
    store.save(split)
    with pytest.raises(ExistsError, match="--name") as refusal:
        store.save(create_split(screen, "context_ood", holdout_context=("C1",)))
    assert refusal.value.expected == split.frozen_hash
    assert len(store.list()) == 1


def test_an_alias_that_means_another_task_is_refused(
    store: SplitStore, split: Split, screen: PerturbDataset
) -> None:
    store.save(split, alias="main")
    other = create_split(screen, "iid")
    with pytest.raises(ExistsError, match="alias 'main' is taken"):
        store.save(other, alias="main")


def test_a_flipped_byte_anywhere_in_a_split_file_is_refused_with_file_expected_and_found(
    store: SplitStore, split: Split
) -> None:
    path = store.save(split)
    good = path.read_bytes()
    draw = random.Random(5)
    for place in [0, len(good) - 1, *draw.sample(range(len(good)), 150)]:
        bad = bytearray(good)
        bad[place] ^= 1 << draw.randrange(8)
        path.write_bytes(bytes(bad))
        with pytest.raises(ChangedError) as refusal:
            store.load(split.frozen_hash)
        assert refusal.value.where == str(path)
        assert refusal.value.expected == split.frozen_hash
        assert refusal.value.got
        with pytest.raises(ChangedError):
            store.list()
        with pytest.raises(ChangedError):
            store.save(split)
    path.write_bytes(good)
    assert store.load(split.frozen_hash) == split


@pytest.mark.parametrize("tail", [b" ", b"\n", b"{}"])
def test_bytes_after_the_end_of_a_split_file_are_refused(
    store: SplitStore, split: Split, tail: bytes
) -> None:
    path = store.save(split)
    path.write_bytes(path.read_bytes() + tail)
    with pytest.raises(ChangedError):
        store.load(split.frozen_hash)


def test_a_flipped_byte_in_an_index_entry_is_refused(store: SplitStore, split: Split) -> None:
    store.save(split)
    index = store.root / "index.toml"
    good = index.read_bytes()
    line = good.index(b"context_ood =")
    for place in (line, line + 5, good.index(b'"') + 3, len(good) - 4, good.index(b"screen")):
        bad = bytearray(good)
        bad[place] ^= 1
        index.write_bytes(bytes(bad))
        with pytest.raises(HarnessError):
            store.load("screen:context_ood")
        with pytest.raises(HarnessError):
            store.list()


def test_an_index_entry_that_points_at_another_split_is_refused(
    store: SplitStore, split: Split, screen: PerturbDataset
) -> None:
    store.save(split)
    other = create_split(screen, "iid")
    store.save(other)
    index = store.root / "index.toml"
    index.write_text(index.read_text().replace(split.frozen_hash, other.frozen_hash))
    with pytest.raises(ChangedError, match="disagree about a name"):
        store.load("screen:context_ood")


def test_a_file_under_the_name_of_another_split_is_refused(
    store: SplitStore, split: Split, screen: PerturbDataset
) -> None:
    path = store.save(split)
    path.write_bytes(store.save(create_split(screen, "iid")).read_bytes())
    with pytest.raises(ChangedError):
        store.load(split.frozen_hash)


def test_a_dataset_of_other_content_is_refused(store: SplitStore, split: Split, grid: Grid) -> None:
    store.save(split)
    other = grid(["C0", "C1", "C2", "C3"], [*PERTS, "P6"])
    with pytest.raises(ChangedError, match="frozen over another dataset") as refusal:
        store.load("context_ood", dataset=other)
    assert split.dataset.hash in str(refusal.value.expected)
    assert other.data_hash in str(refusal.value.got)


def test_an_unknown_name_is_refused_with_the_nearest(store: SplitStore, split: Split) -> None:
    store.save(split)
    with pytest.raises(UnknownNameError, match="did you mean 'context_ood'"):
        store.load("screen:context_odd")
    with pytest.raises(UnknownNameError, match="did you mean 'screen'"):
        store.load("scren:context_ood")
    with pytest.raises(HarnessError, match="no split has a hash"):
        store.load("0000000")


def test_a_name_of_two_datasets_asks_which(store: SplitStore, split: Split, grid: Grid) -> None:
    store.save(split)
    store.save(create_split(grid(["C0", "C1", "C2"], PERTS, name="other"), "context_ood"))
    with pytest.raises(HarnessError, match="DATASET:SPLIT"):
        store.load("context_ood")
    assert store.load("other:context_ood").dataset.name == "other"


@pytest.mark.parametrize("name", ["", " a", "a:b", "a\nb", "a\x7fb"])
def test_a_name_that_cannot_stand_in_a_task_name_is_refused(name: str) -> None:
    with pytest.raises(HarnessError, match="cannot have this name"):
        refuse_name("split", name)


def test_names_with_quotes_blanks_and_letters_of_any_script_survive_the_index(
    store: SplitStore, screen: PerturbDataset
) -> None:
    for name in ('loco-MCF "7"', "β \\ γ", "a.b"):
        saved = create_split(screen, "iid", name=name)
        store.save(saved)
        assert store.load(f"screen:{name}") == saved


def test_the_file_is_one_canonical_json_line(store: SplitStore, split: Split) -> None:
    text = store.save(split).read_text()
    assert (
        text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
    )


def test_eight_processes_at_once_leave_every_split_whole_and_named(
    store: SplitStore, screen: PerturbDataset
) -> None:
    wanted = [[0, 1], [0, 1], [1, 0], [2, 0], [3, 2], [4, 5], [5, 4], [6, 0]]
    writers = [writer(screen, store.root, seeds) for seeds in wanted]
    for process in writers:
        ready(process)
    for process in writers:
        go(process)
    assert [process.wait(60) for process in writers] == [0] * 8
    made = {f"s{seed}": create_split(screen, "context_ood", name=f"s{seed}", seed=seed) for seed in range(7)}
    assert {entry.name: entry.hash for entry in store.list()} == {n: s.frozen_hash for n, s in made.items()}
    assert dict(read_index(store.root).splits["screen"]) == {n: s.frozen_hash for n, s in made.items()}
    index = (store.root / "index.toml").read_text()
    alone = SplitStore(store.root.parent / "alone")
    for name in sorted(made, reverse=True):
        alone.save(made[name])
    assert (alone.root / "index.toml").read_text() == index


def kill_and_complete(store: SplitStore, screen: PerturbDataset, kills: int) -> None:
    draw = random.Random(11)
    for attempt in range(kills):
        seeds = list(range(attempt * 20, attempt * 20 + 20))
        process = writer(screen, store.root, seeds)
        ready(process)
        go(process)
        time.sleep(draw.uniform(0, 0.12))
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        entries = store.list()
        assert all(store.load(entry.hash).frozen_hash == entry.hash for entry in entries)
        for seed in seeds[:3]:
            again = create_split(screen, "context_ood", name=f"s{seed}", seed=seed)
            store.save(again)
            assert store.load(f"screen:s{seed}") == again
    assert not list(store.root.glob(".*partial*"))


def test_a_killed_writer_leaves_nothing_that_is_accepted_half_made_and_a_second_try_completes(
    store: SplitStore, screen: PerturbDataset
) -> None:
    kill_and_complete(store, screen, kills=4)


@pytest.mark.long
def test_forty_killed_writers_leave_a_whole_store(store: SplitStore, screen: PerturbDataset) -> None:
    kill_and_complete(store, screen, kills=40)


def test_a_listing_of_no_store_is_empty(store: SplitStore) -> None:
    assert store.list() == []
    assert list(store.names()) == []
