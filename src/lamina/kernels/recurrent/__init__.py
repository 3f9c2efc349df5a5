"""Recurrent layers over whole sequences: LSTM, GRU and SimpleRNN, with gradients of their own."""

from lamina.kernels.recurrent.cells import GRU, LSTM, EarlyGRU, SimpleRNN
from lamina.kernels.recurrent.time import Way, Weights, over_time

__all__ = ["GRU", "LSTM", "EarlyGRU", "SimpleRNN", "Way", "Weights", "over_time"]
