"""Formats of files: one module a family, each with `NAME`, `matches` and `source`."""
