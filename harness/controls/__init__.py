"""Controls: predictions made by rule, scored by the path that scores a submission, once per task."""
