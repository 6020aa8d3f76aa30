"""What a researcher would look for is there under one name."""

from __future__ import annotations

import pytest

import attcell.metrics


def test_everything_that_is_named_is_there() -> None:
    homes = [name for names in attcell.metrics._HOMES.values() for name in names]
    assert sorted(homes) == sorted(attcell.metrics.__all__)
    for name in attcell.metrics.__all__:
        assert callable(getattr(attcell.metrics, name))


def test_what_is_not_named_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'top_five'"):
        attcell.metrics.top_five  # noqa: B018
