"""Linear algebra on matrices in the last two axes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy import linalg as solvers

from lamina.core import checks
from lamina.core.symbolic import op
from lamina.ops.arrays import axes_tuple, common, floats
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError

__all__ = [
    "cholesky", "cholesky_inverse", "det", "eig", "eigh", "inv", "logdet", "lstsq", "lu_factor", "matrix_rank",
    "norm", "pinv", "qr", "slogdet", "solve", "solve_triangular", "svd",
]  # fmt: skip


def _matrix(x: Any, name: str, square: bool = False) -> jax.Array:
    x = floats(x)
    sizes = x.shape[-2:]
    uneven = square and x.ndim >= 2 and all(dims.is_known(s) for s in sizes) and sizes[0] != sizes[1]
    if x.ndim < 2 or uneven:
        raise ShapeError(
            f"`{name}` takes {'square matrices' if square else 'matrices'} in the last two axes",
            expected="(..., n, n)" if square else "(..., m, n)",
            received=dims.show_shape(x.shape),
        )
    return x


@op
def cholesky(x: Any, upper: bool = False) -> jax.Array:
    """The lower (or upper) triangular factor of positive definite matrices.

    Raises:
        ValueError: a matrix (whose values are known) is not positive definite.
    """
    factor = jnp.linalg.cholesky(_matrix(x, "cholesky", True), upper=upper)
    if not isinstance(factor, jax.core.Tracer) and bool(jnp.any(jnp.isnan(factor))):
        raise ValueError("`cholesky`: the matrix is not positive definite")
    return factor


@op
def cholesky_inverse(x: Any, upper: bool = False) -> jax.Array:
    """The inverse of the matrices whose triangular (lower, or `upper`) factors are `x`."""
    factor = _matrix(x, "cholesky_inverse", True)
    unit = jnp.broadcast_to(jnp.eye(factor.shape[-1], dtype=factor.dtype), factor.shape)
    inverse = solvers.solve_triangular(factor, unit, lower=not upper)
    other = jnp.swapaxes(inverse, -1, -2)
    return inverse @ other if upper else other @ inverse


@op
def det(x: Any) -> jax.Array:
    """The determinant."""
    return jnp.linalg.det(_matrix(x, "det", True))


@op
def slogdet(x: Any) -> tuple[jax.Array, jax.Array]:
    """The sign of the determinant, and the logarithm of its absolute value."""
    sign, logarithm = jnp.linalg.slogdet(_matrix(x, "slogdet", True))
    return sign, logarithm


@op
def logdet(x: Any) -> jax.Array:
    """The logarithm of the determinant of positive definite matrices."""
    return jnp.linalg.slogdet(_matrix(x, "logdet", True))[1]


@op
def eig(x: Any) -> tuple[jax.Array, jax.Array]:
    """Eigenvalues and eigenvectors (columns) of square matrices; on the CPU only."""
    values, vectors = jnp.linalg.eig(_matrix(x, "eig", True))
    return values, vectors


@op
def eigh(x: Any) -> tuple[jax.Array, jax.Array]:
    """Eigenvalues (rising) and eigenvectors (columns) of symmetric or Hermitian matrices."""
    values, vectors = jnp.linalg.eigh(_matrix(x, "eigh", True))
    return values, vectors


@op
def inv(x: Any) -> jax.Array:
    """The inverse of square matrices."""
    return jnp.linalg.inv(_matrix(x, "inv", True))


@op
def pinv(x: Any, rcond: Any = None) -> jax.Array:
    """The pseudo-inverse (Moore and Penrose); singular values below `rcond` times the greatest count as 0."""
    return jnp.linalg.pinv(_matrix(x, "pinv"), rtol=rcond)


@op
def matrix_rank(x: Any, tol: Any = None) -> jax.Array:
    """The number of singular values above `tol`."""
    x = _matrix(x, "matrix_rank")
    if tol is None:
        return jnp.linalg.matrix_rank(x).astype("int32")
    return jnp.sum(jnp.linalg.svd(x, compute_uv=False) > tol, axis=-1).astype("int32")


@op
def lu_factor(x: Any) -> tuple[jax.Array, jax.Array]:
    """The triangular factors of matrices, both in one matrix, and the pivots."""
    return solvers.lu_factor(_matrix(x, "lu_factor"))


@op
def qr(x: Any, mode: str = "reduced") -> tuple[jax.Array, jax.Array]:
    """The orthogonal and the upper triangular factor; `mode` is ``"reduced"`` or ``"complete"``."""
    checks.one_of("mode", mode, ("reduced", "complete"))
    q, r = jnp.linalg.qr(_matrix(x, "qr"), mode=mode)
    return q, r


@op
def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """Singular value decomposition: ``u, s, vh``, or `s` alone where `compute_uv` is false."""
    x = _matrix(x, "svd")
    if not compute_uv:
        return jnp.linalg.svd(x, compute_uv=False)
    u, s, vh = jnp.linalg.svd(x, full_matrices=full_matrices)
    return u, s, vh


def _vector_or_matrix(a: jax.Array, b: jax.Array, name: str) -> bool:
    """Whether `b` holds vectors (one axis less than `a`)."""
    if b.ndim not in (a.ndim - 1, a.ndim) or b.shape[-1 if b.ndim < a.ndim else -2] != a.shape[-2]:
        raise ShapeError(
            f"`{name}`: the right side does not fit the matrices",
            expected=f"(..., {dims.show(a.shape[-2])}) or (..., {dims.show(a.shape[-2])}, n)",
            received=dims.show_shape(b.shape),
        )
    return b.ndim < a.ndim


@op
def solve(a: Any, b: Any) -> jax.Array:
    """The `x` with ``a @ x = b``, for one vector or several in columns."""
    a, b = common(_matrix(a, "solve", True), floats(b))
    return jnp.linalg.solve(a, b[..., None])[..., 0] if _vector_or_matrix(a, b, "solve") else jnp.linalg.solve(a, b)


@op
def solve_triangular(a: Any, b: Any, lower: bool = False) -> jax.Array:
    """The `x` with ``a @ x = b`` for upper (or `lower`) triangular matrices."""
    a, b = common(_matrix(a, "solve_triangular", True), floats(b))
    if _vector_or_matrix(a, b, "solve_triangular"):
        return solvers.solve_triangular(a, b[..., None], lower=lower)[..., 0]
    return solvers.solve_triangular(a, b, lower=lower)


@op
def lstsq(a: Any, b: Any, rcond: Any = None) -> jax.Array:
    """The `x` that makes the square of ``a @ x - b`` least."""
    a, b = common(_matrix(a, "lstsq"), floats(b))
    return jnp.linalg.lstsq(a, b, rcond=rcond)[0]


@op
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> jax.Array:
    """The norm of vectors (one axis) or matrices (two axes); of all elements by default.

    Args:
        x: a tensor.
        ord: ``None`` (Euclidean), ``"fro"``, ``"nuc"``, a number or infinity, as numpy's.
        axis: one axis or two; ``None`` for all.
        keepdims: keep the axes with size 1.
    """
    x = floats(x)
    axes = axes_tuple(axis, x.ndim)
    if axes is None and ord is None:
        return jnp.sqrt(jnp.sum(jnp.square(jnp.abs(x)), keepdims=keepdims))
    along = axes[0] if axes is not None and len(axes) == 1 else axes
    return jnp.linalg.norm(x, ord=ord, axis=along, keepdims=keepdims)
