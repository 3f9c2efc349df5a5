import numpy as np
import pytest

from lamina import regularizers


def test_get_takes_what_keras_takes():
    own = lambda x: 0.0
    assert regularizers.get(None) is None
    assert regularizers.get(own) is own
    assert regularizers.get(regularizers.L2).l2 == 0.01
    assert regularizers.get("l1_l2").get_config() == {"l1": 0.0, "l2": 0.0}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: regularizers.get("l3"), "unknown regularizer 'l3'"),
        (lambda: regularizers.L1(-1.0), "`l1`=-1.0"),
        (lambda: regularizers.L2(float("nan")), "`l2`=nan"),
        (lambda: regularizers.L2("0.1"), "`l2`='0.1'"),
        (lambda: regularizers.OrthogonalRegularizer(mode="row"), "did you mean 'rows'"),
        (lambda: regularizers.OrthogonalRegularizer()(np.ones(3)), r"2 axes; the weight has shape \(3,\)"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_single_row_has_no_other_to_stand_at_right_angles_to():
    assert float(regularizers.OrthogonalRegularizer()(np.ones((1, 3)))) == 0
