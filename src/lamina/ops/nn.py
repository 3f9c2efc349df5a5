"""Operations of neural networks, as Keras has them: all of the families in one place."""

from __future__ import annotations

from lamina.ops.activations import *  # noqa: F403
from lamina.ops.convolution import *  # noqa: F403
from lamina.ops.neural import *  # noqa: F403
from lamina.ops.pooling import *  # noqa: F403
