"""Pictures as inline SVG: pure functions of numbers, each safe against hostile labels and empty input."""

from harness.reporting.figures.bullet import bullet
from harness.reporting.figures.coverage import ContextCoverage, coverage_by_context
from harness.reporting.figures.delta_scatter import delta_scatter
from harness.reporting.figures.error_by_novelty import Dot, error_by_novelty
from harness.reporting.figures.forest import Difference, forest
from harness.reporting.figures.heat_map import heat_map
from harness.reporting.figures.learning_curve import learning_curve
from harness.reporting.figures.rank_histogram import rank_histogram
from harness.reporting.figures.reliability import reliability
from harness.reporting.figures.risk_coverage import risk_coverage
from harness.reporting.figures.variance_ratio import variance_ratio

__all__ = [
    "ContextCoverage",
    "Difference",
    "Dot",
    "bullet",
    "coverage_by_context",
    "delta_scatter",
    "error_by_novelty",
    "forest",
    "heat_map",
    "learning_curve",
    "rank_histogram",
    "reliability",
    "risk_coverage",
    "variance_ratio",
]
