"""What is measured on a compressed set."""
