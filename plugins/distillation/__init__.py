"""Sets that a teacher's knowledge is distilled into."""
