"""Operations on tensors, with Keras's names, arguments and data types.

Each takes arrays, variables, numbers and lists, and symbolic tensors, of which it records what is to be computed.
"""

from __future__ import annotations

from lamina.ops import image as image
from lamina.ops import linalg as linalg
from lamina.ops import nn as nn
from lamina.ops import numpy as numpy
from lamina.ops.core import *  # noqa: F403
from lamina.ops.linalg import *  # noqa: F403
from lamina.ops.math import *  # noqa: F403
from lamina.ops.nn import *  # noqa: F403
from lamina.ops.numpy import *  # noqa: F403
from lamina.ops.patches import *  # noqa: F403
