import copy
import pickle

import pytest

from lamina.shapes import dims


def test_names_and_expressions_are_read():
    length = dims.named("length")
    assert dims.show(length) == "length"
    assert dims.show((length - 3) // 2 + 1) == "(length - 3)//2 + 1"
    assert dims.show(dims.named("16*k")) == "16*k"
    assert dims.named("length") == length


def test_a_floor_at_zero_is_not_shown():
    from jax import core

    assert dims.show(core.max_dim(dims.named("length") - 2, 0)) == "length - 2"


@pytest.mark.parametrize("text", ["", "1+", "a b", "3*", "len gth"])
def test_what_is_no_dimension_is_refused(text):
    with pytest.raises(ValueError, match="as a dimension"):
        dims.named(text)


def test_declared_shapes():
    import numpy as np

    assert dims.from_declared((np.int64(3), 4)) == (3, 4)
    assert dims.to_public(dims.from_declared((None, "time", 2))) == (None, None, 2)
    first, second = dims.from_declared((None, None))
    assert first != second


@pytest.mark.parametrize(
    ("shape", "message"),
    [(10, r"write \(10,\)"), ((-1,), "negative size -1"), ((2.5,), "2.5 is not a size"), ("ab", "takes a tuple")],
)
def test_malformed_shapes_name_the_argument(shape, message):
    with pytest.raises(ValueError, match=message) as caught:
        dims.from_declared(shape, "input_shape")
    assert "input_shape" in str(caught.value)


def test_anonymous_sizes_take_the_name_of_their_axis():
    dims.forget_labels()
    size = dims.fresh()
    dims.label(size, "length")
    dims.label(size, "time")
    assert dims.show(size) == "length"
    other = dims.fresh()
    dims.label(other, "length")
    assert dims.show(other) == "length_2"
    dims.forget_labels()


def test_shapes_print_in_ordinary_notation():
    assert dims.show_shape((dims.BATCH, 3)) == "(batch, 3)"
    assert dims.show_shape((3,)) == "(3,)"
    assert repr(dims.Dims((dims.BATCH, dims.named("length") // 2))) == "(batch, length//2)"


def test_copies_share_the_scope_of_names():
    length = dims.named("length")
    assert (length - 3) // 2 < length  # the scope keeps what it found out
    assert copy.deepcopy([length])[0] == length
    assert copy.deepcopy(dims.SCOPE) is dims.SCOPE is pickle.loads(pickle.dumps(dims.SCOPE))
