"""Network architectures: the contract, the outside libraries, and the features before the classifier."""

from rethinkdc.models.external import TimmModel, TorchvisionModel, external_model, require_listed
from rethinkdc.models.model import Model, build_seeded
from rethinkdc.models.penultimate import Penultimate
from rethinkdc.models.weights import weights_digest

__all__ = [
    "Model",
    "Penultimate",
    "TimmModel",
    "TorchvisionModel",
    "build_seeded",
    "external_model",
    "require_listed",
    "weights_digest",
]
