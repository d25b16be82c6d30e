"""Files of images as arrays."""
