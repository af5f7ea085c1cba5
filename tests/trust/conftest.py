"""Fixtures of the trust tests."""

from tests.trust.workshop import workshop

__all__ = ["workshop"]
