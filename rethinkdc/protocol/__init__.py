"""Protocols: the experiment as data, and the networks that it trains."""
