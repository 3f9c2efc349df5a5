"""Operations on each element, of one tensor or of two that broadcast."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.symbolic import op
from lamina.ops.arrays import array, binary, check_broadcast, common, floats, operands, unary

__all__ = [
    "abs",
    "absolute",
    "add",
    "allclose",
    "angle",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "cbrt",
    "ceil",
    "clip",
    "conj",
    "conjugate",
    "cos",
    "cosh",
    "deg2rad",
    "divide",
    "divide_no_nan",
    "equal",
    "exp",
    "exp2",
    "expm1",
    "fabs",
    "floor",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "gcd",
    "greater",
    "greater_equal",
    "heaviside",
    "hypot",
    "i0",
    "imag",
    "isclose",
    "isfinite",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "isreal",
    "lcm",
    "ldexp",
    "left_shift",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logaddexp2",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "mod",
    "multiply",
    "nan_to_num",
    "negative",
    "nextafter",
    "not_equal",
    "polar",
    "power",
    "rad2deg",
    "real",
    "reciprocal",
    "right_shift",
    "round",
    "sign",
    "signbit",
    "sin",
    "sinc",
    "sinh",
    "size",
    "sqrt",
    "square",
    "subtract",
    "tan",
    "tanh",
    "true_divide",
    "trunc",
]  # fmt: skip


def _not_bool(x: Any) -> jax.Array:
    x = array(x)
    return x.astype("int32") if x.dtype == bool else x


def _strict(*xs: Any) -> list[jax.Array]:
    return [floats(x) for x in common(*(array(x) for x in xs))]


def _float_pair(*xs: Any) -> list[jax.Array]:
    return [floats(x) for x in common(*xs)]


def _whole_pair(*xs: Any) -> list[jax.Array]:
    pair = common(*xs)
    return [x.astype("int32") for x in pair] if pair[0].dtype == bool else pair


absolute = unary("absolute", jnp.abs, "Absolute value.")
abs = unary("abs", jnp.abs, "Absolute value, like `absolute`.")
angle = unary("angle", jnp.angle, "Angle of a complex number in radians.", floats)
arccos = unary("arccos", jnp.arccos, "Inverse cosine, in radians.", floats)
arccosh = unary("arccosh", jnp.arccosh, "Inverse hyperbolic cosine.", floats)
arcsin = unary("arcsin", jnp.arcsin, "Inverse sine, in radians.", floats)
arcsinh = unary("arcsinh", jnp.arcsinh, "Inverse hyperbolic sine.", floats)
arctan = unary("arctan", jnp.arctan, "Inverse tangent, in radians.", floats)
arctanh = unary("arctanh", jnp.arctanh, "Inverse hyperbolic tangent.", floats)
bitwise_invert = unary("bitwise_invert", jnp.invert, "Each bit turned over.")
bitwise_not = unary("bitwise_not", jnp.invert, "Each bit turned over, like `bitwise_invert`.")
cbrt = unary("cbrt", jnp.cbrt, "Cube root.", floats)
ceil = unary("ceil", jnp.ceil, "The next whole number that is not smaller.", floats)
conj = unary("conj", jnp.conj, "Complex conjugate, like `conjugate`.")
conjugate = unary("conjugate", jnp.conj, "Complex conjugate.")
cos = unary("cos", jnp.cos, "Cosine of an angle in radians.", floats)
cosh = unary("cosh", jnp.cosh, "Hyperbolic cosine.", floats)
deg2rad = unary("deg2rad", jnp.deg2rad, "Degrees as radians.", floats)
exp = unary("exp", jnp.exp, "The number e to the power of each element.", floats)
exp2 = unary("exp2", jnp.exp2, "Two to the power of each element.", floats)
expm1 = unary("expm1", jnp.expm1, "``exp(x) - 1``, exact for small `x`.", floats)
fabs = unary("fabs", jnp.fabs, "Absolute value, as a float.", floats)
floor = unary("floor", jnp.floor, "The next whole number that is not greater.", floats)
i0 = unary("i0", jnp.i0, "Modified Bessel function of the first kind, order 0.", floats)
imag = unary("imag", jnp.imag, "Imaginary part.")
isfinite = unary("isfinite", jnp.isfinite, "Whether each element is neither infinite nor NaN.")
isinf = unary("isinf", jnp.isinf, "Whether each element is infinite.")
isnan = unary("isnan", jnp.isnan, "Whether each element is NaN.")
isneginf = unary("isneginf", lambda x: x == -jnp.inf, "Whether each element is negative infinity.", floats)
isposinf = unary("isposinf", lambda x: x == jnp.inf, "Whether each element is positive infinity.", floats)
isreal = unary("isreal", jnp.isreal, "Whether each element has no imaginary part.")
log = unary("log", jnp.log, "Natural logarithm.", floats)
log10 = unary("log10", jnp.log10, "Logarithm to the base 10.", floats)
log1p = unary("log1p", jnp.log1p, "``log(1 + x)``, exact for small `x`.", floats)
log2 = unary("log2", jnp.log2, "Logarithm to the base 2.", floats)
logical_not = unary("logical_not", jnp.logical_not, "Whether each element is false (zero).")
negative = unary("negative", jnp.negative, "Each element with its sign turned.")
rad2deg = unary("rad2deg", jnp.rad2deg, "Radians as degrees.", floats)
real = unary("real", jnp.real, "Real part.")
reciprocal = unary("reciprocal", jnp.reciprocal, "``1 / x``.", floats)
sign = unary("sign", jnp.sign, "-1, 0 or 1 for a negative, zero or positive element.")
signbit = unary("signbit", jnp.signbit, "Whether the sign bit is set.")
sin = unary("sin", jnp.sin, "Sine of an angle in radians.", floats)
sinc = unary("sinc", jnp.sinc, "``sin(pi x) / (pi x)``, 1 at zero.", floats)
sinh = unary("sinh", jnp.sinh, "Hyperbolic sine.", floats)
sqrt = unary("sqrt", jnp.sqrt, "Square root.", floats)
square = unary("square", jnp.square, "Each element times itself.", _not_bool)
tan = unary("tan", jnp.tan, "Tangent of an angle in radians.", floats)
tanh = unary("tanh", jnp.tanh, "Hyperbolic tangent.", floats)
trunc = unary("trunc", jnp.trunc, "Each element without its fraction.")

add = binary(
    "add",
    jnp.add,
    """Sum of two tensors, element by element.

    >>> import lamina
    >>> lamina.ops.add([1, 2], [[10], [20]]).tolist()
    [[11, 12], [21, 22]]
    """,
)
subtract = binary("subtract", jnp.subtract, "Difference of two tensors, element by element.")
multiply = binary("multiply", jnp.multiply, "Product of two tensors, element by element.")
divide = binary("divide", jnp.divide, "Quotient of two tensors, element by element.", _float_pair)
true_divide = binary("true_divide", jnp.divide, "Quotient of two tensors, like `divide`.", _float_pair)
floor_divide = binary("floor_divide", jnp.floor_divide, "Quotient rounded down.", _whole_pair)
mod = binary("mod", jnp.mod, "Remainder with the sign of the divisor.", _whole_pair)
fmod = binary("fmod", jnp.fmod, "Remainder with the sign of the dividend.", _whole_pair)
power = binary("power", jnp.power, "The first to the power of the second.", _whole_pair)
maximum = binary("maximum", jnp.maximum, "The greater of two elements; NaN if one is.")
minimum = binary("minimum", jnp.minimum, "The smaller of two elements; NaN if one is.")
fmax = binary("fmax", jnp.fmax, "The greater of two elements, the other one where one is NaN.")
fmin = binary("fmin", jnp.fmin, "The smaller of two elements, the other one where one is NaN.")
arctan2 = binary("arctan2", jnp.arctan2, "Angle of the point ``(x2, x1)``, in radians.", _strict)
hypot = binary("hypot", jnp.hypot, "Length of the hypotenuse over two legs.", _float_pair)
logaddexp = binary("logaddexp", jnp.logaddexp, "``log(exp(x1) + exp(x2))`` without overflow.", _strict)
logaddexp2 = binary("logaddexp2", jnp.logaddexp2, "``log2(2**x1 + 2**x2)`` without overflow.", _strict)
ldexp = binary("ldexp", jnp.ldexp, "``x1 * 2**x2``.")
nextafter = binary("nextafter", jnp.nextafter, "The next number after the first towards the second.", _float_pair)
heaviside = binary("heaviside", jnp.heaviside, "0 below zero, 1 above, and `x2` at zero.", _float_pair)
gcd = binary("gcd", jnp.gcd, "Greatest common divisor.", common)
lcm = binary("lcm", jnp.lcm, "Least common multiple.", common)
equal = binary("equal", jnp.equal, "Whether the elements are equal.")
not_equal = binary("not_equal", jnp.not_equal, "Whether the elements differ.")
greater = binary("greater", jnp.greater, "Whether the first is greater.")
greater_equal = binary("greater_equal", jnp.greater_equal, "Whether the first is greater or equal.")
less = binary("less", jnp.less, "Whether the first is smaller.")
less_equal = binary("less_equal", jnp.less_equal, "Whether the first is smaller or equal.")
logical_and = binary("logical_and", jnp.logical_and, "Whether both are true (not zero).")
logical_or = binary("logical_or", jnp.logical_or, "Whether one of both is true (not zero).")
logical_xor = binary("logical_xor", jnp.logical_xor, "Whether just one of both is true (not zero).")


@op
def bitwise_and(x: Any, y: Any) -> jax.Array:
    """The bits set in both."""
    return jnp.bitwise_and(*operands(x, y))


@op
def bitwise_or(x: Any, y: Any) -> jax.Array:
    """The bits set in one of both."""
    return jnp.bitwise_or(*operands(x, y))


@op
def bitwise_xor(x: Any, y: Any) -> jax.Array:
    """The bits set in just one of both."""
    return jnp.bitwise_xor(*operands(x, y))


@op
def bitwise_left_shift(x: Any, y: Any) -> jax.Array:
    """The bits moved `y` places to the left."""
    return jnp.left_shift(*_whole_pair(x, y))


@op
def bitwise_right_shift(x: Any, y: Any) -> jax.Array:
    """The bits moved `y` places to the right."""
    return jnp.right_shift(*_whole_pair(x, y))


@op
def left_shift(x: Any, y: Any) -> jax.Array:
    """The bits moved `y` places to the left, like `bitwise_left_shift`."""
    return jnp.left_shift(*_whole_pair(x, y))


@op
def right_shift(x: Any, y: Any) -> jax.Array:
    """The bits moved `y` places to the right, like `bitwise_right_shift`."""
    return jnp.right_shift(*_whole_pair(x, y))


@op
def divide_no_nan(x1: Any, x2: Any) -> jax.Array:
    """Quotient of two tensors, 0 where the divisor is 0."""
    a, b = _float_pair(x1, x2)
    check_broadcast("divide_no_nan", a, b)
    return jnp.where(b == 0, jnp.zeros_like(a), a / jnp.where(b == 0, jnp.ones_like(b), b))


@op
def clip(x: Any, x_min: Any, x_max: Any) -> jax.Array:
    """Each element, but not below `x_min` nor above `x_max`."""
    x, low, high = operands(_not_bool(x), x_min, x_max)
    dtype = jnp.result_type(x, low, high)
    return jnp.clip(x.astype(dtype), low, high)


@op
def round(x: Any, decimals: int = 0) -> jax.Array:
    """Each element rounded to `decimals` places."""
    x = array(x)
    if jnp.issubdtype(x.dtype, jnp.integer):
        return x if decimals >= 0 else jnp.round(x.astype("float32"), decimals).astype(x.dtype)
    return jnp.round(x, decimals)


@op
def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> jax.Array:
    """Each element, with numbers in place of NaN and the infinities (the largest of the type by default)."""
    return jnp.nan_to_num(array(x), nan=nan, posinf=posinf, neginf=neginf)


@op
def isclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> jax.Array:
    """Whether the elements are equal but for ``atol + rtol * abs(x2)``."""
    a, b = operands(x1, x2)
    check_broadcast("isclose", a, b)
    return jnp.isclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)


@op
def allclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> jax.Array:
    """Whether all elements are equal but for ``atol + rtol * abs(x2)``."""
    return jnp.all(isclose(x1, x2, rtol, atol, equal_nan))


@op
def polar(abs_: Any, angle: Any) -> jax.Array:
    """The complex number of that absolute value and angle (radians)."""
    radius, theta = _float_pair(abs_, angle)
    return jax.lax.complex(radius * jnp.cos(theta), radius * jnp.sin(theta))


def size(x: Any) -> Any:
    """Number of elements (``None`` for a symbolic tensor with open sizes)."""
    shape = x.shape if hasattr(x, "shape") else np.shape(x)
    return None if None in shape else int(np.prod(shape)) if all(isinstance(s, int) for s in shape) else array(x).size
