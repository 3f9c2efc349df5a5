"""The command ``lamina``. Heavy parts are imported by the commands that need them, so that help comes at once."""

from __future__ import annotations

import ast
import difflib
import os
from typing import Annotated, Any

import typer

import lamina

app = typer.Typer(
    help="Lamina: the Keras API, compiled by JAX, in which shapes explain themselves.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
_STOPS = ("dense", "conv1d", "conv2d", "lstm")


def _refuse(message: str) -> typer.Exit:
    typer.secho(message, err=True, fg="red")
    return typer.Exit(2)


def _nearest(word: str, known: list[str]) -> str:
    lower = {name.lower(): name for name in known}
    near = [lower[m] for m in difflib.get_close_matches(word.lower(), lower, n=3, cutoff=0.5)]
    return f"; did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(known)}"


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lamina {lamina.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    """Lamina: the Keras API, compiled by JAX, in which shapes explain themselves."""
    del version


@app.command()
def tour(
    stop: Annotated[str | None, typer.Argument(help=f"One of {', '.join(_STOPS)}; all of them by default.")] = None,
) -> None:
    """Train four small models on real data and show every layer's shape in its four forms."""
    if stop is not None and stop.lower() not in _STOPS:
        raise _refuse(f"the tour has no stop {stop!r}{_nearest(stop, list(_STOPS))}")
    from lamina.tour.guide import lead

    results = lead([stop.lower()] if stop is not None else None)
    if not all(result.is_better for result in results):
        raise typer.Exit(1)


@app.command()
def explain(
    layer: Annotated[str, typer.Argument(help="Name of a layer, such as Conv1D.")],
    input_shape: Annotated[
        str | None, typer.Option("--input", help='Shape of its input, such as "(None, 128, 2)".')
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="An argument of the layer, such as filters=16; may be repeated.")
    ] = None,
) -> None:
    """Show the card of a layer: what it takes, what it gives, and what changes the shape."""
    shape = _literal("--input", input_shape) if input_shape is not None else None
    if shape is not None and not isinstance(shape, (tuple, list)):
        raise _refuse(f'--input {input_shape!r}: expected a shape such as "(None, 128, 2)"')
    arguments = dict(_setting(text) for text in settings or ())
    from lamina.reports.explain import explain as make_card

    try:
        card = make_card(layer, input_shape=tuple(shape) if shape is not None else None, **arguments)
    except (ValueError, TypeError) as error:
        raise _refuse(str(error)) from None
    from rich.console import Console

    Console().print(card)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False}
)
def check(
    context: typer.Context,
    script: Annotated[str, typer.Argument(help="The script to check, such as train.py; what follows goes to it.")],
) -> None:
    """Run a script with fit, evaluate and predict replaced by a check of the shapes: nothing is trained."""
    from lamina.reports.check_script import check_script

    try:
        outcome = check_script(script, list(context.args))
    except FileNotFoundError as error:
        raise _refuse(str(error)) from None
    from rich.console import Console

    Console(highlight=False, soft_wrap=True).print(outcome)
    if not outcome.is_clean:
        raise typer.Exit(1)


@app.command()
def show(
    file: Annotated[str, typer.Argument(help="A model or weights: .keras, .h5, .json, .safetensors or .npz.")],
    weights: Annotated[bool, typer.Option("--weights", help="Sum up the values of each weight.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for scripts.")] = False,
) -> None:
    """Show what a file is: who wrote it, what goes in and comes out, its layers. Nothing in it is run."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")  # nothing is computed: leave the accelerator to others
    from lamina.reports.file_report import clean
    from lamina.reports.file_report import show as make_report

    try:
        report = make_report(file, weights=weights)
    except (ValueError, OSError) as error:
        typer.secho("\n".join(clean(line, 2000) for line in str(error).splitlines()), err=True, fg="red")
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(report.to_json())
        return
    from rich.console import Console

    Console(highlight=False).print(report)


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip().isidentifier():
        raise _refuse(f"--set {text!r}: expected NAME=VALUE, such as filters=16")
    try:
        return name.strip(), ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name.strip(), value


def _literal(option: str, text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        raise _refuse(f'{option} {text!r}: expected a shape such as "(None, 128, 2)"') from None


def main() -> None:
    """Run the command line."""
    app()
