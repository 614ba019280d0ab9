"""Draw the pipeline as an SVG for the README. `make docs` runs it; a test proves the committed drawing current."""

from __future__ import annotations

from typing import NamedTuple

WIDTH, HEIGHT = 1040, 372
WALL_X = 716
STYLE = """
  text { font-family: system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1b2430; }
  .name { font-size: 17px; font-weight: 600; } .line { font-size: 13px; fill: #4a5665; }
  .lane { font-size: 13px; letter-spacing: .08em; fill: #4a5665; }
  .box { fill: #f4f7fb; stroke: #2f6690; stroke-width: 1.6; }
  .yours { fill: #fff6e9; stroke: #b45f06; }
  .sealed { fill: #eef1f4; stroke: #4a5665; stroke-dasharray: 5 4; }
  .arrow { stroke: #2f6690; stroke-width: 2; fill: none; marker-end: url(#head); }
  .head { fill: #2f6690; } .wall { stroke: #b45f06; stroke-width: 3; stroke-dasharray: 2 7; stroke-linecap: round; }
  .ground { fill: #ffffff; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e8edf3; } .line, .lane { fill: #aab6c3; } .ground { fill: #10161d; }
    .box { fill: #17222d; stroke: #7fb2d9; } .yours { fill: #2a2013; stroke: #e0a04d; }
    .sealed { fill: #1a2027; stroke: #aab6c3; } .arrow { stroke: #7fb2d9; } .head { fill: #7fb2d9; } .wall { stroke: #e0a04d; }
  }
"""


class Box(NamedTuple):
    """A station of the pipeline."""

    x: int
    y: int
    width: int
    name: str
    lines: tuple[str, ...]
    kind: str = "box"

    @property
    def height(self) -> int:
        return 44 + 18 * len(self.lines)

    def svg(self) -> str:
        middle = self.x + self.width // 2
        rows = [f'<text class="name" x="{middle}" y="{self.y + 27}" text-anchor="middle">{self.name}</text>']
        rows += [
            f'<text class="line" x="{middle}" y="{self.y + 48 + 18 * i}" text-anchor="middle">{line}</text>'
            for i, line in enumerate(self.lines)
        ]
        frame = f'<rect class="box {self.kind}" x="{self.x}" y="{self.y}" width="{self.width}" height="{self.height}" rx="9"/>'
        return "\n".join([frame, *rows])


def arrow(*points: tuple[int, int]) -> str:
    """A line through points, with a head at its end."""
    path = " L".join(f"{x} {y}" for x, y in points)
    return f'<path class="arrow" d="M{path}"/>'


def pipeline() -> str:
    """The pipeline from dataset to scored run, with the wall between harness and submission."""
    boxes = [
        Box(24, 62, 190, "dataset", ("cells × genes, hash-locked", "three control pools")),
        Box(258, 62, 182, "frozen split", ("roles, leak-checked", "named by its own hash")),
        Box(484, 62, 196, "task folder", ("training cells, controls", "no answers")),
        Box(752, 62, 264, "your submission", ("a Python module, any program,", "or a container"), "yours"),
        Box(24, 252, 190, "scorecard", ("sealed and verifiable,", "and a line on the board")),
        Box(258, 252, 182, "scorer", ("one path for models", "and baselines alike")),
        Box(484, 186, 196, "sealed truth", ("never crosses the wall",), "sealed"),
        Box(752, 252, 264, "predictions.npz", ("mean, var, idx:", "checked before it is read"), "yours"),
    ]
    arrows = [
        arrow((214, 102), (254, 102)),
        arrow((440, 102), (480, 102)),
        arrow((680, 102), (748, 102)),
        arrow((884, 142), (884, 248)),
        arrow((752, 308), (444, 308)),
        arrow((582, 142), (582, 182)),
        arrow((484, 222), (349, 222), (349, 248)),
        arrow((258, 292), (218, 292)),
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"',
            '  aria-label="The harness turns a dataset and a frozen split into a task folder without answers; a submission turns',
            '  it into predictions.npz; the scorer compares them with sealed truth that never crosses the wall.">',
            f"<style>{STYLE}</style>",
            '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">',
            '<path class="head" d="M0 0 L10 5 L0 10 z"/></marker></defs>',
            f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}" rx="12"/>',
            '<text class="lane" x="24" y="38">THE HARNESS</text>',
            '<text class="lane" x="752" y="38">YOUR SIDE OF THE WALL</text>',
            f'<line class="wall" x1="{WALL_X}" y1="24" x2="{WALL_X}" y2="{HEIGHT - 24}"/>',
            *(box.svg() for box in boxes),
            *arrows,
            "</svg>\n",
        ]
    )
