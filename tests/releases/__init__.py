"""Releases read from real commits and real folders."""
