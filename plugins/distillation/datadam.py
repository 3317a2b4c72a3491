"""DataDAM: attention matching (Sajedi et al., ICCV 2023, arXiv 2310.00093; DataDistillation/DataDAM at 0f6ea09).

Values are those of the table of parameters that its README shows (img/HPTable.png); what that leaves open is from the
defaults of main_DataDAM.py. Where the two differ the table counts: the code has a power of 1 and 20,000 iterations.
How deep the network is beyond 32 px stands in neither: depths are those that authors of other methods have there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from rethinkdc.contracts import Method, OfKind, Protocol, Reference, Setting, UnsupportedError, hookimpl
from rethinkdc.distillation import (
    DistributionMatching,
    Preset,
    attention_maps,
    mean_distance,
    rectified,
    resolve,
)

SCALE = 100.0
"""Of the whole loss, in main_DataDAM.py: the rate of the images goes with it."""
_FEW = 50
"""Images per class up to which the authors' table has the smaller rate."""
_TABLE = "img/HPTable.png of DataDistillation/DataDAM at 0f6ea09"


class DataDAM(DistributionMatching):
    """Moves images until untrained networks look at the same places, and see the same features, as in real ones.

    Where a network looks is the spatial attention of each ReLU but the last: the sum over channels of the power of what
    it gives, of unit length. The means over the images of a class are matched, and those of the features that the
    classifier reads, weighted by ``balance``.
    """

    name: ClassVar[str] = "datadam"
    paper: ClassVar[str] = "arXiv 2310.00093"

    iterations: int = Field(
        default=8_000, ge=1, description="Networks that are drawn, one step of the images for each."
    )
    lr: float | None = Field(default=None, gt=0, description="Rate of the images; none = 1, and 10 above ipc 50.")
    power: float = Field(default=4.0, ge=1, description="Of what a ReLU gives, before it is summed over channels.")
    balance: float | None = Field(
        default=None, ge=0, description="Weight of the features' distance beside the attention's; none = the paper's."
    )
    batch: int = Field(default=64, ge=1, description="Real images of the class in each iteration.")
    network: Annotated[Reference | None, OfKind("model")] = Field(
        default=None, description="Architecture of the random networks, with two ReLUs at least; none = the paper's."
    )

    presets: ClassVar[Mapping[str, Preset]] = {
        "cifar10": Preset({"balance": 0.01, "network": Reference(name="convnet")}, _TABLE),
        "cifar100": Preset({"balance": 0.01, "network": Reference(name="convnet")}, _TABLE),
        "tiny-imagenet": Preset(
            {"balance": 0.02, "network": Reference(name="convnet", values={"depth": 4})},
            f"{_TABLE}, of high resolution; ConvNet of depth 4 as DATM's configs have it for 64 px",
        ),
        "imagenet-1k": Preset(
            {"balance": 0.02, "network": Reference(name="convnet", values={"depth": 5})},
            f"{_TABLE}, of high resolution; ConvNet of depth 5 as MTT's readme has it for 128 px",
        ),
    }

    def settings(self, protocol: Protocol, ipc: int | None) -> dict[str, Setting]:
        settings = resolve(self, self.presets, protocol.store.size, protocol.data.classes)
        if self.lr is None and ipc is not None:
            settings["lr"] = Setting(1.0 if ipc <= _FEW else 10.0, f"{_TABLE} for ipc {ipc}")
        return settings

    def distance(self, network: nn.Module, real: Tensor, made: Tensor, values: Mapping[str, Any]) -> Tensor:
        with rectified(network) as seen:
            with torch.no_grad():
                looked = seen(real)
            ours = seen(made)
        if len(ours.layers) < 2:
            raise UnsupportedError(
                f"{self.name} matches what every ReLU but the last gives, and {values['network']} has "
                f"{len(ours.layers)}. Choose a network with two at least, for example network=[convnet:depth=2]."
            )
        pairs = zip(looked.layers[:-1], ours.layers[:-1], strict=True)
        attention = torch.stack(
            [mean_distance(attention_maps(a, self.power), attention_maps(b, self.power)) for a, b in pairs]
        ).sum()
        balance: float = values["balance"]
        return SCALE * (attention + balance * mean_distance(looked.features, ours.features))


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``datadam``."""
    return [DataDAM]
