"""Files that other programs wrote, read as arrays, tables and plain values, or refused."""
