"""Runs: from a request to its record."""
