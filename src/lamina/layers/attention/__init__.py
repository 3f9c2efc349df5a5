"""Attention: every place of a sequence looks at the places of another and takes what it needs."""

from __future__ import annotations

from lamina.layers.attention.grouped import GroupQueryAttention
from lamina.layers.attention.heads import MultiHeadAttention
from lamina.layers.attention.plain import AdditiveAttention, Attention

__all__ = ["AdditiveAttention", "Attention", "GroupQueryAttention", "MultiHeadAttention"]
