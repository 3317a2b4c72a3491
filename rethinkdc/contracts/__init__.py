"""The kinds of method and the hooks."""
