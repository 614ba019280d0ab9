"""How one submission is run on one task folder."""
