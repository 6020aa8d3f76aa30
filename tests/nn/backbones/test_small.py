"""The small backbone for pictures of sound."""

from __future__ import annotations

import pytest
import torch

from attcell.nn import build_backbone
from attcell.nn.backbones.small import small_sound_cnn


@pytest.mark.parametrize(("tap", "shape"), [(None, (64, 12, 8)), ("block2", (32, 24, 16))])
def test_its_map_is_time_by_frequency(tap, shape):
    backbone = build_backbone("small_sound", tap=tap, in_channels=1)
    assert backbone(torch.zeros(2, 1, 96, 64)).shape == (2, *shape)
    assert backbone.out_channels == shape[0]
    assert len(backbone.weight_keys) == 9  # of all blocks, whichever the tap is


def test_a_region_is_where_it_is_drawn():
    """What lies in the middle of a region changes this region most."""
    torch.manual_seed(0)
    network = small_sound_cnn()[0].eval()
    silence = torch.zeros(1, 1, 96, 64)
    before = network(silence)
    for row, column in ((3, 2), (6, 5), (8, 4)):
        sound = silence.clone()
        sound[..., 8 * row + 2 : 8 * row + 6, 8 * column + 2 : 8 * column + 6] = 1.0
        change = (network(sound) - before).square().sum(dim=1)[0]
        assert divmod(int(change.argmax()), 8) == (row, column)
