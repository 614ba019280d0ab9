"""Audits: a submission as a black box, run again and again on tasks that tell what it does."""
