"""Tables and text, brought into the form of numbers: categories, bins, places in a vocabulary."""

from __future__ import annotations

from lamina.layers.tables.categories import CategoryEncoding, Discretization
from lamina.layers.tables.hashing import HashedCrossing, Hashing
from lamina.layers.tables.lookup import IntegerLookup, StringLookup
from lamina.layers.tables.text import TextVectorization

__all__ = [
    "CategoryEncoding",
    "Discretization",
    "HashedCrossing",
    "Hashing",
    "IntegerLookup",
    "StringLookup",
    "TextVectorization",
]
