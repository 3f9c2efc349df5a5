"""The helpers of this folder can be imported by its tests; an error inside the advice is not hidden from them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _loud(monkeypatch):
    monkeypatch.setenv("LAMINA_ADVICE_DEBUG", "1")
