"""Statistics of paired comparisons: pure functions on arrays; the unit is the condition, nested in its context."""
