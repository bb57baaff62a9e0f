"""Collections of images with scribbles and ground truth."""
