import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from lamina.shapes import algebra


def shown(text):
    return algebra.render(algebra.simplified(text), lambda name: name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("floordiv(length - 3, 2) + 1", "(length - 3)//2 + 1"),
        ("floordiv(floordiv(length - 3, 2) - 1, 2) + 1", "(length - 5)//4 + 1"),
        ("floordiv(height - 2, 2) + 1", "height//2"),
        ("floordiv(floordiv(floordiv(height, 2), 2), 2)", "height//8"),
        ("2*floordiv(floordiv(height, 2), 2)", "2*(height//4)"),
        ("2*floordiv(2*floordiv(height, 2), 4)", "2*(height//4)"),
        ("floordiv(4*length + 3, 2)", "2*length + 1"),
        ("max(0, length - 2)", "length - 2"),
        ("floordiv(max(0, floordiv(max(length - 2, 0), 2) - 2), 2)", "(length - 6)//4"),
        ("max(a, b) + max(a, a)", "max(a, b) + a"),
        ("-1*length + 5", "5 - length"),
        ("mod(length, 4)", "(length % 4)"),
        ("floordiv(batch*length, 3)", "(batch*length)//3"),
        ("length - length", "0"),
    ],
)
def test_expressions_in_ordinary_notation(text, expected):
    assert shown(text) == expected


def expressions():
    leaves = st.one_of(st.sampled_from(["a", "b"]), st.integers(-9, 9).map(str))
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(lambda p: f"({p[0]} + {p[1]})"),
            st.tuples(inner, inner).map(lambda p: f"({p[0]} - {p[1]})"),
            st.tuples(inner, st.integers(-4, 4)).map(lambda p: f"{p[1]}*({p[0]})"),
            st.tuples(inner, inner).map(lambda p: f"({p[0]})*({p[1]})"),
            st.tuples(inner, st.integers(1, 9)).map(lambda p: f"floordiv({p[0]}, {p[1]})"),
            st.tuples(inner, st.integers(1, 9)).map(lambda p: f"mod({p[0]}, {p[1]})"),
            st.tuples(inner, inner).map(lambda p: f"min({p[0]}, {p[1]})"),
        ),
        max_leaves=6,
    )


@settings(max_examples=300, deadline=None, derandomize=True)
@given(expressions(), st.integers(0, 50), st.integers(0, 50))
def test_what_is_shown_has_the_same_size(text, a, b):
    assert algebra.compiled(shown(text))(a=a, b=b) == algebra.compiled(text)(a=a, b=b)
