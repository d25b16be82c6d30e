"""Labelled images that networks are trained on: one file for each data set."""

from archpredict.images.base import Images, ImageSet, Split, load_images

__all__ = ["ImageSet", "Images", "Split", "load_images"]
