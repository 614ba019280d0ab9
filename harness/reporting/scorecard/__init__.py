"""The page of one run: what it shows, the sentence of its verdict, and its three files."""
