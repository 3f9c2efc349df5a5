"""Time to build a model of 100 layers and 25 million parameters, weights ready, here and in Keras on JAX.

    python -m benchmarks.build [--rounds 5]

Both libraries build in one process, in turns. The first build of each is given apart, since it holds what either
compiles; the rest as medians. Needs the test extra, for Keras.
"""

import argparse
import importlib
import os
import statistics
import subprocess
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "jax")


def build(keras):
    """Functional: 32 convolutions with normalization and activation between dense layers at the end."""
    layers = keras.layers
    x = inputs = keras.Input((32, 32, 3))
    widths = [64] * 8 + [128] * 8 + [256] * 8 + [448] * 8
    for width in widths:
        x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(2048, activation="relu")(x)
    x = layers.Dense(1800, activation="relu")(x)
    model = keras.Model(inputs, layers.Dense(1000)(x))
    assert len(model.layers) >= 100
    return model


def timed(keras):
    keras.utils.clear_session()
    started = time.perf_counter()
    model = build(keras)
    for weight in model.weights:
        weight.value.block_until_ready()
    return time.perf_counter() - started, model.count_params(), len(model.layers)


def import_seconds(statement):
    code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    libraries = {name: importlib.import_module(name) for name in ("lamina", "keras")}
    seconds = {name: [] for name in libraries}
    for _ in range(rounds + 1):
        for name, library in libraries.items():
            took, parameters, layers = timed(library)
            seconds[name].append(took)
    print(f"{layers} layers, {parameters:,} parameters")
    for which, figures in (
        ("first build", {n: s[0] for n, s in seconds.items()}),
        (f"median of {rounds} more", {n: statistics.median(s[1:]) for n, s in seconds.items()}),
    ):
        ratio = figures["lamina"] / figures["keras"]
        print(f"{which}: lamina {figures['lamina']:.3f} s, keras {figures['keras']:.3f} s, ratio {ratio:.2f}")
    jax = statistics.median(import_seconds("import jax") for _ in range(rounds))
    both = statistics.median(import_seconds("import jax, lamina") for _ in range(rounds))
    used = statistics.median(import_seconds("import jax, lamina; lamina.layers, lamina.Model") for _ in range(rounds))
    print(f"import: jax {jax:.3f} s, with lamina {both - jax:+.3f} s, with its layers and models {used - jax:+.3f} s")


if __name__ == "__main__":
    main()
