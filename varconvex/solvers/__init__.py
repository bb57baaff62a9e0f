"""Solvers that know an energy by its protocol only."""
