"""`EinsumDense`: weighted sums over any axes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

import jax.numpy as jnp

from lamina import activations, constraints, initializers, regularizers
from lamina.core import checks, registry
from lamina.layers.dense import refuse_adapters, without_adapters
from lamina.layers.layer import Layer
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError


@registry.register("layer")
class EinsumDense(Layer):
    """Weighted sums over any axes, written as an einsum.

    Args:
        equation: one input, the kernel and the output, such as ``"abc,cd->abd"``; ``...`` stands for any axes.
        output_shape: sizes of the output without its batch axis, ``None`` where it is the input's; one number for
            one axis.
        activation: what to apply to the sums; none by default.
        bias_axes: letters of the output's axes along which the bias differs, such as ``"d"``; no bias by default.
        kernel_initializer, bias_initializer: how kernel and bias are drawn.
        kernel_regularizer, bias_regularizer: losses of kernel and bias.
        kernel_constraint, bias_constraint: projections of kernel and bias after each update.
        lora_rank, lora_alpha, gptq_unpacked_column_size, quantization_config: must be ``None``.

    Shapes:
        As the equation says.

    Raises:
        ValueError: the equation cannot be read, or `bias_axes` names no axis of the output.
        ShapeError: input or `output_shape` do not fit the equation.

    Example:

    >>> import lamina
    >>> layer = lamina.layers.EinsumDense("abc,cde->abde", output_shape=(None, 4, 16), bias_axes="de")
    >>> layer(lamina.Input((20, 64))).shape
    (None, 20, 4, 16)
    >>> layer.kernel.shape
    (64, 4, 16)
    """

    shape_arguments: ClassVar[dict[str, str]] = {
        "equation": "which axes are summed over, kept and added",
        "output_shape": "the sizes of the axes that only the kernel and the output have",
    }
    common_mistakes = ("The equation has the batch axis (or ...), output_shape does not.",)
    example_input = (None, 20, 64)
    example_config: ClassVar[dict[str, Any]] = {"equation": "abc,cd->abd", "output_shape": (None, 32)}

    def __init__(
        self,
        equation: str,
        output_shape: int | Sequence[int | None],
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: None = None,
        lora_alpha: None = None,
        gptq_unpacked_column_size: None = None,
        quantization_config: None = None,
        **kwargs: Any,
    ):
        refuse_adapters(
            "EinsumDense",
            lora_rank=lora_rank,
            lora_alpha=lora_alpha,
            gptq_unpacked_column_size=gptq_unpacked_column_size,
            quantization_config=quantization_config,
        )
        super().__init__(**kwargs)
        self.equation = _checked_equation(equation)
        entries = (output_shape,) if checks.is_whole(output_shape) else tuple(output_shape)  # type: ignore[arg-type]
        self.partial_output_shape = tuple(n if n is None else checks.positive_int("output_shape", n) for n in entries)
        self.activation = activations.get(activation)
        self.bias_axes = bias_axes
        for axis in bias_axes or "":
            if axis not in self._letters()[2]:
                raise ValueError(f"`bias_axes`={bias_axes!r}: the output of {equation!r} has no axis {axis!r}")
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    @property
    def signature(self) -> str:  # type: ignore[override]
        """The equation's input and output, whose letters name the axes."""
        given, _, out = self._letters()
        return f"{' '.join(given)} -> {' '.join(out)}"

    @property
    def built_axes(self) -> tuple[str, ...]:  # type: ignore[override]
        """The input's axes that the kernel has as well."""
        given, kernel, _ = self._letters()
        return tuple(letter for letter in given if letter in kernel)

    def _letters(self) -> list[list[str]]:
        """The axes of input, kernel and output, each a letter or ``...``."""
        return [re.findall(r"\.\.\.|[A-Za-z]", term) for term in re.split(",|->", self.equation)]

    def build(self, input_shape: Any) -> None:
        given, kernel, out = self._letters()
        rank = max(len(input_shape) - len(given) + 1, 0) if "..." in given else None
        sizes = _sizes_by_letter(given, tuple(input_shape))
        declared = _sizes_by_letter(out, (None, *self.partial_output_shape))
        if sizes is None:
            raise self._misfit(input_shape, f"the input has {len(input_shape)} axes")
        if declared is None:
            raise self._misfit(input_shape, f"output_shape has {len(self.partial_output_shape)} axes without the batch")
        for letter, size in declared.items():
            if sizes.get(letter) is None:
                sizes[letter] = size
            elif size is not None and size != sizes[letter]:
                raise self._misfit(input_shape, f"{letter}={size} in output_shape is {sizes[letter]} in the input")
        self.kernel = self.add_weight([sizes[letter] for letter in kernel], name="kernel")
        self.bias = None
        if self.bias_axes:
            first = min(out.index(axis) for axis in self.bias_axes)
            shape: list[int] = []
            for letter in out[first:]:
                shape += [1] * (rank or 0) if letter == "..." else [sizes[letter] if letter in self.bias_axes else 1]
            self.bias = self.add_weight(shape, name="bias")

    def _misfit(self, shape: Any, problem: str) -> ShapeError:
        return ShapeError(
            f'EinsumDense "{self.name}": {problem}',
            layer=self.name,
            expected=f"what the equation {self.equation!r} says",
            received=f"an input of shape {dims.show_shape(shape)} and output_shape={self.partial_output_shape}",
        )

    def call(self, inputs: Any) -> Any:
        outputs = jnp.einsum(self.equation, inputs, self.kernel.value)
        return self.activation(outputs if self.bias is None else outputs + self.bias.value)

    def get_config(self) -> dict[str, Any]:
        config = {"activity_regularizer": None, **without_adapters(super().get_config())}
        config.pop("gptq_unpacked_column_size", None)
        return {**config, "output_shape": self.partial_output_shape}


def _checked_equation(equation: Any) -> str:
    text = equation.replace(" ", "") if isinstance(equation, str) else ""
    term = r"(?:[A-Za-z]*(?:\.\.\.)?[A-Za-z]*)"
    if not re.fullmatch(rf"{term},[A-Za-z]+->{term}", text):
        raise ValueError(f"`equation`={equation!r}: expected an input, a kernel and an output, such as 'abc,cd->abd'")
    given, kernel, out = re.split(",|->", text)
    if ("..." in given) != ("..." in out):
        raise ValueError(f"`equation`={equation!r}: '...' stands in the input and in the output, or in neither")
    lost = [letter for letter in kernel if letter not in given + out]
    if lost:
        raise ValueError(
            f"`equation`={equation!r}: the kernel's axis {lost[0]!r} is neither in the input nor in the output"
        )
    return text


def _sizes_by_letter(letters: list[str], shape: tuple[Any, ...]) -> dict[str, Any] | None:
    """Size of each axis of a term (those under ``...`` have no entry); ``None`` if the number of axes differs."""
    at = letters.index("...") if "..." in letters else len(letters)
    front, back = letters[:at], letters[at + 1 :]
    least = len(front) + len(back)
    if len(shape) < least or ("..." not in letters and len(shape) != least):
        return None
    return {**dict(zip(front, shape, strict=False)), **dict(zip(back[::-1], shape[::-1], strict=False))}
