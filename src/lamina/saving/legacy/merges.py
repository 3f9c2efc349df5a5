"""`Merge` of Keras 1: as a layer of a graph, and as the first layer of a `Sequential`, which made that a graph."""

from __future__ import annotations

from typing import Any

from lamina.saving.legacy import tables

Config = dict[str, Any]


def as_layer(entry: Config) -> Config:
    """The merging layer that a `Merge` stands for.

    Raises:
        ValueError: it merges with a function of the user's, or by an unknown mode.
    """
    settings = entry["config"]
    mode = settings.get("mode", "sum")
    name = tables.MERGE_MODES.get(mode) if isinstance(mode, str) else None
    if name is None or settings.get("mode_type", "raw") != "raw":
        raise ValueError(f"Merge {settings.get('name')!r}: `mode`={str(mode)[:60]!r} cannot be had; "
                         f"its modes are {sorted(tables.MERGE_MODES)}")  # fmt: skip
    config: Config = {"name": settings.get("name")}
    if name == "Concatenate":
        config["axis"] = settings.get("concat_axis", -1)
    if name == "Dot":
        config["axes"] = _axes(settings.get("dot_axes", -1))
        config["normalize"] = mode == "cos"
    return {"class_name": name, "config": config}


def _axes(axes: Any) -> Any:
    """``[[1], [2]]`` and ``[1, 2]`` are the same pair."""
    if isinstance(axes, list):
        return [axis[0] if isinstance(axis, list) and len(axis) == 1 else axis for axis in axes]
    return axes


def as_graph(settings: Config) -> Config:
    """The graph of a `Sequential` that begins by merging the outputs of further models or layers."""
    graph = _Graph()
    end = graph.chain(settings["layers"])
    described = {"layers": graph.entries, "input_layers": graph.inputs, "output_layers": [end]}
    return {"class_name": "Functional", "config": {"name": settings.get("name") or "sequential", **described}}


class _Graph:
    def __init__(self) -> None:
        self.entries: list[Config] = []
        self.inputs: list[list[Any]] = []

    def chain(self, layers: Any) -> list[Any]:
        """Put layers one after the other; gives the place of what comes out."""
        if not isinstance(layers, list) or not layers:
            raise ValueError("the branches of a 'Merge' need layers")
        first, *others = layers
        if first.get("class_name") == "Merge":
            branches = first["config"].get("layers")
            if not isinstance(branches, list):
                raise ValueError(f"Merge {first['config'].get('name')!r}: `layers` is no list")
            ends = [self.chain(_layers_of(branch)) for branch in branches]
            end = self._add(as_layer(first), ends)
        else:
            end = self._begin(first)
        for layer in others:
            end = self._add(layer, [end])
        return end

    def _begin(self, layer: Config) -> list[Any]:
        settings = layer["config"]
        if layer.get("class_name") in ("Sequential", *tables.GRAPHS):
            raise ValueError("a model inside a branch of a 'Merge' cannot be had")
        shape, dtype = settings.get("batch_input_shape"), settings.get("input_dtype") or "float32"
        if not isinstance(shape, list):
            raise ValueError(f"layer {settings.get('name')!r} begins a branch of a 'Merge' and has no input shape")
        name = settings["name"] if layer.get("class_name") == "InputLayer" else f"{settings['name']}_input"
        self.entries.append(
            {
                "class_name": "InputLayer",
                "name": name,
                "config": {"batch_input_shape": shape, "dtype": dtype, "name": name},
                "inbound_nodes": [],
            }
        )
        self.inputs.append([name, 0, 0])
        return [name, 0, 0] if layer.get("class_name") == "InputLayer" else self._add(layer, [[name, 0, 0]])

    def _add(self, layer: Config, taken: list[list[Any]]) -> list[Any]:
        name = layer["config"].get("name") or f"layer_{len(self.entries)}"
        self.entries.append({**layer, "name": name, "inbound_nodes": [taken]})
        return [name, 0, 0]


def _layers_of(branch: Config) -> list[Config]:
    if branch.get("class_name") != "Sequential":
        return [branch]
    settings = branch.get("config")
    return settings if isinstance(settings, list) else (settings or {}).get("layers", [])
