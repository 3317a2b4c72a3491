"""Scores of training images, and selection by them."""
