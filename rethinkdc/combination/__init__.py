"""Combination: several images on one canvas."""
