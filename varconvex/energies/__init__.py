"""Variational energies: one file an energy."""
