import jax
import jax.numpy as jnp
import pytest

from lamina.shapes import dims, tracing

LENGTH = dims.named("length")


def spec(*shape, dtype="float32"):
    return jax.ShapeDtypeStruct(shape, dtype)


def shown(function, *specs):
    return dims.show_shape(tracing.trace(function, *specs).shape)


def test_symbolic_sizes_pass_through():
    assert shown(lambda x: x[:, ::2], spec(dims.BATCH, LENGTH)) == "(batch, (length + 1)//2)"


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: [x[:, i] for i in range(x.shape[1])][-1], "(batch, 2)"),
        (lambda x: x[:, : x.shape[1] // 2] if x.shape[1] > 4 else x, "(batch, length//2, 2)"),
        (lambda x: jnp.stack([x[:, i] for i in range(x.shape[1])], 1), "(batch, length, 2)"),
        (lambda x: jnp.concatenate([x[:, i] for i in range(x.shape[1])], 1), "(batch, 2*length)"),
        (lambda x: jnp.zeros((int(x.shape[1]) + 3, 7)), "(length + 3, 7)"),
    ],
)
def test_where_a_size_must_be_known_it_is_read_off_from_samples(function, expected):
    assert shown(function, spec(dims.BATCH, LENGTH, 2)) == expected


def test_a_size_that_follows_no_line_gets_a_name_of_its_own():
    out = tracing.trace(lambda x: jnp.zeros(int(x.shape[0]) ** 2), spec(LENGTH))
    assert not dims.is_known(out.shape[0])
    assert out.shape[0] != LENGTH


def test_an_open_size_may_meet_a_fixed_one():
    assert shown(lambda x: x + jnp.ones((5, 2)), spec(dims.BATCH, LENGTH, 2)) == "(batch, 5, 2)"


def test_what_fits_no_size_is_refused_with_the_first_error():
    with pytest.raises(TypeError, match="contracting"):
        tracing.trace(lambda x: x @ jnp.ones((3, 4)), spec(dims.BATCH, 2))
    with pytest.raises(TypeError, match="contracting"):
        tracing.trace(lambda x: x @ jnp.ones((3, 4)), spec(dims.BATCH, LENGTH, 2))


def test_structures_come_back_as_they_are():
    out = tracing.trace(lambda x: {"a": x, "b": (x.sum(), None)}, spec(dims.BATCH, 2))
    assert set(out) == {"a", "b"}
    assert out["b"][1] is None


def test_sizes_are_put_in():
    assert tracing.substitute((dims.BATCH, (LENGTH - 3) // 2 + 1, 4), {"batch": 8, "length": 11}) == (8, 5, 4)
