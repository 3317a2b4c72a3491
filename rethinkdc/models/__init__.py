"""Network architectures: the contract, the outside libraries, and the features before the classifier."""

from rethinkdc.models.external import TimmModel, TorchvisionModel, external_model, require_listed
from rethinkdc.models.model import Model, build_seeded
from rethinkdc.models.penultimate import Penultimate
from rethinkdc.models.weight_files import Weights, read_weights
from rethinkdc.models.weight_names import fill_network
from rethinkdc.models.weights import weights_digest

__all__ = [
    "Model",
    "Penultimate",
    "TimmModel",
    "TorchvisionModel",
    "Weights",
    "build_seeded",
    "external_model",
    "fill_network",
    "read_weights",
    "require_listed",
    "weights_digest",
]
