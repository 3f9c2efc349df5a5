"""Warnings that point at the user's line."""

from __future__ import annotations

import warnings

from lamina.shapes.errors import call_site


def warn(message: str) -> None:
    """Give a warning at the user's line."""
    site = call_site()
    if site is None:
        warnings.warn(message, stacklevel=2)
    else:
        warnings.warn_explicit(message, UserWarning, site.file, site.line)
