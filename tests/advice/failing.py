"""Calls that are to fail: the error about shapes that comes, and the code of the repairs that it offers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lamina.shapes.errors import ShapeError


def failed(function: Callable[[], Any]) -> ShapeError:
    """The error of a call, which names the caller's own line."""
    with pytest.raises(ShapeError) as caught:
        function()
    assert caught.value.call_site is not None
    assert caught.value.call_site.file == function.__code__.co_filename
    return caught.value


def codes(error: ShapeError) -> list[str]:
    """The code of each repair, the best first."""
    return [fix.code for fix in error.fixes]
