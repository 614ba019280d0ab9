"""What one run can see, do and use up on this machine, and who holds it to that."""
