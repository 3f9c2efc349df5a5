"""Recurrent layers: cells, the loop over time, and both directions at once."""

from __future__ import annotations

from lamina.layers.recurrent.lstm import LSTM, LSTMCell
from lamina.layers.recurrent.rnn import RNN
from lamina.layers.recurrent.stacked import StackedRNNCells

__all__ = ["LSTM", "RNN", "LSTMCell", "StackedRNNCells"]
