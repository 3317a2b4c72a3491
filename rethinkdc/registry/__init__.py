"""The installed plugins: found, spelled, described."""
