"""Semantic checks: pure functions from the rows concerned to the list of all problems, never only the first."""
