"""Comparisons that back the choices of a release."""
