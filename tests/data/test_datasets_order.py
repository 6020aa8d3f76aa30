"""The stream of training videos: the same whoever draws it, in however many parts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from attcell.data.order import BalancedVideos, ShuffledVideos, TrainingOrder

seeds = st.integers(0, 2**23 - 1)


@st.composite
def splits(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """Number of videos, batch size, and a split of the batch into accumulate × devices."""
    accumulate, devices = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    return draw(st.integers(1, 30)), accumulate * devices * draw(st.integers(1, 3)), accumulate, devices


@given(splits(), seeds, st.integers(0, 20), st.integers(1, 5))
def test_any_split_sees_the_same_videos_in_the_same_iteration(split, seed, start, length):
    num_videos, batch_size, accumulate, devices = split
    for iteration in range(start, start + length):
        only = range(iteration, iteration + 1)
        whole = list(TrainingOrder(ShuffledVideos(num_videos, seed), batch_size, only))
        parts = [
            list(
                TrainingOrder(
                    ShuffledVideos(num_videos, seed), batch_size, only,
                    accumulate=accumulate, device=device, num_devices=devices,
                )
            )
            for device in range(devices)
        ]  # fmt: skip
        assert len({len(part) for part in parts}) == 1
        assert sorted(sample for part in parts for sample in part) == sorted(whole)
        assert len(whole) == batch_size


@given(splits(), seeds)
def test_parts_hold_their_batch_in_order(split, seed):
    num_videos, batch_size, accumulate, devices = split
    order = [
        TrainingOrder(
            ShuffledVideos(num_videos, seed),
            batch_size,
            range(3),
            accumulate=accumulate,
            device=device,
            num_devices=devices,
        )
        for device in range(devices)
    ]
    assert all(one.part_size * accumulate * devices == batch_size for one in order)
    drawn = [list(one) for one in order]
    together = [
        sample
        for start in range(0, 3 * accumulate * order[0].part_size, order[0].part_size)
        for device in drawn
        for sample in device[start : start + order[0].part_size]
    ]
    assert together == list(TrainingOrder(ShuffledVideos(num_videos, seed), batch_size, range(3)))


@given(st.integers(1, 30), st.integers(1, 8), seeds)
def test_every_pass_is_a_permutation(num_videos, batch_size, seed):
    drawn = list(TrainingOrder(ShuffledVideos(num_videos, seed), batch_size, range(3 * num_videos)))
    assert [position for _, position in drawn] == list(range(3 * num_videos * batch_size))
    videos = [video for video, _ in drawn]
    for start in range(0, len(videos), num_videos):
        assert sorted(videos[start : start + num_videos]) == list(range(num_videos))


@given(splits(), seeds, st.integers(0, 10), st.integers(0, 10))
def test_resuming_goes_on_with_the_stream(split, seed, before, after):
    num_videos, batch_size, accumulate, devices = split

    def order(iterations: range) -> TrainingOrder:
        return TrainingOrder(
            ShuffledVideos(num_videos, seed), batch_size, iterations,
            accumulate=accumulate, device=devices - 1, num_devices=devices,
        )  # fmt: skip

    first, second = order(range(before)), order(range(before, before + after))
    whole = order(range(before + after))
    assert list(first) + list(second) == list(whole)
    assert len(first) + len(second) == len(whole) == len(list(whole))


def test_passes_and_seeds_differ():
    first = [video for video, _ in TrainingOrder(ShuffledVideos(50, 0), 50, range(1))]
    assert first != [video for video, _ in TrainingOrder(ShuffledVideos(50, 0), 50, range(1, 2))]
    assert first != [video for video, _ in TrainingOrder(ShuffledVideos(50, 1), 50, range(1))]


labels = st.lists(
    st.sets(st.integers(0, 4), max_size=2).map(lambda of: tuple(sorted(of))), min_size=1, max_size=12
)


@given(labels, seeds)
def test_every_class_has_one_video_in_a_round_and_its_videos_come_in_passes(labels, seed):
    drawn, classes = BalancedVideos(labels, seed), sorted({one for of in labels for one in of or (-1,)})
    rounds = 2 * len(labels)
    videos = [drawn.video_at(position) for position in range(rounds * len(classes))]
    pools = {one: [n for n, of in enumerate(labels) if one in (of or (-1,))] for one in classes}
    expected = [0.0] * len(labels)
    for pool in pools.values():
        for video in pool:
            expected[video] += rounds / len(pool)
    counts = [videos.count(video) for video in range(len(labels))]
    most = max(1, *map(len, labels))
    assert all(abs(count - wanted) < most for count, wanted in zip(counts, expected, strict=True))
    if all(len(of) == 1 for of in labels):
        for start in range(0, len(videos), len(classes)):
            assert sorted(labels[video][0] for video in videos[start : start + len(classes)]) == classes


@given(labels, seeds, st.permutations(range(30)))
def test_a_balanced_video_follows_from_its_position_alone(labels, seed, places):
    in_order, drawn = BalancedVideos(labels, seed), BalancedVideos(labels, seed)
    expected = [in_order.video_at(position) for position in range(30)]
    assert [drawn.video_at(position) for position in places] == [expected[position] for position in places]
