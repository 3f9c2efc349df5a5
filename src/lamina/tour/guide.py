"""Leads through the stops: code, shapes, training, result."""

from __future__ import annotations

import inspect
import textwrap
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

import lamina as keras
from lamina.reports.forms import forms
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
        results.append(_visit(stop, console))
    if len(results) > 1:
        console.print()
        console.print(Rule("[bold]All of it[/bold]", align="left"))
        console.print(_overview(results))
    return results


def _visit(stop: Stop, console: Console) -> Result:
    keras.utils.set_random_seed(1)
    data = stop.load()
    x_train, y_train, x_test, y_test = data
    started = time.perf_counter()
    console.print(f"\n{stop.story}")
    console.print(
        f"[dim]x_train {x_train.shape}   y_train {y_train.shape}   x_test {x_test.shape}   y_test {y_test.shape}[/dim]\n"
    )
    console.print(Padding(_code(stop), (0, 2)))
    model = stop.build()
    console.print("\n[bold]The same model in the four forms of a shape[/bold]\n")
    console.print(forms(model, x_train, batch_size=32))
    classifies = stop.metric == "accuracy"
    model.compile(
        optimizer=keras.optimizers.Adam(0.005),
        loss="sparse_categorical_crossentropy" if classifies else "mae",
        metrics=["accuracy"] if classifies else [],
    )
    console.print("\n[bold]Training[/bold]\n")
    model.fit(x_train, y_train, epochs=stop.epochs, batch_size=32, verbose=1)
    score = _score(model, x_test, y_test)
    difference = _other_format(stop, model, data, console) if stop.formats else None
    result = Result(stop, score, stop.baseline(data), time.perf_counter() - started, difference)
    _tell(result, console)
    return result


def _score(model: Any, x: np.ndarray, y: np.ndarray) -> float:
    """Accuracy, or the loss where there is none; on data that was not trained on."""
    return model.evaluate(x, y, verbose=0, return_dict=True).get("accuracy", model.evaluate(x, y, verbose=0, return_dict=True)["loss"])


def _code(stop: Stop) -> Syntax:
    source = textwrap.dedent(inspect.getsource(stop.build)).split('"""')[-1]
    fit = 'model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])'
    if stop.metric != "accuracy":
        fit = 'model.compile("adam", "mae")'
    lines = textwrap.dedent(source).strip().replace("return ", "model = ", 1)
    code = f"{lines}\n{fit}\nmodel.fit(x_train, y_train, epochs={stop.epochs})"
    if stop.formats:
        code = 'data_format = "channels_last"\n' + code
    return Syntax(code, "python", background_color="default", word_wrap=True)


def _other_format(stop: Stop, model: Any, data: Split, console: Console) -> float:
    """The trained weights in a model with the channels first, on data with the channels first."""
    _, _, x_test, y_test = data
    other = stop.build(data_format="channels_first")
    other.set_weights(model.get_weights())
    other.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    moved = np.moveaxis(x_test, -1, 1)
    console.print("\n[bold]The same with channels first[/bold]: x = numpy.moveaxis(x, -1, 1), the same weights\n")
    console.print(forms(other, moved, batch_size=32))
    difference = float(np.abs(other.predict(moved, verbose=0) - model.predict(x_test, verbose=0)).max())
    console.print(
        f"\naccuracy {_score(model, x_test, y_test):.4f} with channels last, {_score(other, moved, y_test):.4f} with "
        f"channels first; no predicted probability differs by more than {difference:.0e}"
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
    table = Table("stop", "on unseen data", "model", "simple guess", "seconds", box=None, header_style="bold", pad_edge=False)
    for r in results:
        score = f"[green]{r.score:.3f}[/green]" if r.is_better else f"[red]{r.score:.3f}[/red]"
        table.add_row(r.stop.title, r.stop.metric, score, f"{r.baseline:.3f}", f"{r.seconds:.1f}")
    return table
