"""Operations on tensors, with Keras's names, arguments and data types.

Each takes arrays, variables, numbers and lists, and symbolic tensors, of which it records what is to be computed.
"""

from __future__ import annotations

from lamina.ops import nn, numpy
from lamina.ops.core import *  # noqa: F403
from lamina.ops.nn import *  # noqa: F403
from lamina.ops.numpy import *  # noqa: F403
