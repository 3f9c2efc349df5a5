import os

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("LAMINA_COMPILATION_CACHE", "0")

from applying import pytest_addoption, pytest_pyfunc_call, pytest_terminal_summary  # noqa: F401
from noting import install

from lamina.advice import trying

install()
trying.LIMIT = 60  # advice is not cut short on a busy machine
