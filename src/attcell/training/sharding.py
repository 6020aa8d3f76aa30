"""A network in shards: each process holds a part of each weight, of its gradient and the optimizer's state.

PyTorch's ``fully_shard`` (FSDP2) gathers a unit's weights when the unit is about to be used. Units are the
streams' backbones and the rest. On disk everything is whole, and the same as of a training without shards.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer

from attcell.nn import Network


class WholeCopy:
    """A whole copy of a network whose weights lie in shards, to be judged and kept.

    Processes judge different numbers of videos, so they could not gather weights together on the way.
    """

    def __init__(self, network: Network) -> None:
        self.network = copy.deepcopy(network).eval()

    def take(self, sharded: Network, device: torch.device) -> None:
        """Take the weights of now, on this device. All processes call it at once."""
        whole = {key: _whole(value, device) for key, value in sharded.state_dict().items()}
        self.network.to(device).load_state_dict(whole)

    def put_away(self) -> None:
        """Give the device's memory back."""
        self.network.cpu()


class ShardedStrategy(DDPStrategy):
    """Lightning's way with several processes, of a network in shards. It reads and writes whole checkpoints,
    so that a run goes on with another number of processes, with shards or without.
    """

    @property
    def restore_checkpoint_after_setup(self) -> bool:
        return True

    def configure_ddp(self) -> None:
        learner: Any = self.lightning_module
        learner.whole_copy = WholeCopy(learner.network)
        shard(learner.network, self.root_device.type, kept_features=learner.training_data.kept_features)

    def lightning_module_state_dict(self) -> dict[str, Any]:
        assert self.lightning_module is not None
        return {key: _whole(value, "cpu") for key, value in self.lightning_module.state_dict().items()}

    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        assert self.lightning_module is not None
        now = self.lightning_module.state_dict()
        saved = {key: _as(now[key], value) for key, value in checkpoint["state_dict"].items() if key in now}
        self.lightning_module.load_state_dict(saved, strict=strict)

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        state: dict[str, Any] = super().optimizer_state(optimizer)
        whole = {
            key: {name: _whole(value, "cpu") for name, value in of.items()}
            for key, of in state["state"].items()
        }
        return {**state, "state": whole}

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        for optimizer, saved in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            keys = [key for group in saved["param_groups"] for key in group["params"]]
            state = {
                key: {name: _as(parameter, value) for name, value in saved["state"][key].items()}
                for key, parameter in zip(keys, trained, strict=True)
                if key in saved["state"]
            }
            optimizer.load_state_dict({**saved, "state": state})


def shard(network: Network, device: str, *, kept_features: bool) -> None:
    """Shard a network, in place, over all processes.

    Args:
        network: with the same weights in each process.
        device: of what kind, such as cuda.
        kept_features: its feature maps are there, so that its backbones are not asked.
    """
    mesh = init_device_mesh(device, (torch.distributed.get_world_size(),))
    for name in network.stream_names():
        backbone = network.stream(name).backbone
        if any(parameter.numel() for parameter in backbone.parameters()):
            fully_shard(backbone, mesh=mesh)
    fully_shard(network, mesh=mesh)
    if kept_features:
        register_fsdp_forward_method(network, "attend")


def _whole(value: Any, device: torch.device | str) -> Any:
    """A tensor as a whole on this device; what is no tensor stays."""
    whole = value.full_tensor() if isinstance(value, DTensor) else value
    return whole.to(device) if isinstance(whole, Tensor) else whole


def _as(like: Tensor, value: Any) -> Any:
    """A whole tensor in shards as ``like`` is; what is not of its shape stays."""
    if not (isinstance(like, DTensor) and isinstance(value, Tensor) and value.shape == like.shape):
        return value
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements, src_data_rank=None)
