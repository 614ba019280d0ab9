"""Gene graphs: normalised, aligned by name, refused when they do not fit, rewired without changing degrees."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.datasets.graph_sources import build_graph, from_coexpression, from_edges, from_gmt
from harness.datasets.graphs import GeneGraph, load_graph, read_graph, rewire, save_graph
from harness.errors import HarnessError

GENES = tuple("abcdef")


@pytest.fixture
def graph():
    weights = np.array(
        [
            [0, 2, 2, 0, 0, 0],
            [0, 0, 1, 0, 0, 0],
            [1, 0, 0, 3, 0, 0],
            [0, 0, 0, 0, 1, 0],
            [0, 1, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 0],
        ],
        float,
    )
    return GeneGraph.of(weights, GENES, "external")


def random_graph(seed, n=40, degree=4):
    rng = np.random.default_rng(seed)
    weights = sp.random(n, n, density=degree / n, random_state=rng, data_rvs=lambda k: rng.random(k) + 0.1)
    return GeneGraph.of(weights, [f"g{i:02d}" for i in range(n)], "external")


def edges(graph):
    matrix = graph.matrix().tocoo()
    return {(graph.genes[i], graph.genes[j]) for i, j in zip(matrix.row, matrix.col, strict=True)}


def test_each_row_sums_to_one_or_is_empty(graph):
    total = graph.matrix().sum(axis=1)
    assert np.allclose(np.asarray(total).ravel(), [1, 1, 1, 1, 1, 0])
    assert graph.data.dtype == np.float32


def test_density_and_coverage_are_counted_without_loops(graph):
    looped = GeneGraph.of(graph.matrix(), GENES, "external", self_loops=True)
    assert graph.density == looped.density == pytest.approx(7 / 30)
    assert graph.coverage == looped.coverage == pytest.approx(5 / 6)
    assert (looped.n_edges, graph.n_edges) == (13, 7)


def test_loops_are_there_for_every_gene_or_for_none(graph):
    with_one = sp.lil_matrix(graph.matrix())
    with_one[0, 0] = 1
    assert not GeneGraph.of(with_one, GENES, "external").matrix().diagonal().any()
    assert GeneGraph.of(with_one, GENES, "external", self_loops=True).matrix().diagonal().all()


def test_a_saved_graph_reads_back_bit_by_bit_and_the_same_graph_gives_the_same_file(tmp_path):
    graph = random_graph(1)
    first, second = (
        save_graph(graph, tmp_path / "a.npz"),
        save_graph(read_graph(tmp_path / "a.npz"), tmp_path / "b.npz"),
    )
    assert first.read_bytes() == second.read_bytes()


def test_a_dense_adjacency_is_accepted(tmp_path, graph):
    np.savez(tmp_path / "dense.npz", adjacency=graph.matrix().toarray() * 7, genes=np.array(GENES))
    read = load_graph(tmp_path / "dense.npz", GENES)
    assert np.allclose(read.matrix().toarray(), graph.matrix().toarray())
    assert read.provenance == "external"


def test_a_graph_follows_the_order_of_the_genes(tmp_path, graph):
    path = save_graph(graph, tmp_path / "g.npz")
    assert edges(load_graph(path, GENES[::-1])) == edges(graph)


def test_a_graph_is_cut_to_the_genes_and_normalised_again(graph):
    cut = graph.aligned(["c", "d", "new"])
    assert cut.genes == ("c", "d", "new")
    assert np.allclose(cut.matrix().toarray(), [[0, 1, 0], [0, 0, 0], [0, 0, 0]])


def test_genes_of_another_naming_are_refused(graph, tmp_path):
    path = save_graph(graph, tmp_path / "g.npz")
    with pytest.raises(HarnessError, match="no gene in common") as refusal:
        load_graph(path, ["ENSG01", "ENSG02"])
    assert "symbols or Ensembl" in str(refusal.value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"genes": np.array(GENES[:5])}, "does not fit its genes"),
        ({"genes": np.array([*GENES[:5], "a"])}, "more than once"),
        ({"indices": np.array([1, 2, 2, 0, 3, 4, 9])}, "does not fit its genes"),
        ({"indptr": np.array([0, 3, 2, 5, 6, 7, 7])}, "does not fit its genes"),
        ({"data": np.array([1, 1, 1, 1, 1, 1, -1.0])}, "negative or not finite"),
        ({"data": np.array([1, 1, 1, 1, 1, 1, np.nan])}, "negative or not finite"),
        ({"provenance": np.array("guessed")}, "unknown provenance"),
        ({"data": None}, "lacks members"),
        ({"genes": None}, "lacks members"),
        ({"genes": np.array(list(GENES), dtype=object)}, "not a readable"),
    ],
)
def test_a_graph_file_that_does_not_fit_is_refused_by_name(tmp_path, graph, change, sentence):
    members = {
        "indptr": graph.indptr,
        "indices": graph.indices,
        "data": graph.data,
        "genes": np.array(GENES),
        **change,
    }
    np.savez(tmp_path / "g.npz", **{name: value for name, value in members.items() if value is not None})
    with pytest.raises(HarnessError, match=sentence) as refusal:
        read_graph(tmp_path / "g.npz")
    assert "g.npz" in str(refusal.value)


def test_a_missing_or_broken_file_is_refused(tmp_path):
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 and then nothing")
    for name in ("none.npz", "broken.npz"):
        with pytest.raises(HarnessError, match=r"not found|not a readable"):
            read_graph(tmp_path / name)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_rewiring_keeps_every_degree_and_makes_no_loop(seed):
    graph = random_graph(seed)
    other = rewire(graph, seed)
    before, after = (g.matrix().astype(bool).astype(int) for g in (graph, other))
    assert np.array_equal(before.sum(axis=0), after.sum(axis=0))
    assert np.array_equal(before.sum(axis=1), after.sum(axis=1))
    assert not after.diagonal().any()


def test_rewiring_changes_most_edges_and_is_seeded():
    graph = random_graph(3)
    first, again, other = rewire(graph, 0), rewire(graph, 0), rewire(graph, 1)
    assert edges(first) == edges(again) != edges(other)
    assert len(edges(first) & edges(graph)) < 0.3 * graph.n_edges


def test_an_edge_list_is_read_with_or_without_head_weights_and_compression(tmp_path):
    bare = tmp_path / "bare.tsv"
    bare.write_text("a\tb\nb\tc\nz\ta\n")
    headed = tmp_path / "headed.tsv.gz"
    headed.write_bytes(gzip.compress(b"source\ttarget\tscore\na\tb\t1\na\tc\t3\na\tb\t0.5\n"))
    spaced = tmp_path / "string.txt"
    spaced.write_text("protein1 protein2 combined_score\na b 900\n")
    assert edges(from_edges(bare, GENES)) == {("a", "b"), ("b", "a"), ("b", "c"), ("c", "b")}
    directed = from_edges(headed, GENES, directed=True).matrix().toarray()
    assert np.allclose(directed[0], [0, 0.25, 0.75, 0, 0, 0])
    assert edges(build_graph(spaced, GENES, directed=True)) == {("a", "b")}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("a\tb\t1\na\tc\thigh\n", "not a number"),
        ("a\n", "no edge"),
        ("x\ty\n", "joins genes"),
        ("a\tb\t-1\n", "negative"),
    ],
)
def test_a_bad_edge_list_is_refused_with_its_place(tmp_path, content, sentence):
    path = tmp_path / "bad.tsv"
    path.write_text(content)
    with pytest.raises(HarnessError, match=sentence) as refusal:
        from_edges(path, GENES)
    assert "bad.tsv" in str(refusal.value)


def test_shared_gene_sets_weigh_by_jaccard(tmp_path):
    path = tmp_path / "sets.gmt"
    path.write_text("one\tof\ta\tb\tc\ntwo\tof\ta\tb\td\nhuge\tof\t" + "\t".join(GENES) + "\n")
    graph = from_gmt(path, GENES, smallest=2, largest=5)
    # a and b share both of their sets; a and c share one of two.
    assert np.allclose(graph.matrix().toarray()[0], np.array([0, 1, 0.5, 0.5, 0, 0]) / 2)
    nearest = from_gmt(path, GENES, smallest=2, largest=5, neighbours=1)
    assert edges(nearest) == {("a", "b"), ("b", "a"), ("c", "a"), ("d", "a")}


def test_coexpression_uses_the_given_rows_alone_and_is_called_learned(tiny_dataset):
    rows = np.flatnonzero(tiny_dataset.obs.context.codes == 0)
    graph = from_coexpression(tiny_dataset, rows, neighbours=5, least=0.0)
    X = np.asarray(tiny_dataset.X[rows], np.float64)
    expected = np.abs(np.corrcoef(X.T))
    np.fill_diagonal(expected, 0)
    best = {
        (tiny_dataset.genes[i], tiny_dataset.genes[int(expected[i].argmax())]) for i in range(len(expected))
    }
    assert graph.provenance == "learned"
    assert best <= edges(graph)
    assert np.diff(graph.indptr).max() == 5


def test_coexpression_does_not_mistake_a_difference_of_contexts_for_a_bond(tiny_dataset):
    controls = np.flatnonzero(tiny_dataset.obs.is_control)
    graph = from_coexpression(tiny_dataset, controls, neighbours=63, least=0.5)
    pooled = np.abs(np.corrcoef(np.asarray(tiny_dataset.X[controls], np.float64).T))
    np.fill_diagonal(pooled, 0)
    assert (pooled > 0.5).sum() > 10 * graph.n_edges


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("edge_file", "set_file"),
    [
        ("edges_go_bp_jaccard_knn20.tsv.gz", "go_bp_2021.gmt.gz"),
        ("edges_reactome_jaccard_knn20.tsv.gz", "reactome.gmt.gz"),
    ],
)
def test_real_gene_sets_give_the_graph_that_was_derived_from_them(mirror, edge_file, set_file):
    with gzip.open(mirror / "graphs" / edge_file, "rt") as handle:
        listed = {tuple(line.split("\t")[:2]) for line in handle} - {("source", "target")}
    genes = sorted({gene for pair in listed for gene in pair})
    from_list = from_edges(mirror / "graphs" / edge_file, genes, directed=True)
    from_sets = from_gmt(mirror / "graphs" / set_file, genes)
    assert edges(from_list) == listed
    # Ties at the twentieth neighbour may fall otherwise.
    assert len(edges(from_sets) & listed) > 0.995 * len(listed)


@pytest.mark.realdata
def test_a_real_regulon_list_is_read_with_its_words_in_the_third_column(mirror):
    path = mirror / "graphs" / "trrust_v2_human.tsv.gz"
    genes = ["TP53", "MYC", "CDKN1A", "BAX", "AATF", "not-a-gene"]
    graph = build_graph(path, genes, directed=True)
    assert ("TP53", "CDKN1A") in edges(graph)
    assert graph.coverage == pytest.approx(5 / 6)
