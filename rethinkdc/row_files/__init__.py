"""Scores and lists of rows from files: what their columns mean, and whose rows they number."""
