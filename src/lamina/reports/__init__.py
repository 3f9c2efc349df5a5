"""Reports for people: the four forms of a model's shapes, and the cards of the layers."""

from __future__ import annotations

from lamina.reports.explain import Card, explain
from lamina.reports.forms import Forms, forms

__all__ = ["Card", "Forms", "explain", "forms"]
