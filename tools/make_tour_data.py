"""Make the data files of `lamina tour` from scikit-learn and statsmodels: python tools/make_tour_data.py."""

from pathlib import Path

import numpy as np
import statsmodels.api as sm
from sklearn.datasets import load_breast_cancer, load_digits

FOLDER = Path(__file__).parents[1] / "src" / "lamina" / "tour" / "data"


def main():
    """Write the files."""
    digits = load_digits()
    np.savez_compressed(FOLDER / "digits.npz", x=digits.images.astype("uint8"), y=digits.target.astype("uint8"))
    cells = load_breast_cancer()
    np.savez_compressed(FOLDER / "cells.npz", x=cells.data.astype("float32"), y=cells.target.astype("uint8"))
    sunspots = sm.datasets.sunspots.load_pandas().data
    np.savez_compressed(
        FOLDER / "sunspots.npz",
        year=sunspots["YEAR"].to_numpy("int16"),
        number=sunspots["SUNACTIVITY"].to_numpy("float32"),
    )


if __name__ == "__main__":
    main()
