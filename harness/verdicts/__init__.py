"""What numbers are worth: passports of metrics, gates of a run, comparisons, claims."""
