"""PyTorch as in `torch_modules`, through ``torch.compile``."""

from benchmarks.peers import torch_modules


class Model(torch_modules.Model):
    """See `benchmarks.peers`."""

    compiled = True
