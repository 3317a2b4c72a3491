"""Completion of what is typed in a shell. Imports next to nothing: it answers while a key is held."""
