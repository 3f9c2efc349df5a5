"""Leads through the stops: code, shapes, training, result."""

from __future__ import annotations

import inspect
import textwrap
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console, Group
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

import lamina as keras
from lamina.reports.forms import Forms, forms
from lamina.tour.stops import STOPS, Split, Stop


@dataclass(frozen=True)
class Result:
    """How a stop ended."""

    stop: Stop
    score: float
    baseline: float
    seconds: float
    difference: float | None

    @property
    def is_better(self) -> bool:
        """Whether the model beat its baseline."""
        return self.score > self.baseline if self.stop.metric == "accuracy" else self.score < self.baseline


def lead(names: list[str] | None = None, console: Console | None = None) -> list[Result]:
    """Go through the stops of these names, or all of them, and give their results."""
    console = console or Console()
    chosen = [stop for stop in STOPS if not names or stop.name in names]
    results = []
    for number, stop in enumerate(chosen, 1):
        console.print()
        console.print(Rule(f"[bold]{number} of {len(chosen)}   {stop.title}[/bold]", align="left"))
        results.append(_visit(stop, console, explains=number == 1))
    if len(results) > 1:
        console.print()
        console.print(Rule("[bold]All of it[/bold]", align="left"))
        console.print(_overview(results))
    return results


def _visit(stop: Stop, console: Console, explains: bool) -> Result:
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    data = stop.load()
    x_train, y_train, x_test, y_test = data
    started = time.perf_counter()
    console.print(f"\n{stop.story}")
    arrays = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    console.print("[dim]" + "   ".join(f"{name} {array.shape}" for name, array in arrays.items()) + "[/dim]\n")
    console.print(Padding(_code(stop), (0, 2)))
    model = stop.build()
    console.print("\n[bold]The same model in the four forms of a shape[/bold]\n")
    _show_forms(forms(model, x_train, batch_size=32), console, with_legend=explains)
    model.compile(optimizer=keras.optimizers.Adam(stop.learning_rate), loss=stop.loss, metrics=stop.metrics)
    console.print("\n[bold]Training[/bold]\n")
    model.fit(x_train, y_train, epochs=stop.epochs)
    score = _score(model, x_test, y_test)
    difference = _other_format(stop, model, data, console) if stop.formats else None
    result = Result(stop, score, stop.baseline(data), time.perf_counter() - started, difference)
    _tell(result, console)
    return result


def _show_forms(shapes: Forms, console: Console, with_legend: bool) -> None:
    console.print(shapes if with_legend else Group(*shapes.tables(console.width, with_legend=False)))


def _score(model: Any, x: np.ndarray, y: np.ndarray) -> float:
    """Accuracy, or the loss where there is none; on data that was not trained on."""
    found = model.evaluate(x, y, verbose=0, return_dict=True)
    return found.get("accuracy", found["loss"])


def _code(stop: Stop) -> Syntax:
    """The model's own source, and how it is trained."""
    body = textwrap.dedent(inspect.getsource(stop.build).split('"""')[-1]).strip()
    lines = [
        *(['data_format = "channels_last"'] if stop.formats else []),
        body.replace("return ", "model = ", 1),
        "model.compile(",
        f"    optimizer=keras.optimizers.Adam({stop.learning_rate}),",
        f"    loss={stop.loss!r},".replace("'", '"'),
        *([f"    metrics={stop.metrics!r},".replace("'", '"')] if stop.metrics else []),
        ")",
        f"model.fit(x_train, y_train, epochs={stop.epochs})",
    ]
    return Syntax("\n".join(lines), "python", background_color="default", word_wrap=True)


def _other_format(stop: Stop, model: Any, data: Split, console: Console) -> float:
    """The trained weights in a model with the channels first, on data with the channels first."""
    _, _, x_test, y_test = data
    other = stop.build(data_format="channels_first")
    other.set_weights(model.get_weights())
    other.compile(loss=stop.loss, metrics=stop.metrics)
    moved = np.moveaxis(x_test, -1, 1)
    console.print("\n[bold]The same with channels first[/bold]: x = numpy.moveaxis(x, -1, 1), the same weights\n")
    _show_forms(forms(other, moved, batch_size=32), console, with_legend=False)
    difference = float(np.abs(other.predict(moved, verbose=0) - model.predict(x_test, verbose=0)).max())
    apart = f"differs by more than {difference:.0e}" if difference else "differs at all"
    console.print(
        f"\naccuracy {_score(model, x_test, y_test):.4f} with channels last, {_score(other, moved, y_test):.4f} with "
        f"channels first; no predicted probability {apart}"
    )
    return difference


def _tell(result: Result, console: Console) -> None:
    stop = result.stop
    mark = "[green]better[/green]" if result.is_better else "[red]not better[/red]"
    console.print()
    console.print(
        Panel(
            Text.from_markup(
                f"[bold]{stop.metric} {result.score:.3f}[/bold] on data it has not seen; "
                f"a guess that {stop.guess} has {result.baseline:.3f}: {mark}   [dim]({result.seconds:.1f} s)[/dim]"
            ),
            expand=False,
        )
    )


def _overview(results: list[Result]) -> Table:
    columns = ("stop", "on unseen data", "model", "simple guess", "seconds")
    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for r in results:
        score = f"[green]{r.score:.3f}[/green]" if r.is_better else f"[red]{r.score:.3f}[/red]"
        table.add_row(r.stop.title, r.stop.metric, score, f"{r.baseline:.3f}", f"{r.seconds:.1f}")
    return table
