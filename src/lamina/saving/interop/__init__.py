"""Weights and states in the formats of other libraries."""
