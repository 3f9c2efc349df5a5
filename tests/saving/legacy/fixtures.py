"""The models of Keras 1 and 2 in `fixtures/keras2.zip`, and what they predict (see `tools/make_keras2_fixtures.py`)."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np

ARCHIVE = Path(__file__).parent.parent / "fixtures" / "keras2.zip"


def names(ending=".h5"):
    with zipfile.ZipFile(ARCHIVE) as archive:
        return sorted(name.removesuffix(ending) for name in archive.namelist() if name.endswith(ending))


def read(name):
    with zipfile.ZipFile(ARCHIVE) as archive:
        return archive.read(name)


def put(name, folder):
    path = Path(folder) / f"{name}.h5"
    path.write_bytes(read(f"{name}.h5"))
    return path


def arrays(name):
    return dict(np.load(io.BytesIO(read(name))))


def inputs_and_outputs(name):
    found = arrays(f"{name}.npz")
    return [[found[key] for key in sorted(found) if key.startswith(letter)] for letter in "xy"]


def predict(model, inputs):
    outputs = model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
    return outputs if isinstance(outputs, (list, tuple)) else [outputs]
