"""Sets that hold nothing to learn, or the wrong thing: what accuracy is left comes from elsewhere."""
