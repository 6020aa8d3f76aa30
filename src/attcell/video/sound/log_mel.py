"""Log-mel pictures of sound, as the networks of AudioSet saw them: rows are time, columns are frequency.

A picture of a window of sound is (1, F, M): row f is the moment f · hop after the first one, column m a band
of the mel scale, the lowest first. The forms, with what each network's published code does:

- ``vggish`` (Hershey et al., ICASSP 2017; tensorflow/models/research/audioset/vggish): magnitudes of a Hann
  window of 25 ms every 10 ms, 64 bands of HTK's mel scale from 125 to 7,500 Hz, the natural logarithm of
  them + 0.01, 96 rows. The default.
- ``panns`` (Kong et al., TASLP 2020; CNN14 at 16 kHz of audioset_tagging_cnn): powers of a Hann window of
  512 samples every 160, centred on each row with the ends reflected, 64 bands of Slaney's scale with his norm
  from 50 to 8,000 Hz, 10 · log10 of at least 1e-10. 101 rows, one second, are our choice.
- ``ast`` (Gong et al., Interspeech 2021): Kaldi's filter banks, 128 bands from 20 to 8,000 Hz of a Hann
  window of 25 ms every 10 ms, without dither, seen with AudioSet's mean and twice its deviation. 96 rows are
  our choice, its own are 1,024.

The filters are torchaudio's; it comes with the extra ``audio``.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from attcell.choices import SoundForm
from attcell.errors import CallError, installing
from attcell.video.sound.reading import RATE


class _Form(NamedTuple):
    """What a network's pictures are made with."""

    bands: int
    rows: int
    window_ms: float
    hop_ms: float
    hz: tuple[float, float]
    scale: Literal["htk", "slaney"]
    mean: float = 0.0
    deviation: float = 1.0


_FORMS: dict[SoundForm, _Form] = {
    "vggish": _Form(64, 96, 25, 10, (125, 7500), "htk"),
    "panns": _Form(64, 101, 32, 10, (50, 8000), "slaney"),
    "ast": _Form(128, 96, 25, 10, (20, 8000), "htk", -4.2677393, 2 * 4.5689974),
}
LEAST_BANDS = 3  # with fewer nothing is between the lowest and the highest
_VGGISH_OFFSET, _PANNS_FLOOR = 0.01, 1e-10


@dataclass(frozen=True)
class LogMel:
    """How a window of sound becomes a picture. What is None is as the form's network has it.

    Attributes:
        form: whose pictures.
        bands: M.
        window_ms, hop_ms: of the short-time Fourier transform, in milliseconds.
        seconds: from the first row to behind the last: F rows, hop_ms each.
    """

    form: SoundForm = "vggish"
    bands: int | None = None
    window_ms: float | None = None
    hop_ms: float | None = None
    seconds: float | None = None

    @property
    def _form(self) -> _Form:
        return _FORMS[self.form]

    @property
    def hop(self) -> int:
        """Samples from one row to the next."""
        return max(1, round(RATE * (self.hop_ms or self._form.hop_ms) / 1000))

    @property
    def window(self) -> int:
        """Samples that a row looks at."""
        return max(2, round(RATE * (self.window_ms or self._form.window_ms) / 1000))

    @property
    def shape(self) -> tuple[int, int]:
        """(F, M): rows of time, and columns of frequency."""
        rows = self._form.rows if self.seconds is None else max(1, round(self.seconds * RATE / self.hop))
        return rows, self.bands or self._form.bands

    @property
    def num_samples(self) -> int:
        """Of the window of sound that a picture shows."""
        between = (self.shape[0] - 1) * self.hop
        return between if self._is_centred else between + self.window

    @property
    def window_seconds(self) -> float:
        """The same in seconds."""
        return self.num_samples / RATE

    @property
    def hertz(self) -> tuple[float, float]:
        """The lowest and the highest frequency."""
        return self._form.hz

    @property
    def figures(self) -> tuple[float, float]:
        """Mean and deviation that the form's network takes its pictures with."""
        return self._form.mean, self._form.deviation

    @property
    def row_seconds(self) -> np.ndarray:
        """(F,) the middle of what each row looks at, counted from the middle of the window."""
        first = 0 if self._is_centred else self.window / 2
        return (first + self.hop * np.arange(self.shape[0]) - self.num_samples / 2) / RATE

    @property
    def band_hz(self) -> np.ndarray:
        """(M,) the middle of each column, in Hz."""
        low, high = (_to_mel(hz, self._form.scale) for hz in self._form.hz)
        return _to_hz(np.linspace(low, high, self.shape[1] + 2)[1:-1], self._form.scale)

    def edges_hz(self, num_columns: int) -> np.ndarray:
        """(K + 1,) the frequencies between which the K columns of a map lie, each of as many bands."""
        bands = self.band_hz
        between = np.concatenate([[bands[0] ** 2 / bands[1]], bands, [bands[-1] ** 2 / bands[-2]]])
        edges = np.sqrt(between[:-1] * between[1:])  # (M + 1,)
        return np.interp(np.linspace(0, len(bands), num_columns + 1), np.arange(len(bands) + 1), edges)

    @property
    def _is_centred(self) -> bool:
        return self.form == "panns"


