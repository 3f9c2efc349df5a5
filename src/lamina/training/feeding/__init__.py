"""From the user's data, whatever it is, to batches: arrays are cut, streams are read ahead on a thread."""

from __future__ import annotations

from lamina.training.feeding.arrays import ArrayFeed, validation_split
from lamina.training.feeding.datasets import PyDataset
from lamina.training.feeding.feed import Batch, Feed, make_feed
from lamina.training.feeding.streams import StreamFeed

__all__ = ["ArrayFeed", "Batch", "Feed", "PyDataset", "StreamFeed", "make_feed", "validation_split"]
