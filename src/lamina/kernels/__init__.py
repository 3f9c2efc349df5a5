"""Computations written anew where the plain formulation is slow on some platform.

Each has a plain reference beside it, which gives the same values and gradients; ``LAMINA_KERNELS=reference`` uses the
references everywhere.
"""
