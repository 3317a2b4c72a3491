"""Baselines that every table needs."""
