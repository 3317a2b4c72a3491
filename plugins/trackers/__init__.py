"""Built-in trackers: they follow runs through their events."""
