"""Log-mel pictures against librosa, torchaudio and the formulas of VGGish's own code."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from attcell.errors import CallError
from attcell.video.sound import RATE, read_sound
from attcell.video.sound.log_mel import LogMel, log_mel, mel_filters
from tests.video.sounding import Track, write_sounding

FORMS = ("vggish", "panns", "ast")


def some_sound(num_samples: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    times = np.arange(num_samples) / RATE
    chirp = 0.3 * np.sin(2 * np.pi * (300 + 2_000 * times) * times)
    return (chirp + 0.05 * rng.standard_normal(num_samples)).astype(np.float32)


def by_vggish(window: np.ndarray) -> np.ndarray:
    """(96, 64) as mel_features.py of tensorflow/models has it, in double precision."""
    frames = np.stack([window[160 * row : 160 * row + 400] for row in range(96)]).astype(np.float64)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi / 400 * np.arange(400))
    spectra = np.abs(np.fft.rfft(frames * hann, 512))

    def mel(hertz):
        return 1127 * np.log(1 + hertz / 700)

    bins, edges = mel(np.linspace(0, 8_000, 257)), np.linspace(mel(125.0), mel(7_500.0), 66)
    weights = np.zeros((257, 64))
    for band in range(64):
        low, middle, high = edges[band : band + 3]
        rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
        weights[:, band] = np.maximum(0, np.minimum(rising, falling))
    weights[0] = 0
    return np.log(spectra @ weights + 0.01)


def by_librosa(window: np.ndarray) -> np.ndarray:
    """(101, 64) as PANNs' authors compute it to check their own."""
    import librosa

    powers = librosa.feature.melspectrogram(
        y=window.astype(np.float64),
        sr=RATE,
        n_fft=512,
        hop_length=160,
        n_mels=64,
        fmin=50,
        fmax=8_000,
        pad_mode="reflect",
    )
    return librosa.power_to_db(powers, ref=1.0, amin=1e-10, top_db=None).T


def by_kaldi(window: np.ndarray) -> np.ndarray:
    from torchaudio.compliance.kaldi import fbank

    found = fbank(
        torch.from_numpy(window)[None], htk_compat=True, sample_frequency=RATE, use_energy=False,
        window_type="hanning", num_mel_bins=128, dither=0.0, frame_shift=10,
    )  # fmt: skip
    return found.numpy()


REFERENCES = {"vggish": by_vggish, "panns": by_librosa, "ast": by_kaldi}


@pytest.mark.parametrize("form", FORMS)
def test_pictures_are_those_of_the_network_that_they_are_named_after(form):
    spec = LogMel(form)
    windows = np.stack([some_sound(spec.num_samples), 0.01 * some_sound(spec.num_samples)])
    pictures = log_mel(torch.from_numpy(windows), spec)
    assert pictures.shape == (2, 1, *spec.shape)
    for window, picture in zip(windows, pictures, strict=True):
        reference = REFERENCES[form](window)
        assert np.abs(picture[0].numpy() - reference).max() < 1e-4


@pytest.mark.real
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "name", ["odd/nasa_13013.mp4", "odd/flipping_a_pancake.mkv", "odd/sine_stereo_mp2.mpg"]
)
def test_the_same_of_real_files(real_data, form, name):
    spec = LogMel(form)
    sound = read_sound(real_data / name)
    for window in sound.around(np.array([1.0, 2.5]), spec.num_samples):
        reference = REFERENCES[form](window)
        picture = log_mel(torch.from_numpy(window)[None], spec)[0, 0].numpy()
        assert np.abs(picture - reference).max() < 1e-4


@pytest.mark.parametrize("form", FORMS)
def test_a_tone_is_in_its_column_and_its_rows(form):
    spec = LogMel(form)
    offsets = (np.arange(spec.num_samples) - spec.num_samples / 2) / RATE
    sound = 0.5 * np.sin(2 * np.pi * 1_000 * offsets) * (offsets > 0.1) * (offsets < 0.3)
    picture = log_mel(torch.from_numpy(sound.astype(np.float32))[None], spec)[0, 0].numpy()
    row, column = np.unravel_index(picture.argmax(), picture.shape)
    assert 0.1 < spec.row_seconds[row] < 0.3
    assert abs(spec.band_hz[column] - 1_000) < 60
    loud = spec.row_seconds[picture[:, column] > picture.max() - 1]
    assert (loud.min(), loud.max()) == pytest.approx((0.1, 0.3), abs=0.02)


def test_every_number_can_be_set():
    spec = LogMel("vggish", bands=40, window_ms=50, hop_ms=20, seconds=0.5)
    assert spec.shape == (25, 40)
    assert spec.num_samples == 24 * 320 + 800
    assert log_mel(torch.zeros(3, spec.num_samples), spec).shape == (3, 1, 25, 40)
    assert log_mel(torch.zeros(0, spec.num_samples), spec).shape == (0, 1, 25, 40)


def test_too_many_bands_are_refused():
    with pytest.raises(
        CallError, match=r"audio.bands is 400, and \d+ of them have no frequency of their own"
    ):
        mel_filters(LogMel("panns", bands=400))


def test_a_file_becomes_pictures(tmp_path):
    sound = read_sound(write_sounding(tmp_path / "a.mp4", Track(tone=1_000.0)))
    spec = LogMel()
    picture = log_mel(torch.from_numpy(sound.around(np.array([1.0]), spec.num_samples)), spec)[0, 0]
    assert abs(spec.band_hz[int(picture.mean(dim=0).argmax())] - 1_000) < 60


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("hz", [300, 1_000, 4_000])
def test_a_tone_is_in_the_column_between_whose_edges_it_lies(form, hz):
    spec = LogMel(form)
    tone = np.sin(2 * np.pi * hz * np.arange(spec.num_samples) / RATE).astype(np.float32)
    picture = log_mel(torch.from_numpy(tone)[None], spec)[0, 0].mean(dim=0)
    for num_columns in (len(picture), len(picture) // 8):
        edges = spec.edges_hz(num_columns)
        assert len(edges) == num_columns + 1
        column = int(picture.unflatten(0, (num_columns, -1)).amax(dim=1).argmax())
        between = RATE / spec.window  # Hz that a row tells apart
        assert edges[column] - between <= hz <= edges[column + 1] + between
