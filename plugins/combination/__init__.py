"""Several training images to a canvas."""
