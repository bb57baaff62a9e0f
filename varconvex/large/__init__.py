"""Segmentation of images that lie on disk, larger than memory, with one certified gap for the whole."""
