"""Memory is kept from one step to the next, unless that is switched off."""

import os
import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import lamina, numpy as np
model = lamina.Sequential([lamina.Input((16,)), lamina.layers.Dense(1024, "relu"), lamina.layers.Dense(1)])
model.compile("sgd", "mse")
n = int(sys.argv[1])
x = np.zeros((n, 16), "float32")
taken = [0]
note = lamina.callbacks.LambdaCallback(
    on_epoch_end=lambda *_: taken.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
)
model.fit(x, x[:, :1], batch_size=n, epochs=8, callbacks=[note], verbose=0)
print(min(np.diff(taken)))
"""


def pages_of_a_step(batch, **environment):
    command = [sys.executable, "-c", PROGRAM, str(batch)]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other systems keep memory in their own ways")
@pytest.mark.parametrize("batch", [10_000, 20_000])  # of 4 KB after the first layer: glibc has two ways about 64 MB
def test_steps_use_the_same_memory_again(batch):
    assert pages_of_a_step(batch) < pages_of_a_step(batch, LAMINA_KEEP_MEMORY="0") / 4
