"""Datasets read once and written so that any row is read at once."""
