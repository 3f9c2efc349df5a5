"""Repairs for shape errors: each was traced and fits before it is offered, in the user's own names.

A `ShapeError` is raised where shapes clash; where it leaves a layer call, or the data that meets a model, the
modules here look for repairs and attach them to the error.
"""

from __future__ import annotations
