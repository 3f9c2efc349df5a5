"""Memory is kept from one step to the next, unless that is switched off."""

import os
import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import lamina, numpy as np
layers = lamina.layers
model = lamina.Sequential([lamina.Input((64, 64, 8)), layers.Conv2D(32, 3), layers.ReLU(), layers.Flatten()])
x = np.zeros((32, 64, 64, 8), "float32")
taken = []
for _ in range(12):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    model.predict(x, verbose=0)
    taken.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(min(taken))
"""


def pages_of_a_step(**environment):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other systems keep memory in their own ways")
def test_steps_use_the_same_memory_again():
    assert pages_of_a_step() < pages_of_a_step(LAMINA_KEEP_MEMORY="0") / 4
