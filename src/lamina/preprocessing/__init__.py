"""Turning raw data into arrays."""

from __future__ import annotations

from lamina.preprocessing import sequence

__all__ = ["sequence"]
