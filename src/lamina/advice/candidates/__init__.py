"""Repairs to try, by kind of clash. Each function yields those that were traced and fit, best first."""

from __future__ import annotations
