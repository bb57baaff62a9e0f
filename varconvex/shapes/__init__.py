"""Implicit shapes {x : G(x) <= 0}: one file a shape."""
