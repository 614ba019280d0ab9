"""Pages that people open: the scorecard of a run, comparisons, the atlas of a task, the board."""
