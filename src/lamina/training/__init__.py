"""Training: data in, one compiled step, the loops over it, callbacks."""
