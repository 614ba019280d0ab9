"""Dataset + split → a task folder without answers, and the sealed truth that stays here."""
