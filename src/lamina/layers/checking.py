"""What a layer accepts, checked against its signature; and errors from inside a layer, explained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from lamina.advice.local_tensors import local_tensors
from lamina.core import tree
from lamina.core.symbolic import KerasTensor, symbolic_leaves
from lamina.shapes import dims, tracing
from lamina.shapes.errors import ShapeError, failing_site
from lamina.shapes.signatures import Axes, Signature


class InputSpec:
    """What a layer demands of an input, for layers that state no signature.

    Args:
        dtype: data type.
        shape: the whole shape; ``None`` for an open size.
        ndim: number of axes.
        max_ndim: most axes.
        min_ndim: fewest axes.
        axes: sizes of some axes, such as ``{-1: 10}``.
        allow_last_axis_squeeze: whether a last axis of size 1 may be missing or too many.
        name: name of the input in a dict of inputs.
        optional: whether the input may be ``None``.
    """

    def __init__(
        self,
        dtype: str | None = None,
        shape: Sequence[int | None] | None = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ):
        self.dtype, self.name, self.optional = dtype, name, optional
        self.shape = None if shape is None else tuple(shape)
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        self.axes = {int(a): s for a, s in (axes or {}).items()}
        self.allow_last_axis_squeeze = allow_last_axis_squeeze

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return dict(vars(self))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InputSpec:
        return cls(**config)

    def problem(self, shape: Sequence[Any]) -> str | None:
        """What is wanted instead of `shape`, in words; ``None`` if it fits."""
        rank = len(shape)
        if self.ndim is not None and rank != self.ndim:
            squeezed = self.allow_last_axis_squeeze and abs(rank - self.ndim) == 1
            if not squeezed:
                return f"{self.ndim} axes (ndim={self.ndim})"
        if self.min_ndim is not None and rank < self.min_ndim:
            return f"{self.min_ndim} axes or more (min_ndim={self.min_ndim})"
        if self.max_ndim is not None and rank > self.max_ndim:
            return f"{self.max_ndim} axes at most (max_ndim={self.max_ndim})"
        wanted = dict(self.axes)
        if self.shape is not None:
            wanted |= dict(enumerate(self.shape))
        for axis, size in wanted.items():
            if size is not None and dims.is_known(shape[axis]) and shape[axis] != size:
                return f"axis {axis} of size {size}"
        return None


def describe(layer: Any) -> str:
    """``Conv1D "conv1d"``."""
    return f'{type(layer).__name__} "{layer.name}"'


def signature_of(layer: Any) -> Signature | None:
    """The signature of a layer instance, parsed; ``None`` for a layer that states none."""
    text = layer.signature
    return Signature.parse(text) if isinstance(text, str) else text


def input_leaves(inputs: Any) -> list[Any]:
    """The tensors of a layer's first argument."""
    return [leaf for leaf in jax.tree.leaves(inputs) if hasattr(leaf, "shape")]


def check_arguments(layer: Any, info: Any, args: tuple[Any, ...], inputs: Any) -> None:
    """Refuse more arguments than `call` has, and a first one that holds no tensor.

    Raises:
        ValueError: there are too many arguments, or a layer came that was not called, a shape, or plain numbers.
    """
    if info.most is not None and len(args) > info.most:
        takes = f"{info.most} argument{'s' if info.most != 1 else ''}: {', '.join(info.names[: info.most])}"
        raise ShapeError(
            f"{describe(layer)} takes {takes}; {len(args)} came. Give several tensors as one list: layer([a, b])",
            layer=layer.name,
        )
    leaves = jax.tree.leaves(inputs)
    if isinstance(inputs, (list, tuple)) and len(leaves) > 1 and all(hasattr(leaf, "shape") for leaf in inputs):
        _check_list(layer, inputs)
    if not leaves or any(hasattr(leaf, "shape") for leaf in leaves):
        return
    if hasattr(leaves[0], "call"):
        raise ValueError(
            f"{describe(layer)} takes a tensor; {describe(leaves[0])} came, a layer that was not called on a tensor: "
            f"write {type(leaves[0]).__name__}(...)(x)"
        )
    how = "Input(shape=...) makes a symbolic tensor of a shape, np.array(...) a tensor of numbers"
    raise ValueError(f"{describe(layer)} takes a tensor; {inputs!r:.100} came: {how}")


def _check_list(layer: Any, inputs: Sequence[Any]) -> None:
    """Refuse a list of tensors where the signature has one input."""
    signature = signature_of(layer)
    own = type(layer).call.__module__.startswith("lamina.") and type(layer).__name__ != "Identity"
    if own and signature is not None and len(signature.inputs) == 1 and signature.inputs[0].least_rank:
        raise ShapeError(
            f"{describe(layer)} takes one tensor; a list of {len(inputs)} came",
            layer=layer.name,
            expected=signature.inputs[0].show(),
            received="[" + ", ".join(dims.show_shape(dims.to_public(dims_of(x))) for x in inputs) + "]",
        )


def dims_of(tensor: Any) -> tuple[Any, ...]:
    """Sizes of a tensor, symbolic where open."""
    return tuple(tensor.dims) if isinstance(tensor, KerasTensor) else tuple(tensor.shape)


