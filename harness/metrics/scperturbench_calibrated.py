"""The calibrated twins of scPerturBench's panel, gathered: what one condition scores as cells and as effects."""

from __future__ import annotations

from harness.metrics import cell_distances, de_agreement, effect_error, spread_divergence
from harness.metrics.card import Undefined, Value
from harness.metrics.cell_distances import Anchors
from harness.metrics.de_agreement import ObservedCalls
from harness.metrics.inputs import CalibratedCells, ConditionEffects
from harness.metrics.moments import Moments

EFFECT_NAMES = effect_error.NAMES
CELL_NAMES = (*cell_distances.NAMES, *spread_divergence.NAMES, *de_agreement.NAMES)
NAMES = (*EFFECT_NAMES, *CELL_NAMES)


def effect_values(effects: ConditionEffects) -> dict[str, Value]:
    """The values that need effects only, of one condition against one reference."""
    return effect_error.condition_values(effects)


def cell_values(
    cells: CalibratedCells,
    effects: ConditionEffects,
    anchors: Anchors | None = None,
    *,
    moments: tuple[Moments, Moments] | None = None,
    calls: ObservedCalls | Undefined | None = None,
) -> dict[str, Value]:
    """The values that need cells, of one condition.

    Anchors, moments of observed and predicted cells, and observed calls spare what was computed already.
    """
    return {
        **cell_distances.condition_values(cells, anchors),
        **spread_divergence.condition_values(cells, moments),
        **de_agreement.condition_values(cells, effects.predicted, calls),
    }


def condition_values(
    effects: ConditionEffects, cells: CalibratedCells, anchors: Anchors | None = None
) -> dict[str, Value]:
    """Every value of one condition."""
    return effect_values(effects) | cell_values(cells, effects, anchors)
