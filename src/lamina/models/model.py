"""`Model`: layers put together, with training on top; and `Functional`, a model made from a graph."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from lamina.core import checks, context, dtypes, registry, tree
from lamina.core.symbolic import KerasTensor, trace_call
from lamina.layers.layer import Layer
from lamina.models import graph_config, summary
from lamina.models.files import Files
from lamina.models.graph import Graph
from lamina.training import direct
from lamina.training.trainer import Trainer


@registry.register("model", home="keras")
class Model(Files, Trainer, Layer):
    """Layers put together into something that can be trained.

    Made in one of two ways: from symbolic tensors, ``Model(inputs, outputs)``, or by subclassing, with layers made in
    ``__init__`` and used in ``call``.

    Args:
        inputs: symbolic tensors from `Input`: one, a list, or a dict.
        outputs: symbolic tensors that follow from them.
        name: a name.

    Example:

    >>> import lamina
    >>> x = lamina.Input((4,))
    >>> model = lamina.Model(x, lamina.layers.Dense(2)(x))
    >>> model.output_shape
    (None, 2)
    >>> class Net(lamina.Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.dense = lamina.layers.Dense(2)
    ...     def call(self, x):
    ...         return self.dense(x)
    >>> Net()(lamina.ops.ones((3, 4))).shape
    (3, 2)
    """

    _graph: Graph | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Model:
        if cls is Model and _is_functional(args, kwargs):
            cls = Functional
        return super().__new__(cls, *args, **kwargs)  # type: ignore[return-value]

    def __init__(self, *args: Any, **kwargs: Any):
        if not _is_functional(args, kwargs):
            Layer.__init__(self, *args, **kwargs)
            self._init_training()
            return
        given = dict(zip(("inputs", "outputs"), args, strict=False))
        inputs, outputs = kwargs.pop("inputs", given.get("inputs")), kwargs.pop("outputs", given.get("outputs"))
        Layer.__init__(self, **kwargs)
        self._init_training()
        self._set_graph(Graph(inputs, outputs))

    def _set_graph(self, graph: Graph | None) -> None:
        self._graph = graph
        if graph is not None:
            self.built = True
            self.supports_masking = True

    # Layers

    @property
    def _sublayers(self) -> list[Any]:
        held = super()._sublayers
        if self._graph is None:
            return held
        return [*self._graph.layers, *(x for x in held if all(x is not y for y in self._graph.layers))]

    @property
    def layers(self) -> list[Layer]:
        """The layers directly inside, in order; of a graph, those called in it."""
        return list(self._graph.layers) if self._graph is not None else self._sublayers

    @property
    def operations(self) -> list[Any]:
        """The layers and operations of the graph, in order."""
        return list(self._graph.operations) if self._graph is not None else self.layers

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of that name, or at that place.

        Raises:
            ValueError: there is none; the message offers near names.
        """
        if (name is None) == (index is None):
            raise ValueError("get_layer takes either `name` or `index`")
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError(f"`index`={index}: {self.name!r} has {len(self.layers)} layers")
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        hint = checks.did_you_mean(str(name), [layer.name for layer in self.layers])
        raise ValueError(f"{self.name!r} has no layer {name!r}{hint}; it has {[x.name for x in self.layers]}")

    # Running

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Outputs for tensors; symbolic tensors extend the graph of another model.

        Arrays of a shape that came before run through a compiled program, where all layers are Lamina's own.
        """
        if len(args) == 1 and (not kwargs or kwargs.keys() <= {"training"}):
            training = kwargs.get("training")
            return direct.call(self, args[0], training, lambda: Layer.__call__(self, *args, **kwargs))
        return super().__call__(*args, **kwargs)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Outputs for inputs ``(batch, ...)``; an only output comes without the list it was declared in."""
        graph = self._need_graph()
        values = graph.fit_rank(graph.arrange(inputs, self.name), self.name)
        for value, given in zip(values, tree.flatten(mask) if mask is not None else [], strict=False):
            context.masks.set(value, given)
        outputs = graph.run(self._cast_inputs(values))
        one_in_a_list = isinstance(outputs, (list, tuple)) and len(outputs) == 1
        return outputs[0] if one_in_a_list else outputs

    def _cast_inputs(self, values: list[Any]) -> list[Any]:
        tensors = self._need_graph().input_tensors
        return [_cast(value, tensor) for value, tensor in zip(values, tensors, strict=True)]

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """None: the layers inside have set the masks of the outputs."""
        return None

    def _need_graph(self) -> Graph:
        if self._graph is None:
            raise ValueError(f"{type(self).__name__} computes nothing: it has no `call(self, inputs)`")
        return self._graph

    def build(self, input_shape: Any) -> None:
        """Make the weights of all layers for inputs of that shape, ``(batch, ...)`` with ``None`` for open sizes."""
        if self._graph is None and type(self).call is not Model.call:
            shapes = [input_shape] if tree.is_shape(input_shape) else input_shape
            inputs = tree.map_shape_structure(lambda s: KerasTensor(s, self.compute_dtype), shapes)
            single = tree.is_shape(input_shape)
            self.built = True
            trace_call(self.call, (inputs[0] if single else inputs,), {})

    # What goes in and comes out

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic inputs, as a list."""
        return list(self._need_graph().input_tensors)

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic outputs, as a list."""
        return list(self._need_graph().output_tensors)

    @property
    def input(self) -> Any:
        """The symbolic inputs, in the structure given."""
        return self._graph.inputs if self._graph is not None else super().input

    @property
    def output(self) -> Any:
        """The symbolic outputs, in the structure given."""
        return self._graph.outputs if self._graph is not None else super().output

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs."""
        return list(self._need_graph().input_names)

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs: those of the layers they come from, or the keys of a dict."""
        graph = self._need_graph()
        if isinstance(graph.outputs, dict):
            return [str(path[-1]) for path, _ in tree.flatten_with_path(graph.outputs)]
        return [t.node.name if t.node else t.name for t in graph.output_tensors]

    def reset_states(self) -> None:
        """Set the kept states of stateful layers to zero."""
        for layer in self._flatten_layers():
            reset = getattr(layer, "reset_states", None) or getattr(layer, "reset_state", None)
            if layer is not self and reset is not None and getattr(layer, "stateful", False):
                reset()

    # Configuration

    def get_config(self) -> dict[str, Any]:
        """Layers and calls as Keras writes them; for a class with its own ``__init__``, the constructor's arguments."""
        if self._graph is None or type(self).__init__ is not Model.__init__:
            return super().get_config()
        return {"name": self.name, "trainable": self.trainable, **graph_config.describe_graph(self._graph)}

    def get_build_config(self) -> dict[str, Any] | None:
        """The shapes that the model was built for; a graph of layers says itself what it takes."""
        return {"input_shape": None} if self._graph is not None else super().get_build_config()

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A new model from a config; its weights are new.

        Raises:
            ValueError: the config is malformed, or names what is unknown.
        """
        if not {"layers", "input_layers", "output_layers"} <= set(config):
            return super().from_config(config)
        inputs, outputs = graph_config.restore_graph(config)
        model = cls(inputs=inputs, outputs=outputs, name=config.get("name"))
        model._trainable = bool(config.get("trainable", True))
        return model

    def summary(
        self,
        line_length: int | None = None,
        positions: list[float] | None = None,
        print_fn: Callable[[str], None] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: tuple[str, str] | None = None,
        dims: bool = False,
    ) -> None:
        """Print the layers with their output shapes and numbers of parameters.

        Below stands which sizes fit, if sizes other than the batch are left open (see `lamina.shapes.accepts`).

        Args:
            line_length: width of the table in characters; the terminal's by default.
            positions: right edges of the columns, as parts of the width.
            print_fn: takes the text instead of printing it.
            expand_nested: whether to show the layers of models inside.
            show_trainable: whether to mark which layers train.
            layer_range: names (or regular expressions) of the first and last layer to show.
            dims: whether to show open sizes as expressions, ``(batch, (length - 3)//2 + 1, 16)``, not as ``None``.

        Example:

        >>> import lamina
        >>> layers = lamina.layers
        >>> model = lamina.Sequential([lamina.Input(("length", 2)), layers.Conv1D(16, 3, strides=2, name="conv")])
        >>> lines = []
        >>> model.summary(print_fn=lines.append, dims=True)
        >>> "(batch, (length - 3)//2 + 1, 16)" in lines[0], "Accepts length >= 3" in lines[0]
        (True, True)
        """
        columns = expand_nested, show_trainable, layer_range, dims
        summary.print_summary(self, line_length, positions, print_fn, *columns)

    def trace_shapes(self, x: Any, training: bool = False, print_fn: Callable[[str], Any] | None = print) -> Any:
        """Print the shape after each layer, with the names of the axes, for one batch of data; nothing is computed.

        Lines inside the function of a `Lambda` are told of too. `lamina.shapes.watch` does the same for whatever runs.

        Args:
            x: the data, as `predict` takes it; the first batch is looked at.
            training: whether to look at the model as it is in training.
            print_fn: takes each line; ``None`` prints nothing.

        Returns:
            What was printed as data: its ``steps`` have a name, axes and a shape each.

        Raises:
            ShapeError: the data does not fit the model; the lines before show how far it came.

        Example:

        >>> import lamina
        >>> model = lamina.Sequential([lamina.Input((6, 2)), lamina.layers.Conv1D(4, 3, name="conv1d")], name="small")
        >>> seen = model.trace_shapes(lamina.ops.ones((5, 6, 2)))
        Sequential "small"
          input_layer                             (batch=5, length=6, channels=2)
          conv1d                                  (batch=5, length=4, filters=4)
        """
        report = importlib.import_module("lamina.reports.watch")  # a floor above, so loaded where it is wanted
        return report.trace_shapes(self, x, training, print_fn)


@registry.register("model", home="keras.src.models.functional")
class Functional(Model):
    """A model made from symbolic tensors: what ``Model(inputs, outputs)`` gives."""


def _is_functional(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return len(args) >= 2 or "outputs" in kwargs or "inputs" in kwargs


def _cast(value: Any, tensor: KerasTensor) -> Any:
    """The value in the type of its `Input` (floats stay as the policies have them)."""
    wanted = dtypes.canonical(tensor.dtype)
    both_float = hasattr(value, "dtype") and dtypes.is_float(value.dtype) and dtypes.is_float(wanted)
    if not hasattr(value, "astype") or both_float or value.dtype == wanted:
        return value
    return value.astype(wanted)
