"""Expressions of sizes: simplified, put in ordinary notation, and worked out for numbers.

An expression here is a sum: whole factors times products of terms, and a constant. A term is a name, or a quotient,
remainder, maximum or minimum of other sums. ``jax.export`` gives the expressions; what it leaves as
``floordiv(floordiv(length - 3, 2) - 1, 2) + 1`` is the same as ``(length - 5)//4 + 1`` here.
"""

from __future__ import annotations

import ast
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Product = tuple[Any, ...]


@dataclass(frozen=True)
class Call:
    """A term that is no plain name: ``//``, ``mod``, ``max`` or ``min`` of sums."""

    kind: str
    parts: tuple[Sum, ...]


@dataclass(frozen=True)
class Sum:
    """Products of terms with their factors, in order of appearance; the empty product is the constant."""

    terms: tuple[tuple[Product, int], ...]

    @classmethod
    def of(cls, terms: dict[Product, int]) -> Sum:
        return cls(tuple((product, factor) for product, factor in terms.items() if factor))

    @property
    def constant(self) -> int:
        return dict(self.terms).get((), 0)

    @property
    def is_number(self) -> bool:
        return all(product == () for product, _ in self.terms)

    def __add__(self, other: Sum) -> Sum:
        total = dict(self.terms)
        for product, factor in other.terms:
            total[product] = total.get(product, 0) + factor
        return Sum.of(total)

    def __mul__(self, other: Sum) -> Sum:
        total: dict[Product, int] = {}
        for a, i in self.terms:
            for b, j in other.terms:
                product = tuple(sorted((*a, *b), key=str))
                total[product] = total.get(product, 0) + i * j
        return Sum.of(total)


def number(value: int) -> Sum:
    """A constant."""
    return Sum.of({(): value})


def quotient(a: Sum, by: Sum) -> Sum:
    """``a // by``, simplified: multiples of the divisor come out, and nested quotients become one.

    ``(n*x + y)//n`` is ``x + y//n``, and for positive numbers ``(x//m + c)//n`` is ``(x + c*m)//(m*n)``.
    """
    n = by.constant
    if not by.is_number or n <= 0:
        return Sum.of({(Call("//", (a, by)),): 1})
    whole = Sum.of({product: factor // n for product, factor in a.terms if factor % n == 0})
    rest = Sum.of({product: factor for product, factor in a.terms if factor % n})
    if rest.is_number:
        return whole + number(rest.constant // n)
    common = math.gcd(n, *(factor for product, factor in rest.terms if product))
    if common > 1:
        rest, n = Sum.of({p: f // common for p, f in rest.terms}), n // common
        if n == 1:
            return whole + rest
    variable = [(product, factor) for product, factor in rest.terms if product]
    if len(variable) == 1 and variable[0][1] == 1 and len(variable[0][0]) == 1:
        inner = variable[0][0][0]
        if isinstance(inner, Call) and inner.kind == "//" and inner.parts[1].is_number:
            m = inner.parts[1].constant
            if m > 0:
                return whole + quotient(inner.parts[0] + number(rest.constant * m), number(m * n))
    return whole + Sum.of({(Call("//", (rest, number(n))),): 1})


def simplified(text: str) -> Sum:
    """The sum that a rendering of ``jax.export`` stands for, simplified.

    A maximum with 0 is dropped: the sizes at which it matters fit no layer.
    """
    return _read(ast.parse(text, mode="eval").body)


def _read(node: ast.AST) -> Sum:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return number(node.value)
    if isinstance(node, ast.Name):
        return Sum.of({(node.id,): 1})
    if isinstance(node, ast.UnaryOp):
        return number(-1 if isinstance(node.op, ast.USub) else 1) * _read(node.operand)
    if isinstance(node, ast.BinOp):
        return _operation(node)
    if isinstance(node, ast.Call):
        parts = [_read(argument) for argument in node.args]
        return _call(getattr(node.func, "id", ""), parts)
    raise ValueError(f"no expression of sizes: {ast.unparse(node)}")


def _operation(node: ast.BinOp) -> Sum:
    left, right = _read(node.left), _read(node.right)
    match node.op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left + number(-1) * right
        case ast.Mult():
            return left * right
        case ast.FloorDiv():
            return quotient(left, right)
        case ast.Mod():
            return _call("mod", [left, right])
        case ast.Pow():
            return functools.reduce(lambda a, b: a * b, [left] * right.constant, number(1))
    raise ValueError(f"no expression of sizes: {ast.unparse(node)}")


def _call(kind: str, parts: list[Sum]) -> Sum:
    if kind == "floordiv":
        return quotient(*parts)
    if kind in ("max", "min"):
        left = [p for p in parts if kind == "min" or p != number(0)]
        left = list(dict.fromkeys(left))
        if len(left) == 1:
            return left[0]
        return Sum.of({(Call(kind, tuple(left)),): 1})
    return Sum.of({(Call(kind, tuple(parts)),): 1})


def render(total: Sum, names: Callable[[str], str]) -> str:
    """The sum in ordinary notation, its names replaced: ``(length - 3)//2 + 1``."""
    text = ""
    ordered = sorted(total.terms, key=lambda term: (term[1] < 0, term[0] == ()))
    for product, factor in ordered:
        shown = _render_product(product, abs(factor), names, bracket=factor < 0 and not text)
        if text:
            text += f" {'-' if factor < 0 else '+'} {shown}"
        else:
            text = f"-{shown}" if factor < 0 else shown
    return text or "0"


def _render_product(product: Product, factor: int, names: Callable[[str], str], bracket: bool) -> str:
    several = bracket or len(product) + (factor != 1) > 1
    shown = [_render_term(term, names, several) for term in product]
    return "*".join([str(factor)] * (factor != 1 or not product) + shown)


def _render_term(term: Any, names: Callable[[str], str], inside: bool) -> str:
    if isinstance(term, str):
        return names(term)
    parts = [render(part, names) for part in term.parts]
    if term.kind in ("max", "min"):
        return f"{term.kind}({', '.join(parts)})"
    operands = [part if _is_plain(source) else f"({part})" for part, source in zip(parts, term.parts, strict=True)]
    text = ("//" if term.kind == "//" else " % ").join(operands)
    return f"({text})" if inside or term.kind == "mod" else text


def _is_plain(total: Sum) -> bool:
    """Whether a sum needs no brackets as an operand: a number that is not negative, or a name."""
    if total.is_number:
        return total.constant >= 0
    ((product, factor), *others) = total.terms
    return not others and factor == 1 and len(product) == 1 and isinstance(product[0], str)


@functools.lru_cache(maxsize=4096)
def compiled(text: str) -> Callable[..., int]:
    """A function of the names' sizes (keyword arguments, others ignored) for a rendering of ``jax.export``."""
    code = compile(text, "<size>", "eval")
    names = [name for name in code.co_names if name not in _FUNCTIONS]

    def evaluate(**sizes: int) -> int:
        return eval(code, {"__builtins__": {}, **_FUNCTIONS}, {name: sizes[name] for name in names})

    return evaluate


_FUNCTIONS: dict[str, Any] = {"floordiv": lambda a, b: a // b, "mod": lambda a, b: a % b, "max": max, "min": min}
