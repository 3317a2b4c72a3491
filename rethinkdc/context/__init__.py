"""What stands behind a context: artefacts, cache, parts, ranks and books."""
