"""Questions that a few runs answer: where an accuracy comes from, what is better, how many sets a difference needs."""
