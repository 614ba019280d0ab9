"""A task reads alike in both of its forms."""

from __future__ import annotations

import numpy as np

from harness.datasets.graphs import graphs_folder
from harness.sdk import Task, load_task
from harness.splits.create import create_split
from harness.tasks.build import build_task


def both(tiny_dataset, tmp_path) -> tuple[Task, Task]:
    split = create_split(tiny_dataset, "context_ood")
    graphs = sorted(graphs_folder(tiny_dataset.path).glob("*.npz"))
    plain, h5ad = (
        build_task(tiny_dataset, split, "val", cache=tmp_path, max_rows=4, input_format=form, graphs=graphs)
        for form in ("folder", "h5ad")
    )
    return load_task(plain.public), load_task(h5ad.public)


def test_the_folder_and_the_h5ad_form_hold_the_same_tables(tiny_dataset, tmp_path):
    plain, h5ad = both(tiny_dataset, tmp_path)
    for one, two in ((plain.train, h5ad.train), (plain.query, h5ad.query)):
        np.testing.assert_array_equal(one.X, two.X)
        np.testing.assert_array_equal(one.counts, two.counts)
        assert list(one.obs) == list(two.obs)
        for name in one.obs:
            assert one.obs[name].dtype == two.obs[name].dtype
            assert one.obs[name].tolist() == two.obs[name].tolist()


def test_a_graph_of_a_built_task_is_aligned_to_its_genes(tiny_dataset, tmp_path):
    task, _ = both(tiny_dataset, tmp_path)
    (graph,) = task.graphs.values()
    assert graph.genes == task.genes
    np.testing.assert_allclose(graph.dense().sum(axis=1)[np.diff(graph.indptr) > 0], 1.0, rtol=1e-5)
