"""Studies: which runs a question needs, and the sweep that makes them."""
