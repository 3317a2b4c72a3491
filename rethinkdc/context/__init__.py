"""What stands behind a context: artefacts, cache, parts and books."""
