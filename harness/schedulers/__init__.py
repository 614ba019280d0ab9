"""From a submission and a task to a scored run, and from one run to many."""
