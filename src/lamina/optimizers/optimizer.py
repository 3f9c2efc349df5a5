"""The base of all optimizers: what they share is here, so that each is little more than its formula."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core import checks, context, registry
from lamina.core.variable import StateScope, Variable
from lamina.optimizers import clipping
from lamina.optimizers.settings import COMMON, real_or_none, refuse_unknown, spell_out
from lamina.optimizers.state import OptimizerState, choose
from lamina.shapes.errors import ShapeError


@registry.register("optimizer")
class Optimizer(OptimizerState):
    """Changes variables along their gradients.

    An optimizer of your own sets `slot_groups` (what it remembers of each variable) and `formula` (one step of one
    variable, as plain mathematics). The Keras way, overriding `build` and `update_step`, works as well.

    Args:
        learning_rate: a number, a schedule (`lamina.optimizers.schedules`), or a function of nothing or of the step.
        weight_decay: share of each variable, times the learning rate, that is taken away each step.
        clipnorm: the largest norm that the gradient of a variable may have.
        clipvalue: the largest absolute value of an element of a gradient.
        global_clipnorm: the largest norm that all gradients may have together.
        use_ema: keep a moving average of each variable; training ends with the averages.
        ema_momentum: how much of the average stays at each step, from 0 to 1.
        ema_overwrite_frequency: every so many steps the variables are set to their averages.
        loss_scale_factor: the loss is multiplied by it and the gradients divided, against underflow in 16 bits.
        gradient_accumulation_steps: gradients of so many steps are averaged before one update (2 or more).
        name: a name.

    Raises:
        ValueError: an argument is unknown or out of its range.

    Example:

    >>> import lamina
    >>> class Descent(lamina.optimizers.Optimizer):
    ...     def formula(self, value, gradient, rate, step):
    ...         return (value - rate * gradient,)
    >>> v = lamina.Variable([1.0, 2.0])
    >>> Descent(learning_rate=0.5).apply([[2.0, 2.0]], [v])
    >>> v.numpy().tolist()
    [0.0, 1.0]
    """

    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        self._variables: list[Variable] = []
        refuse_unknown(type(self), kwargs)
        self.name = name or context.auto_name(type(self).__name__)
        self.weight_decay = real_or_none("weight_decay", weight_decay)
        self.clipnorm = real_or_none("clipnorm", clipnorm)
        self.clipvalue = real_or_none("clipvalue", clipvalue)
        self.global_clipnorm = real_or_none("global_clipnorm", global_clipnorm)
        if sum(c is not None for c in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ValueError(
                f"only one can be set of clipnorm={clipnorm}, clipvalue={clipvalue}, global_clipnorm={global_clipnorm}"
            )
        self.use_ema = bool(use_ema)
        self.ema_momentum = checks.real("ema_momentum", ema_momentum, 0.0, 1.0) if use_ema else ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        if ema_overwrite_frequency is not None:
            self.ema_overwrite_frequency = checks.positive_int("ema_overwrite_frequency", ema_overwrite_frequency)
        self.loss_scale_factor = real_or_none("loss_scale_factor", loss_scale_factor)
        self.gradient_accumulation_steps = gradient_accumulation_steps
        if gradient_accumulation_steps is not None and (
            not checks.is_whole(gradient_accumulation_steps) or gradient_accumulation_steps < 2
        ):
            raise ValueError(f"`gradient_accumulation_steps`={gradient_accumulation_steps!r}: expected 2 or more")
        self._traced_once: Any = None
        self.built = False
        self._trainable_variables: list[Variable] = []
        self._index: dict[Variable, int] = {}  # by identity, which copies keep
        self._slots: list[list[Variable]] = []
        self._undecayed: tuple[set[Variable], list[str]] = (set(), [])
        self._iterations = self.add_variable((), dtype="int32", name="iteration", aggregation="only_first_replica")
        self._learning_rate: Any = None
        self._set_rate(learning_rate)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        spell_out(cls, Optimizer)

    def slot_groups(self) -> list[dict[str, Any]]:
        """What is remembered of each variable: groups of names with first values.

        `formula` gets the slots in this order. The groups only order the variables in files: for each group, for
        each variable, for each name.
        """
        return []

    def build(self, variables: Sequence[Variable]) -> None:
        """Make what is remembered of `variables`."""
        if self.built:
            return
        variables = list(variables)
        self._trainable_variables = variables
        self._index = {v: i for i, v in enumerate(variables)}
        if self.use_ema:
            self._averages = self.add_optimizer_variables(variables, "average")
        if self.gradient_accumulation_steps:
            self._accumulators = self.add_optimizer_variables(variables, "gradient_accumulator")
        self._slots = [[] for _ in variables]
        for group in self.slot_groups():
            for slots, variable in zip(self._slots, variables):
                for name, first in group.items():
                    slots.append(self.add_variable_from_reference(variable, name, first))
        self.built = True

    def _get_variable_index(self, variable: Variable) -> int:
        if variable not in self._index:
            raise ValueError(
                f"optimizer {self.name!r} was not built for the variable {variable!r}; a model whose variables "
                f"have changed needs a new optimizer (compile it again)"
            )
        return self._index[variable]

    @property
    def iterations(self) -> Any:
        """How many updates were made (accumulated gradients count once)."""
        if self.gradient_accumulation_steps:
            return self._iterations.value // self.gradient_accumulation_steps
        return self._iterations

    @iterations.setter
    def iterations(self, variable: Variable) -> None:
        if self.built:
            raise RuntimeError("`iterations` cannot be replaced after the optimizer is built; assign to its value")
        self._variables[0] = variable
        self._iterations = variable

    # One step.

    def apply(self, grads: Iterable[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """Change the variables along their gradients.

        Args:
            grads: a gradient for each variable, of its shape; ``None`` leaves that variable as it is.
            trainable_variables: the variables; those the optimizer was built with, if not given.

        Raises:
            ValueError: there is no gradient at all, or the variables are not those the optimizer was built with.
        """
        grads = list(grads)
        variables = self._targets(grads, trainable_variables)
        pairs = _with_gradient(grads, variables)
        for gradient, variable in pairs:
            _check_gradient(self.name, gradient, variable)
            if variable.overwrite_with_gradient:
                variable.assign(gradient)
        pairs = [(g, v) for g, v in pairs if not v.overwrite_with_gradient]
        grads = [g for g, _ in pairs]
        variables = [v for _, v in pairs]
        if self.loss_scale_factor is not None:
            grads = [g / self.loss_scale_factor for g in grads]
        if variables:
            (self._accumulate if self.gradient_accumulation_steps else self._update)(grads, variables)
        if self.use_ema:
            self._move_averages()
        for variable in variables:
            if variable.constraint is not None:
                variable.assign(variable.constraint(variable.value))
        self._iterations.assign_add(1)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> Any:
        """Change variables along their gradients, given as pairs ``(gradient, variable)``.

        Returns:
            the number of steps made so far.
        """
        pairs = list(grads_and_vars)
        self.apply([g for g, _ in pairs], [v for _, v in pairs])
        return self._iterations

    def stateless_apply(
        self, optimizer_variables: Sequence[Any], grads: Sequence[Any], trainable_variables: Sequence[Any]
    ) -> tuple[list[Any], list[Any]]:
        """One step as a pure function, for use under `jax.jit`.

        Args:
            optimizer_variables: the values of `variables`.
            grads: the gradients.
            trainable_variables: the values of the variables that the optimizer was built with.

        Returns:
            the new values of the trainable variables, and of the optimizer's.

        Raises:
            ValueError: the optimizer is not built, or was built for another number of variables.

        Example:

        >>> import lamina, numpy as np
        >>> optimizer = lamina.optimizers.SGD(0.5)
        >>> optimizer.build([lamina.Variable([1.0])])
        >>> state = [v.value for v in optimizer.variables]
        >>> (new,), state = optimizer.stateless_apply(state, [np.array([1.0])], [np.array([1.0])])
        >>> float(new[0]), int(state[0])
        (0.5, 1)
        """
        if not self.built:
            raise ValueError(f"optimizer {self.name!r} is not built: call build(variables) before stateless_apply")
        for word, given, own in (
            ("optimizer_variables", optimizer_variables, self.variables),
            ("trainable_variables", trainable_variables, self._trainable_variables),
        ):
            if len(given) != len(own):
                raise ValueError(f"`{word}` has {len(given)} values; optimizer {self.name!r} has {len(own)} of them")
        everything = [*self._trainable_variables, *self.variables]
        values = [jnp.asarray(v) for v in (*trainable_variables, *optimizer_variables)]
        with StateScope(zip(everything, values)) as scope:
            self.apply(grads)
            new = [scope.value_of(v) for v in everything]
        return new[: len(self._trainable_variables)], new[len(self._trainable_variables) :]

    def _targets(self, grads: list[Any], variables: Sequence[Variable] | None) -> list[Variable]:
        if variables is None:
            if not self.built:
                raise ValueError(f"optimizer {self.name!r} is not built: give apply() the variables as well")
            variables = self._trainable_variables
        variables = list(variables)
        if len(grads) != len(variables):
            raise ValueError(f"optimizer {self.name!r}: {len(grads)} gradients came for {len(variables)} variables")
        if not self.built:
            self.build(variables)
        for variable in variables:
            self._get_variable_index(variable)
        return variables

    def _update(self, grads: list[Any], variables: list[Variable]) -> None:
        if self.clipnorm:
            grads = [clipping.by_norm(g, self.clipnorm) for g in grads]
        elif self.global_clipnorm:
            grads = clipping.by_global_norm(grads, self.global_clipnorm)
        elif self.clipvalue:
            grads = [jnp.clip(g, -self.clipvalue, self.clipvalue) for g in grads]
        self._apply_weight_decay(variables)
        self.update_all(grads, variables, self.learning_rate)

    def update_all(self, grads: list[Any], variables: list[Variable], learning_rate: Any) -> None:
        """Change all variables (override this where they are not changed one by one)."""
        if any(isinstance(gradient, jax.core.Tracer) for gradient in grads):
            self._traced_once = jax.jit(self.formula)  # for all variables of a shape
        try:
            for gradient, variable in zip(grads, variables):
                self.update_step(gradient, variable, learning_rate)
        finally:
            self._traced_once = None

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Change one variable."""
        slots = self._slots[self._get_variable_index(variable)]
        # In 16 bits the formula is computed in 32: there, 1 - 0.999 is 0 and the step after 256 is 256.
        dtype = jnp.promote_types(variable.value.dtype, "float32")
        value, gradient, rate, step = (
            jnp.asarray(x, dtype) for x in (variable.value, gradient, learning_rate, self.iterations + 1)
        )
        formula = self._traced_once or self.formula
        new = formula(value, gradient, rate, step, *[jnp.asarray(s.value, dtype) for s in slots])
        for target, value in zip([variable, *slots], new):
            target.assign(value)

    def formula(self, value: Any, gradient: Any, rate: Any, step: Any, *slots: Any) -> tuple[Any, ...]:
        """One step of one variable, as plain mathematics.

        Args:
            value: the variable's value.
            gradient: its gradient, of the same shape.
            rate: the learning rate.
            step: number of this step, from 1.
            slots: what is remembered of the variable, in the order of `slot_groups`.

        Returns:
            the new value, followed by the new slots.
        """
        raise TypeError(f"{type(self).__name__} says neither `formula` nor `update_step`; an optimizer needs one")

    def _accumulate(self, grads: list[Any], variables: list[Variable]) -> None:
        steps = self.gradient_accumulation_steps or 1
        sums = [self._accumulators[self._get_variable_index(v)] for v in variables]

        def update() -> None:
            self._update([(a.value + g) / steps for a, g in zip(sums, grads)], variables)
            for a in sums:
                a.assign(jnp.zeros_like(a.value))

        def wait() -> None:
            for a, g in zip(sums, grads):
                a.assign_add(g)

        choose((self._iterations.value + 1) % steps == 0, update, wait, [*variables, *self._variables])

    def _apply_weight_decay(self, variables: Iterable[Variable]) -> None:
        if self.weight_decay is None:
            return
        for variable in variables:
            if self._use_weight_decay(variable):
                dtype = variable.value.dtype
                share = jnp.asarray(self.weight_decay, dtype) * jnp.asarray(self.learning_rate, dtype)
                variable.assign(variable.value * (1 - share))

    def _use_weight_decay(self, variable: Variable) -> bool:
        variables, patterns = self._undecayed
        return variable not in variables and not any(re.search(p, variable.name) for p in patterns)

    def exclude_from_weight_decay(
        self, var_list: Iterable[Variable] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Leave variables out of weight decay; call it before the optimizer is built.

        Args:
            var_list: variables.
            var_names: regular expressions looked for in the variables' names, such as ``"bias"``.

        Raises:
            ValueError: the optimizer is built already, or what is in `var_list` is no variable.
        """
        if self.built:
            raise ValueError("exclude_from_weight_decay() has to be called before the optimizer is built")
        variables = list(var_list or ())
        for variable in variables:
            if not isinstance(variable, Variable):
                raise ValueError(f"`var_list` takes variables; {variable!r} is none")
        self._undecayed = (set(variables), list(var_names or ()))

    # Averages.

    def _move_averages(self) -> None:
        stay = jnp.where(self.iterations == 0, 0.0, self.ema_momentum)
        for variable, average in zip(self._trainable_variables, self._averages):
            share = jnp.asarray(stay, average.value.dtype)
            average.assign(share * average.value + (1 - share) * variable.value)
        if self.ema_overwrite_frequency:
            due = (self.iterations + 1) % self.ema_overwrite_frequency == 0
            for variable, average in zip(self._trainable_variables, self._averages):
                variable.assign(jnp.where(due, average.value, variable.value))

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """Set variables to their averages, at the end of training with ``use_ema=True``."""
        if self.use_ema:
            for variable in var_list:
                variable.assign(self._averages[self._get_variable_index(variable)].value)

    # Small helps, and files.

    def assign(self, variable: Variable, value: Any) -> None:
        """Set a variable."""
        variable.assign(jnp.asarray(value, variable.value.dtype))

    def assign_add(self, variable: Variable, value: Any) -> None:
        """Add to a variable."""
        variable.assign_add(jnp.asarray(value, variable.value.dtype))

    def assign_sub(self, variable: Variable, value: Any) -> None:
        """Subtract from a variable."""
        variable.assign_sub(jnp.asarray(value, variable.value.dtype))

    def scale_loss(self, loss: Any) -> Any:
        """The loss whose gradients `apply` expects (see `loss_scale_factor`)."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this optimizer again."""
        settings: dict[str, Any] = {"name": self.name}
        for name in COMMON:
            settings[name] = getattr(self, f"_{name}" if name == "learning_rate" else name)
        rate = self._learning_rate
        settings["learning_rate"] = float(rate.numpy()) if isinstance(rate, Variable) else registry.serialize(rate)
        for name in inspect.signature(type(self).__init__).parameters:
            if name not in (*COMMON, "self", "name", "kwargs") and hasattr(self, name):
                settings[name] = getattr(self, name)
        return settings

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """The optimizer that `get_config` described."""
        config = dict(config)
        if isinstance(config.get("learning_rate"), dict):
            config["learning_rate"] = registry.build("schedule", config["learning_rate"], custom_objects)
        return cls(**config)


def _with_gradient(grads: list[Any], variables: list[Variable]) -> list[tuple[Any, Variable]]:
    pairs = [(_value(g), v) for g, v in zip(grads, variables) if g is not None]
    without = [v.path for g, v in zip(grads, variables) if g is None]
    if without and not pairs:
        raise ValueError(f"no variable has a gradient; without one are {', '.join(without)}")
    if without:
        warnings.warn(f"no gradient came for {', '.join(without)}; left as they are", stacklevel=3)
    return pairs


def _value(gradient: Any) -> Any:
    return gradient.value if isinstance(gradient, Variable) else jnp.asarray(gradient)


def _check_gradient(optimizer: str, gradient: Any, variable: Variable) -> None:
    if gradient.shape != variable.shape:
        raise ShapeError(
            f"optimizer {optimizer!r}: the gradient of variable {variable.path!r} has another shape than the variable",
            expected=str(tuple(variable.shape)),
            received=str(gradient.shape),
        )