def check_inputs(layer: Any, inputs: Any) -> None:
    """Refuse inputs that do not fit the layer's signature, the sizes it was built for, or its `input_spec`.

    Raises:
        ShapeError: they do not fit.
    """
    leaves = input_leaves(inputs)
    signature = signature_of(layer)
    if signature is not None:
        wanted = len(signature.inputs)
        if wanted > 1 and len(leaves) < (layer.least_inputs or wanted):
            raise ShapeError(
                f"{describe(layer)} takes {wanted} inputs; {len(leaves)} came",
                layer=layer.name,
                expected="[" + ", ".join(a.show() for a in signature.inputs) + "]",
                received="[" + ", ".join(dims.show_shape(dims.to_public(dims_of(x))) for x in leaves) + "]",
            )
        for place, tensor in enumerate(leaves):
            _check_axes(layer, signature.input_axes(place), dims_of(tensor))
    if layer.input_spec is not None:
        specs = layer.input_spec if isinstance(layer.input_spec, (list, tuple)) else [layer.input_spec]
        for spec, tensor in zip(specs, leaves, strict=False):
            problem = spec.problem(dims_of(tensor)) if spec is not None else None
            if problem:
                raise _misfit(layer, dims_of(tensor), problem)


def _check_axes(layer: Any, axes: Axes, shape: tuple[Any, ...]) -> None:
    if not axes.fits_rank(len(shape)):
        few = "too few" if len(shape) < axes.least_rank else "too many"
        off = abs(len(shape) - axes.least_rank)
        words = f"{len(shape)} {'axis' if len(shape) == 1 else 'axes'}, {off} {few}"
        declared = layer._declared_input
        notes: list[tuple[str, str]] = []
        if off == 1 and few == "too many" and declared == dims.to_public(shape):
            one, said = dims.show_shape(declared[2:]), dims.show_shape(declared[1:])
            notes = [("to do", f"leave the number of samples out of `input_shape`: {one}, not {said}")]
        raise _misfit(layer, shape, f"{axes.show()}   {axes.count()}", words, notes)
    for name, size in axes.sizes(shape).items():
        built = layer.axis_sizes.get(name)
        if built is not None and dims.is_known(size) and size != built:
            sized = Axes(tuple(str(layer.axis_sizes.get(n, n)) for n in axes.names))
            raise _misfit(layer, shape, f"{sized.show()}   {name}={built}", f"{name}={size}")


def _misfit(
    layer: Any, shape: tuple[Any, ...], expected: str, words: str = "", notes: Sequence[tuple[str, str]] = ()
) -> ShapeError:
    shown = dims.show_shape(dims.to_public(shape))
    return ShapeError(
        f"{describe(layer)} cannot take an input of shape {shown}",
        layer=layer.name,
        expected=expected,
        received=f"{shown}   {words}".rstrip(),
        notes=notes,
    )


def check_known(layer: Any, shapes: list[tuple[Any, ...]]) -> None:
    """Refuse to build where the size of an axis that weights depend on is open.

    Raises:
        ShapeError: it is open.
    """
    signature = signature_of(layer)
    for place, shape in enumerate(shapes if signature is not None else []):
        axes = signature.input_axes(place)  # type: ignore[union-attr]
        if not axes.fits_rank(len(shape)):
            _check_axes(layer, axes, shape)
        sizes = axes.sizes(shape)
        for name in layer.built_axes:
            if name in sizes and not dims.is_known(sizes[name]):
                raise _misfit(
                    layer,
                    shape,
                    f"{axes.show()} with a known size for {name}: the layer's weights depend on it",
                    f"{name} is open",
                )


def check_declared_output(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any) -> None:
    """A user's own `compute_output_shape` must say what `call` gives."""
    method = type(layer).compute_output_shape
    if method.__module__.startswith("lamina.") or kwargs or len(args) != 1 or not symbolic_leaves(outputs):
        return
    declared = method(layer, jax.tree.map(lambda t: t.shape, args[0]))
    said = [tuple(s) for s in tree.flatten_shapes(declared)]
    real = [tensor.shape for tensor in symbolic_leaves(outputs)]
    clash = len(said) != len(real) or any(
        len(a) != len(b) or any(None not in (i, j) and i != j for i, j in zip(a, b, strict=True))
        for a, b in zip(said, real, strict=True)
    )
    if clash:
        raise ShapeError(
            f"{describe(layer)}: compute_output_shape does not say what call gives",
            layer=layer.name,
            expected=f"{', '.join(map(str, said))}   says compute_output_shape",
            received=f"{', '.join(map(str, real))}   comes out of call",
            notes=[("to do", "return that shape, or remove compute_output_shape: it is not needed")],
        )


def explain_failure(layer: Any, error: Exception, inputs: Any) -> ShapeError | None:
    """A `ShapeError` for an exception that came out of jax inside a layer's `call`; ``None`` for any other."""
    if isinstance(error, ShapeError) and error.layer is None:  # of an operation: say whose
        error.layer = layer.name
        error.about(notes=[("inside", describe(layer))])
    if isinstance(error, ShapeError) or not isinstance(error, (TypeError, ValueError)):
        return None
    if tracing.is_inconclusive(error):
        return None
    if not raised_in_jax(error):
        return None
    shown = [dims.show_shape(dims_of(leaf)) for leaf in input_leaves(inputs)]
    reason = dims.spell(str(error)).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return ShapeError(
        f"{describe(layer)} failed on {'an input' if len(shown) == 1 else 'inputs'} of shape {', '.join(shown)}",
        layer=layer.name,
        received=", ".join(shown),
        notes=[("tensors", local_tensors(error)), ("reason", reason)],
        site=failing_site(error),
    )


def raised_in_jax(error: BaseException) -> bool:
    """Whether jax or numpy refused something, not the program itself."""
    tb = error.__traceback__
    while tb is not None and tb.tb_next is not None:
        tb = tb.tb_next
    file = tb.tb_frame.f_code.co_filename if tb is not None else "?"
    return any(f"/{package}/" in file for package in ("jax", "jaxlib", "numpy")) or file.startswith("<")
