"""Fixtures for files that should do no harm."""

from watching import watched

__all__ = ["watched"]
