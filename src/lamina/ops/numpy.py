"""Numpy's functions, as Keras has them: all of the families in one place."""

from __future__ import annotations

from lamina.ops.creation import *  # noqa: F403
from lamina.ops.elementwise import *  # noqa: F403
from lamina.ops.manipulation import *  # noqa: F403
from lamina.ops.products import *  # noqa: F403
from lamina.ops.reductions import *  # noqa: F403
from lamina.ops.selection import *  # noqa: F403
