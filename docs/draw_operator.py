"""Draw the operator of v2 and v3 (CGIO) as an SVG: a set of genes, carried over gated graphs, mapped by the context."""

from __future__ import annotations

from draw import STYLE, Box, arrow

WIDTH, HEIGHT = 1040, 456
MORE = """
  .node { fill: #f4f7fb; stroke: #2f6690; stroke-width: 1.6; } .hit { fill: #b45f06; stroke: #b45f06; }
  .edge { stroke: #2f6690; stroke-width: 1.4; } .weak { stroke-dasharray: 3 4; opacity: .6; }
  .state { stroke: #b45f06; marker-end: url(#head2); } .later { stroke-dasharray: 6 5; } .head2 { fill: #b45f06; }
  @media (prefers-color-scheme: dark) {
    .node { fill: #17222d; stroke: #7fb2d9; } .hit { fill: #e0a04d; stroke: #e0a04d; } .edge { stroke: #7fb2d9; }
    .state { stroke: #e0a04d; } .head2 { fill: #e0a04d; }
  }
"""
NODES = {"a": (318, 102), "b": (362, 78), "c": (404, 108), "d": (352, 138), "e": (446, 82), "f": (452, 136)}
EDGES = (("a", "b"), ("a", "d"), ("b", "c"), ("d", "c"), ("c", "e"), ("c", "f"))
CLOSED = {("a", "d"), ("c", "e")}


def operator() -> str:
    """The operator, from perturbed genes to the effect; what v3 adds is dashed."""
    boxes = [
        Box(24, 62, 210, "perturbed genes", ("a set, as a 0/1 mask", "one gene, or several")),
        Box(530, 62, 206, "what arrives", ("p = Σ w(z) Σ gate · Aᵏ mask", "h = tanh(MLP(pE) + pE)")),
        Box(792, 62, 224, "mixed operator", ("μ = Σ α(z) B h", "B: low rank, a few of them")),
        Box(24, 320, 210, "control state", ("mean of control cells", "in this context"), "yours"),
        Box(300, 320, 182, "encoder", ("z: what kind of cell", "this is"), "yours"),
        Box(
            792, 320, 224, "effect of each gene", ("mean = start + shift + μ", "variance, never below noise")
        ),
    ]
    flow = [
        arrow((234, 102), (282, 102)), arrow((482, 102), (526, 102)), arrow((736, 102), (788, 102)),
        arrow((904, 142), (904, 316)),
    ]  # fmt: skip
    state = [
        _state((234, 360), (296, 360)),
        _state((391, 320), (391, 196)),
        _state((482, 345), (690, 345), (690, 252), (852, 252), (852, 146)),
        _state((129, 320), (129, 146), later=True),
        _state((482, 378), (788, 378), later=True),
    ]
    words = [
        _word(391, 262, "trust in graphs: w(z)"),
        _word(770, 240, "which operator: α(z)"),
        _word(129, 236, "v3: a silent gene"),
        _word(129, 254, "is hard to silence"),
        _word(637, 399, "v3: own expression gates the answer"),
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"',
            '  aria-label="CGIO: the set of perturbed genes is carried over gene graphs whose edges are gated; what arrives',
            "  is mapped to an effect by a mixture of low-rank operators, which the control state chooses. In v3 the control",
            '  expression also gates the perturbed genes and the answers.">',
            f"<style>{STYLE}{MORE}</style>",
            _marker("head"),
            _marker("head2"),
            f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}" rx="12"/>',
            '<text class="lane" x="24" y="38">WHAT WAS DONE</text>',
            '<text class="lane" x="24" y="434">WHERE IT WAS DONE</text>',
            '<rect class="box" x="286" y="56" width="196" height="136" rx="9"/>',
            *_graph(),
            '<text class="line" x="384" y="180" text-anchor="middle">gated hops over graphs</text>',
            *(box.svg() for box in boxes),
            *flow,
            *state,
            *words,
            "</svg>\n",
        ]
    )


def _graph() -> list[str]:
    lines = [
        f'<line class="edge{" weak" if pair in CLOSED else ""}" x1="{NODES[pair[0]][0]}" y1="{NODES[pair[0]][1]}"'
        f' x2="{NODES[pair[1]][0]}" y2="{NODES[pair[1]][1]}"/>'
        for pair in EDGES
    ]
    return lines + [
        f'<circle class="node{" hit" if name == "a" else ""}" cx="{x}" cy="{y}" r="9"/>'
        for name, (x, y) in NODES.items()
    ]


def _state(*points: tuple[int, int], later: bool = False) -> str:
    path = " L".join(f"{x} {y}" for x, y in points)
    return f'<path class="arrow state{" later" if later else ""}" d="M{path}"/>'


def _word(x: int, y: int, text: str) -> str:
    width = round(6.4 * len(text)) + 12
    return (
        f'<rect class="ground" x="{x - width // 2}" y="{y - 14}" width="{width}" height="19"/>'
        f'<text class="line" x="{x}" y="{y}" text-anchor="middle">{text}</text>'
    )


def _marker(name: str) -> str:
    return (
        f'<defs><marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path class="{name}" d="M0 0 L10 5 L0 10 z"/></marker></defs>'
    )
