"""The shapes in the signatures are checked while the tests run."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError

from attcell.metrics.recognition import top_k_accuracy
from attcell.nn import AttCell, STANOutput, attended_sum


def test_a_wrong_shape_is_refused():
    with pytest.raises(TypeCheckError):
        attended_sum(torch.zeros(2, 3), torch.zeros(2, 4, 5))
    with pytest.raises(TypeCheckError):
        top_k_accuracy(np.zeros((3, 2)), np.zeros(4, dtype=int), 1)


def test_a_wrong_type_is_refused():
    with pytest.raises(TypeCheckError):
        AttCell(4)(torch.zeros(2, 3, 4, dtype=torch.int64))


def test_the_fields_of_an_output_agree():
    good = {
        "logits": torch.zeros(2, 7),
        "spatial_scores": {},
        "spatial_attention": {},
        "temporal_scores": torch.zeros(2, 3),
        "temporal_attention": torch.zeros(2, 3),
        "segments": torch.zeros(2, 3, 5),
        "video": torch.zeros(2, 5),
    }
    STANOutput(**good)
    with pytest.raises(TypeCheckError):
        STANOutput(**{**good, "video": torch.zeros(2, 6)})
