"""`Layer`, what every layer is made from."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import jax

from lamina import activations, constraints, initializers, regularizers  # noqa: F401  (registered for configs)
from lamina.advice import layer_call, silent_layers
from lamina.core import context, dtypes, registry, tree
from lamina.core.symbolic import KerasTensor, Node, has_symbolic, symbolic_leaves, trace_call
from lamina.core.variable import StateScope, Variable, in_scope
from lamina.layers import building, calling, capturing, checking, labelling, traces
from lamina.layers.legacy import take_legacy_arguments
from lamina.layers.weights import WeightLists
from lamina.shapes import errors
from lamina.shapes.errors import ShapeError
from lamina.shapes.signatures import Signature


class Layer(WeightLists):
    """A computation with weights: what a model is built from.

    A subclass makes its weights in `build` (which gets the shapes of the inputs, batch axis first) and computes in
    `call`. Its output shape needs no rule of its own: it is found by tracing `call`.

    Args:
        activity_regularizer: adds a loss of the layer's output.
        trainable: whether training changes the weights.
        dtype: the type or policy to compute in, such as ``"float32"`` or ``"mixed_bfloat16"``.
        autocast: whether float inputs are cast to the compute type.
        name: a name; by default the class's in snake case, numbered.
        input_shape: shape of one sample ``(...)``, without the batch axis, for the first layer of a `Sequential`.
        input_dim: the same for one axis.
        batch_input_shape: shape of a batch ``(batch, ...)``.
        weights: values to start from, a list of arrays.

    Attributes:
        signature: the axes that the layer takes and gives, such as ``"batch ... features -> batch ... units"``;
            ``None`` for a layer that states none.
        built_axes: names of those input axes whose size the weights depend on.
        least_inputs: how few inputs it takes, where that is less than the signature shows.
        inputs_apart: whether several inputs come as arguments of their own, not as one list.
        shape_arguments: for each argument that changes the shape, how.
        common_mistakes: what people get wrong with this layer, and the repair.
        example_input, example_config: an input shape ``(None, ...)`` and arguments to show the layer with.

    Example:

    >>> import lamina
    >>> class Scale(lamina.layers.Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")
    ...     def call(self, inputs):
    ...         return inputs * self.factor
    >>> Scale()(lamina.Input((3,))).shape
    (None, 3)
    """

    signature: str | Signature | None = None
    built_axes: tuple[str, ...] = ()
    least_inputs: int | None = None
    inputs_apart = False
    shape_arguments: ClassVar[dict[str, str]] = {}
    common_mistakes: tuple[str, ...] = ()
    example_input: tuple[Any, ...] = ()
    example_config: ClassVar[dict[str, Any]] = {}

    def __new__(cls, *args: Any, **kwargs: Any) -> Layer:
        instance = super().__new__(cls)
        instance._captured = (args, kwargs)  # type: ignore[attr-defined]
        instance._made_at = errors.line_of_caller()  # type: ignore[attr-defined]
        return instance

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if "build" in vars(cls):
            cls.build = building.marking_built(vars(cls)["build"])  # type: ignore[method-assign]

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ):
        self._declared_input, self._initial_weights = take_legacy_arguments(type(self), kwargs)
        if name is not None and not isinstance(name, str):
            raise ValueError(f"`name`={name!r}: a layer's name is a string")
        self.name = name or context.auto_name(type(self).__name__)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.autocast = bool(autocast)
        self.dtype_policy = dtypes.get_policy(dtype)
        self.supports_masking = False
        self.input_spec: Any = None
        self.built = False
        self.axis_sizes: dict[str, int] = {}
        self._trainable = bool(trainable)
        self._weights: list[Variable] = []
        self._losses: list[Any] = []
        self._nodes: list[Node] = []
        self._building = False
        self._build_shape: Any = None
        self._build_shapes: dict[str, Any] = {}

    # What a subclass writes

    def build(self, input_shape: Any) -> None:
        """Make the weights.

        Args:
            input_shape: shape of the input, ``(batch, ...)`` with ``None`` for open sizes; for several inputs a
                list of them.
        """
        self.built = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs from the inputs ``(batch, ...)``."""
        raise ValueError(f"{type(self).__name__} computes nothing: it has no `call(self, inputs)`")

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask of the output; by default that of the input."""
        return previous_mask

    # Calling

    @layer_call.entry
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply the layer to tensors (computes) or to symbolic tensors (extends the model's graph)."""
        if not hasattr(self, "_nodes"):
            raise ValueError(f"{type(self).__name__}.__init__ must call super().__init__() before the layer is used")
        was_built = self.built
        try:
            if has_symbolic((args, kwargs)):
                return self._call_symbolic(args, kwargs)
            return self._run(*args, **kwargs)[0]
        except ShapeError as error:
            layer_call.failed(error, self, args, kwargs, was_built)
            raise

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """The outputs for symbolic tensors."""
        return self._call_symbolic(args, kwargs)

    def _call_symbolic(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        labelling.inputs(self, args, kwargs)
        output_specs, mask_specs, needed = traces.trace(self, args, kwargs)
        outputs = jax.tree.map(KerasTensor.of_spec, output_specs)
        checking.check_declared_output(self, args, kwargs, outputs)
        for tensor, mask in zip(symbolic_leaves(outputs), tree.flatten(mask_specs), strict=False):
            tensor._keras_mask = None if mask is None else KerasTensor.of_spec(mask)
        self._nodes.append(Node(self, args, kwargs, outputs, len(self._nodes), needed))
        labelling.outputs(self, outputs)
        silent_layers.look(self, args, kwargs, outputs)
        return outputs

    def _run(self, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """Outputs and their masks for real (or traced) tensors."""
        info = calling.call_info(type(self).call)
        args, kwargs = calling.to_tensors((args, kwargs), self.compute_dtype if self.autocast else None)
        kwargs, training = calling.fill_arguments(info, args, kwargs)
        inputs = args[0] if args else kwargs.get(info.first)
        checking.check_arguments(self, info, args, inputs)
        if not self.built:
            with context.observing(None):
                self._build_for(info, args, kwargs)
        checking.check_inputs(self, inputs)
        tell = context.state.observer(self, self.name, inputs) if context.state.observer is not None else None
        with context.calling(training) as is_outermost, context.autocast(self._autocast_dtype()):
            if is_outermost:
                self._clear_losses()
            try:
                outputs = self.call(*args, **kwargs)
            except Exception as error:
                explained = checking.explain_failure(self, error, inputs)
                if explained is None:
                    raise
                raise explained from error
            outputs = calling.to_tensors(outputs, None)
            if tell is not None:
                tell(outputs)
            self._add_activity_loss(outputs)
        return outputs, self._pass_masks(inputs, outputs)

    def _autocast_dtype(self) -> str | None:
        policy = self.dtype_policy
        mixed = self.autocast and policy.compute_dtype != policy.variable_dtype
        return policy.compute_dtype if mixed else None

    def _add_activity_loss(self, outputs: Any) -> None:
        if self.activity_regularizer is not None:
            for tensor in jax.tree.leaves(outputs):
                samples = tensor.shape[0] if tensor.ndim else 1
                self.add_loss(self.activity_regularizer(tensor) / samples)

    def _pass_masks(self, inputs: Any, outputs: Any) -> Any:
        leaves = jax.tree.leaves(outputs)
        if not all(context.masks.get(leaf) is not None for leaf in leaves):
            previous = calling.masks_of(inputs)
            if self.supports_masking or type(self).compute_mask is not Layer.compute_mask:
                masks = self.compute_mask(inputs, previous)
                flat = tree.flatten(masks) if isinstance(masks, (list, tuple, dict)) else [masks] * len(leaves)
                for leaf, mask in zip(leaves, flat, strict=False):
                    if mask is not None:
                        context.masks.set(leaf, mask)
            elif previous is not None:
                warnings.warn(
                    f"{checking.describe(self)} does not support masks: the one that came with its input ends here",
                    stacklevel=4,
                )
        return [context.masks.get(leaf) for leaf in leaves]

    def stateless_call(
        self,
        trainable_variables: Sequence[Any],
        non_trainable_variables: Sequence[Any],
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """The call as a pure function of the variables' values.

        Args:
            trainable_variables: values for `self.trainable_variables`.
            non_trainable_variables: values for `self.non_trainable_variables`.
            return_losses: whether to give the losses added during the call too.

        Returns:
            ``(outputs, non_trainable_variables)``, and ``losses`` where asked for; the layer is left as it was.
        """
        if not self.built:
            raise ValueError(f"{checking.describe(self)} has no weights yet: build it, or call it once, first")
        trainable, others = self.trainable_variables, self.non_trainable_variables
        for name, values, variables in (
            ("trainable_variables", trainable_variables, trainable),
            ("non_trainable_variables", non_trainable_variables, others),
        ):
            if len(values) != len(variables):
                raise ValueError(f"`{name}` has {len(values)} values; {checking.describe(self)} has {len(variables)}")
        pairs = zip([*trainable, *others], [*trainable_variables, *non_trainable_variables], strict=True)
        with StateScope((v, _raw(value)) for v, value in pairs) as scope:
            outputs = self(*args, **kwargs)
            after = [scope.value_of(v) for v in others]
            return (outputs, after, self.losses) if return_losses else (outputs, after)

    # Building

    def _build_for(self, info: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = {**dict(zip(info.names, args, strict=False)), **kwargs}
        shapes = {name: building.shapes_of(value) for name, value in given.items() if checking.input_leaves(value)}
        first = shapes.get(info.first, next(iter(shapes.values()), ()))
        checking.check_known(self, [tuple(s) for s in tree.flatten_shapes(first)] if shapes else [])
        self.build(*building.build_arguments(type(self).build, shapes, first))

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build for the shapes that `get_build_config` gave."""
        if config.get("input_shape") is not None:
            self.build(tree.map_shape_structure(tuple, config["input_shape"]))
        elif isinstance(config.get("shapes_dict"), dict):
            self.build(
                **{name: tree.map_shape_structure(tuple, shape) for name, shape in config["shapes_dict"].items()}
            )

    def get_build_config(self) -> dict[str, Any] | None:
        """The shapes that the layer was built for."""
        if len(self._build_shapes) > 1:
            return {"shapes_dict": dict(self._build_shapes)}
        return {"input_shape": self._build_shape} if self._build_shape is not None else None

    def add_weight(
        self,
        shape: Sequence[int] | None = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str | None = None,
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """Make a weight.

        Args:
            shape: its shape; scalar by default.
            initializer: how its first value is drawn. Where it is not given, the layer's own
                ``{name}_initializer`` holds, else ``"glorot_uniform"`` for floats and zeros for other types.
            dtype: data type; by default the policy's.
            trainable: whether training changes it.
            autocast: whether it is read in the compute type.
            regularizer: a loss on its value; by default the layer's ``{name}_regularizer``.
            constraint: a projection after each update; by default the layer's ``{name}_constraint``.
            aggregation: how replicas are combined.
            overwrite_with_gradient: whether the gradient is the new value.
            name: its name.
        """
        shape = building.weight_shape(self, name, () if shape is None else shape)
        dtype = dtypes.standardize_dtype(dtype or self.dtype_policy.variable_dtype)
        own = {kind: getattr(self, f"{name}_{kind}", None) for kind in ("initializer", "regularizer", "constraint")}
        initializer = initializers.get(initializer if initializer is not None else own["initializer"])
        if initializer is None:
            initializer = initializers.get("glorot_uniform" if dtypes.is_float(dtype) else "zeros")
        with context.name_scope(self.name) if not self._building else contextlib.nullcontext():
            variable = Variable(initializer, shape, dtype, trainable, autocast, aggregation, name or "variable")
        variable.regularizer = regularizers.get(regularizer if regularizer is not None else own["regularizer"])
        variable.constraint = constraints.get(constraint if constraint is not None else own["constraint"])
        variable.overwrite_with_gradient = overwrite_with_gradient
        self._weights.append(variable)
        return variable

    # Losses

    def add_loss(self, loss: Any) -> None:
        """Add to what training makes small: a scalar, worked out in `call`."""
        self._losses.extend(jax.tree.leaves(loss))
        if in_scope():
            context.state.scopes[-1].at_end(self._losses.clear)

    def _clear_losses(self) -> None:
        for layer in self._flatten_layers():
            layer._losses.clear()

    # Shapes

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape that comes out for an input of that shape, found by tracing.

        Args:
            input_shape: ``(batch, ...)`` with ``None`` for open sizes; a list of shapes for several inputs.
        """
        inputs = tree.map_shape_structure(lambda s: KerasTensor(s, self.compute_dtype), input_shape)
        return jax.tree.map(lambda t: t.shape, self.compute_output_spec(inputs))

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic outputs for symbolic inputs; the layer is left as it is, unbuilt if it was."""
        layer = self if self.built else self._unbuilt_copy()
        outputs, _ = trace_call(layer._run, args, kwargs, abstract=not self.built)
        return jax.tree.map(KerasTensor.of_spec, outputs)

    # Configuration

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain values, from which `from_config` makes the same layer."""
        policy = {
            "module": "keras",
            "class_name": "DTypePolicy",
            "config": self.dtype_policy.get_config(),
            "registered_name": None,
        }
        base = {"name": self.name, "trainable": self.trainable, "dtype": policy}
        accepted = capturing.accepted_arguments(type(self))
        if accepted:
            base = {key: value for key, value in base.items() if key in accepted}
        if self.activity_regularizer is not None and not accepted:
            base["activity_regularizer"] = registry.serialize(self.activity_regularizer)
        return {**base, **capturing.constructor_config(self, Layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A new layer from a config; its weights are new."""
        return cls(**capturing.revive(config))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _raw(value: Any) -> Any:
    return value.value if isinstance(value, Variable) else value
