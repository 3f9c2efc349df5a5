"""The helpers of this folder can be imported by its tests; an error inside the advice is not hidden from them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lamina.advice import layer_call

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _loud(monkeypatch):
    monkeypatch.setattr(layer_call, "FORGIVING", False)
