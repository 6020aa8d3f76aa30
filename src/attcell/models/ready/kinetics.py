"""torchvision's networks for Kinetics-400, with its own weights.

What is known of a network comes from torchvision: the names of the classes, the number and rate of the frames
of a clip, the clips of a video and the accuracy from ``weights.meta``; sizes, mean and deviation from
``weights.transforms``. An entry here adds where its evidence can be read.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from attcell._log import are_on_stderr, logger
from attcell.errors import ModelError
from attcell.models.ready.network import ClipProtocol, Preprocessing, ReadyNetwork
from attcell.nn.evidence import GradCAM

PREFIX = "kinetics/"
_LEAST_CLIPS = 5  # *Reading*: also of a network whose accuracy was published of single clips


def _as_it_is(maps: Tensor) -> Tensor:
    return maps


def _channels_last(maps: Tensor) -> Tensor:
    """(N, L', K, K, F) to (N, F, L', K, K)."""
    return maps.movedim(-1, 1)


def _of_tokens(output: tuple[Tensor, tuple[int, int, int]]) -> Tensor:
    """MViT's tokens (N, 1 + L'·K·K, F), of which the first stands for the class, with L', K, K."""
    tokens, sides = output
    return tokens[:, 1:].transpose(1, 2).unflatten(2, sides)


def _grad_cam(layer: str, arrange: Callable[[Any], Tensor] = _as_it_is, where: str = "") -> GradCAM:
    return GradCAM(layer, arrange, f"Grad-CAM at {where or layer}")


# torchvision's name of a network → where its evidence is read. This is all that a new one needs.
_NETWORKS: dict[str, GradCAM] = {
    **dict.fromkeys(("r3d_18", "mc3_18", "r2plus1d_18"), _grad_cam("layer4")),
    "s3d": _grad_cam("features", where="the last convolution"),
    **dict.fromkeys(
        ("mvit_v1_b", "mvit_v2_s"), _grad_cam("blocks.14", _of_tokens, "the tokens that the last block gets")
    ),
    **dict.fromkeys(
        ("swin3d_t", "swin3d_s", "swin3d_b"), _grad_cam("features", _channels_last, "the last block")
    ),
}
NAMES = tuple(PREFIX + name for name in _NETWORKS)


@dataclass(frozen=True)
class KineticsEntry:
    """What is known of a network before it is loaded.

    Attributes:
        name: such as ``kinetics/r3d_18``.
        weights: torchvision's, with ``meta``, ``transforms`` and ``url``.
    """

    name: str
    weights: Any

    @property
    def meta(self) -> Mapping[str, Any]:
        """torchvision's."""
        return cast(Mapping[str, Any], self.weights.meta)

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes."""
        return tuple(self.meta["categories"])

    @property
    def megabytes(self) -> float:
        """Size of the download, in MB."""
        return float(self.meta["_file_size"]) * 2**20 / 1e6

    @property
    def accuracy(self) -> tuple[float, float]:
        """Top-1 and top-5 on Kinetics-400 in percent, as torchvision publishes them."""
        found = self.meta["_metrics"]["Kinetics-400"]
        return found["acc@1"], found["acc@5"]

    @property
    def clip(self) -> ClipProtocol:
        """What torchvision's accuracy was made with."""
        said = dict(re.findall(r"`?(frame_rate|clips_per_video|clip_len)=([\d.]+\d|\d+)", self.meta["_docs"]))
        num_clips = int(said["clips_per_video"])
        return ClipProtocol(
            num_frames=int(said["clip_len"]),
            rate=float(said["frame_rate"]),
            num_clips=num_clips if num_clips > 1 else _LEAST_CLIPS,
            origin="as torchvision tested it" if num_clips > 1 else "frames as torchvision tested it",
        )

    @property
    def preprocessing(self) -> Preprocessing:
        """torchvision's own."""
        preset = self.weights.transforms()
        return Preprocessing(
            resize=tuple(preset.resize_size),
            crop=tuple(preset.crop_size),
            mean=tuple(preset.mean),
            deviation=tuple(preset.std),
            interpolation=preset.interpolation,
        )

    @property
    def evidence(self) -> GradCAM:
        """Where its evidence is read."""
        return _NETWORKS[self.name.removeprefix(PREFIX)]

    @property
    def path(self) -> Path:
        """Where the weights lie, or would after a download: torch's own cache."""
        return Path(torch.hub.get_dir()) / "checkpoints" / Path(self.weights.url).name

    def load(self) -> ReadyNetwork:
        """The network with its weights, which are downloaded if they are not there.

        Raises:
            ModelError: they cannot be downloaded, or are not what they should be.
        """
        from torchvision.models import get_model

        state = self._state()
        name = self.name.removeprefix(PREFIX)
        network: nn.Module = get_model(name, num_classes=len(self.labels))
        try:
            network.load_state_dict(state)
        except (RuntimeError, AttributeError, TypeError) as error:  # keys or values of another kind too
            raise ModelError(
                f"{self.path} holds other weights than those of {self.name}; delete it, and it is downloaded "
                "again"
            ) from error
        return ReadyNetwork(
            self.name, network.eval(), self.labels, self.preprocessing, self.clip, self.evidence
        )

    def _state(self) -> dict[str, Tensor]:
        there = self.path.is_file()
        if not there:
            logger.info(f"downloading {self.name}: {self.megabytes:.0f} MB, once, to {self.path}")
        try:
            with redirect_stdout(io.StringIO()):  # torch says again what is said above, where results go
                state = self.weights.get_state_dict(
                    progress=are_on_stderr(), check_hash=True, weights_only=True
                )
            return dict(state)
        except OSError as error:  # urllib's errors are some too
            if there:
                raise ModelError(self._damaged()) from error
            raise ModelError(self._not_downloaded(str(getattr(error, "reason", error)))) from error
        except Exception as error:  # what torch.load raises for a broken file has no common kind
            raise ModelError(self._damaged() if there else self._not_downloaded(str(error))) from error

    def _not_downloaded(self, why: str) -> str:
        return (
            f"the weights of {self.name} ({self.megabytes:.0f} MB) are not on this machine, and cannot be "
            f"downloaded: {why}. Call it again where there is a network, or fetch them elsewhere and put "
            f"them here: curl -L --create-dirs {self.weights.url} -o {self.path}"
        )

    def _damaged(self) -> str:
        size = self.path.stat().st_size / 1e6
        return (
            f"{self.path} cannot be read as weights: it has {size:.1f} of {self.megabytes:.1f} MB, so the "
            f"download did not come to its end, or it is damaged. Delete it, and it is downloaded again: rm "
            f"{self.path}"
        )


def kinetics_entry(name: str) -> KineticsEntry:
    """The entry of one of ``NAMES``."""
    from torchvision.models import get_model_weights

    return KineticsEntry(name, get_model_weights(name.removeprefix(PREFIX)).DEFAULT)