def log_mel(windows: Float[Tensor, "n W"], spec: LogMel) -> Float[Tensor, "n 1 F M"]:
    """Log-mel pictures of windows of ``spec.num_samples`` samples at 16 kHz.

    Raises:
        CallError: torchaudio is not there, or the spec has more bands than a spectrum can tell apart.
    """
    if not len(windows):
        return windows.new_zeros(0, 1, *spec.shape)
    if spec.form == "ast":
        return torch.stack([_kaldi_banks(window, spec) for window in windows])[:, None]
    length, size, filters = spec.window, _spectrum_size(spec), mel_filters(spec).double()
    windows = windows.double()  # beside a loud tone, single precision hides what is quiet
    if spec.form == "panns":
        ends = (length // 2, length - length // 2)
        windows = nn.functional.pad(windows[:, None], ends, mode="reflect")[:, 0]
    hann = torch.hann_window(length, dtype=torch.float64)
    rows = windows.unfold(-1, length, spec.hop)[:, : spec.shape[0]] * hann
    spectra = torch.fft.rfft(rows, n=size).abs()
    if spec.form == "panns":
        pictures = 10 * (spectra.square() @ filters).clamp_min(_PANNS_FLOOR).log10()
    else:
        pictures = (spectra @ filters + _VGGISH_OFFSET).log()
    return pictures[:, None].float()


class _InDouble(TorchFunctionMode):
    """What a library spaces evenly here is in double precision: in single, filters miss 1e-4 dB."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.linspace:
            kwargs.setdefault("dtype", torch.float64)
        return func(*args, **kwargs)


@cache
def mel_filters(spec: LogMel) -> Float[Tensor, "bins M"]:
    """The weight of each bin of a spectrum in each band.

    VGGish's triangles are even on the mel scale, as Kaldi's are, those of PANNs on the scale of Hz.

    Raises:
        CallError: torchaudio is not there, there are less than ``LEAST_BANDS`` bands, or some band has no bin
            where the form's own bands and spectra are not asked for.
    """
    torchaudio = _torchaudio()
    if spec.shape[1] < LEAST_BANDS:
        raise CallError(f"audio.bands is {spec.shape[1]}; at least {LEAST_BANDS} are needed")
    (low, high), size, bands = _FORMS[spec.form].hz, _spectrum_size(spec), spec.shape[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of bands without a bin, which are refused below
        if _FORMS[spec.form].scale == "slaney":
            with _InDouble():
                filters = torchaudio.functional.melscale_fbanks(
                    size // 2 + 1, low, high, bands, RATE, norm="slaney", mel_scale="slaney"
                )
        else:
            kaldi = torchaudio.compliance.kaldi
            banks, _ = kaldi.get_mel_banks(bands, size, RATE, low, high, 100.0, -500.0, 1.0)  # nothing warped
            filters = nn.functional.pad(banks, (0, 1)).T.contiguous()
    empty = int((filters.amax(dim=0) == 0).sum())
    own = LogMel(spec.form)
    if empty and (bands, size) != (own.shape[1], _spectrum_size(own)):
        raise CallError(
            f"audio.bands is {bands}, and {empty} of them have no frequency of their own in windows of "
            f"{1000 * spec.window / RATE:g} ms; take fewer bands, or a larger audio.window_ms"
        )
    return filters


def _spectrum_size(spec: LogMel) -> int:
    """Samples of the Fourier transform."""
    return spec.window if spec.form == "panns" else 2 ** (spec.window - 1).bit_length()


def _kaldi_banks(window: Float[Tensor, " W"], spec: LogMel) -> Float[Tensor, "F M"]:
    banks: Tensor = _torchaudio().compliance.kaldi.fbank(
        window[None],
        frame_length=1000 * spec.window / RATE,
        frame_shift=1000 * spec.hop / RATE,
        num_mel_bins=spec.shape[1],
        sample_frequency=RATE,
        htk_compat=True,
        use_energy=False,
        window_type="hanning",
        dither=0.0,
    )
    return banks


def _torchaudio() -> Any:
    """The library of the mel filters.

    Raises:
        CallError: it is not installed, or does not fit PyTorch.
    """
    try:
        import torchaudio
        import torchaudio.compliance.kaldi
    except (ImportError, OSError) as error:
        raise CallError(
            f"a stream of sound needs torchaudio, which cannot be imported ({error}): "
            f"{installing('audio')}; or leave the stream out"
        ) from error
    return torchaudio


def _to_mel(hz: float, scale: Literal["htk", "slaney"]) -> float:
    if scale == "htk":
        return 1127 * math.log(1 + hz / 700)
    return 3 * hz / 200 if hz < 1000 else 15 + 27 * math.log(hz / 1000) / math.log(6.4)


def _to_hz(mels: np.ndarray, scale: Literal["htk", "slaney"]) -> np.ndarray:
    if scale == "htk":
        return 700 * (np.exp(mels / 1127) - 1)
    return np.where(mels < 15, 200 * mels / 3, 1000 * np.exp(math.log(6.4) * (mels - 15) / 27))
