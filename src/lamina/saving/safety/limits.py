"""Bounds that hold for files from anyone. Each is far above what real models need and far below what does harm."""

from __future__ import annotations

import dataclasses

MB = 2**20

# Archives
MEMBERS = 20_000  # files in a .keras archive: real ones have three, and a few for each lookup layer
DIRECTORY_BYTES = 16 * MB  # the zip's list of members, which is read as a whole
NAME_LENGTH = 512  # of a member's, group's, dataset's or layer's name
MEMBER_DEPTH = 64  # folders inside folders; layers nested in layers have one each
RATIO = 50  # unpacked bytes for each byte stored: float weights reach 2, sparse ones 20, text 30
FREE_BYTES = 64 * MB  # what may be unpacked whatever the ratio, so that small files of zeros open

# Configurations
CONFIG_BYTES = 32 * MB  # a config.json; vocabularies of a million words fit
BRACKETS = 2_000_000  # lists and dictionaries in it: each takes 60 bytes and more of memory
CONFIG_VALUES = 8_000_000  # entries of any sort
CONFIG_DEPTH = 200  # nesting; a model inside a model takes about 8
STRING_LENGTH = 16 * MB  # one string
VOCABULARY_LINES = 4_000_000  # in all vocabularies among the assets: each word takes 250 bytes in tables
OBJECTS = 100_000  # layers, initializers and other objects in one file: 10,000 layers
WHOLE_NUMBER = 2**31 - 1  # a size, count or index; XLA's own limits begin here
#: Numbers of which lists are made, and lists of which each entry is computed at every step.
ENTRIES = {"num_thresholds": 10**6, "num_bins": 10**6, "num_oov_indices": 10**6, "output_size": 2**14}
LISTS = {"cells": 1000}
AXES = 64  # numpy's bound on axes
SEED = 2**64  # seeds may use every bit

# Memory taken by a configuration, for a file with fewer bytes of weights than it asks for
WEIGHT_RATIO = 8  # bytes in memory for each byte present: the state of an optimizer is up to 4 times the weights
FREE_WEIGHT_BYTES = 64 * MB  # files without weights may make this much, and small ones too
CONFIG_WEIGHT_BYTES = 2**30  # a configuration on its own (model_from_json) may make this much
TENSOR_VALUES = 2**40  # values of one symbolic tensor of known sizes

# Values of weights in their place in the file
ALLOCATION = 16 * MB  # read at a time


@dataclasses.dataclass(frozen=True)
class Hdf5Limits:
    """Bounds for the walk through an HDF5 file; sent to the process that walks."""

    objects: int = 200_000  # groups and datasets
    depth: int = 256  # groups inside groups
    name_length: int = NAME_LENGTH
    links: int = 100_000  # members of one group
    attributes: int = 1_000  # of one object
    attribute_bytes: int = 32 * MB  # of one value: whole configurations are kept in attributes
    description_bytes: int = 128 * MB  # of all attributes and names together
    rank: int = 16
    chunk_bytes: int = 64 * MB  # unpacked
    string_bytes: int = 64 * MB  # of a dataset of strings
    ratio: int = RATIO
    free_bytes: int = FREE_BYTES
    inline_bytes: int = 64 * 2**10  # values of compact datasets travel with the description
    piece_bytes: int = ALLOCATION


MEMORY_BYTES = 1024 * MB  # address space of the process that walks
WALK_SECONDS = 3.0  # of computing, for the smallest file; real ones take milliseconds
WALK_SECONDS_PER_MB = 0.05  # and for each MB of it
READ_SECONDS_PER_MB = 0.2  # of packed values
CLOCK_FACTOR = 8.0  # by the clock it may take longer: other programs run, disks are slow
