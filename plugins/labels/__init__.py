"""Labels for compressed sets."""
