"""The features that a network's linear classifier reads."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from rethinkdc.errors import RequestError


class Penultimate:
    """Captures the input of a module's linear classifier while the ``with`` block is open.

    The classifier is what timm's ``get_classifier`` names, else the last ``nn.Linear`` of the module; each forward
    checks that the logits really come out of it. The hooks are removed when the block ends, also by an exception.

    Example::

        with Penultimate(model) as penultimate:
            logits = model(images)
            features = penultimate.features  # [B, D], detached, of the last forward
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._classifier = linear_classifier(model)
        self._features: Tensor | None = None
        self._logits: Any = None
        self._handles: list[RemovableHandle] = []

    @property
    def dimensions(self) -> int:
        """D, the width of the features."""
        return int(self._classifier.in_features)

    @property
    def features(self) -> Tensor:
        """Float [B, D] of the last forward, detached, in the dtype that the classifier read.

        Raises:
            RequestError: no forward has run since the block was entered.
        """
        if self._features is None:
            raise RequestError("There are no features yet: run the model once inside the 'with Penultimate' block.")
        return self._features

    def __enter__(self) -> Penultimate:
        self._handles = [
            self._classifier.register_forward_hook(self._capture),
            self._model.register_forward_hook(self._check),
        ]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._features = self._logits = None

    def _capture(self, _: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        self._features = inputs[0].detach().flatten(1)
        self._logits = output

    def _check(self, _: nn.Module, __: tuple[Any, ...], output: Any) -> None:
        logits, self._logits = self._logits, None
        if logits is None or not isinstance(output, Tensor) or output.data_ptr() != logits.data_ptr():
            self._features = None
            raise _no_classifier(self._model)


def linear_classifier(model: nn.Module) -> nn.Linear:
    """What timm's ``get_classifier`` names, else the last ``nn.Linear``.

    Raises:
        RequestError: there is none.
    """
    named = getattr(model, "get_classifier", None)
    if callable(named):
        classifier = named()
        if isinstance(classifier, nn.Linear):
            return classifier
        raise _no_classifier(model)
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise _no_classifier(model)
    return linear[-1]


def _no_classifier(model: nn.Module) -> RequestError:
    return RequestError(
        f"{type(model).__name__} has no linear classifier that its logits come out of, so it has no penultimate "
        "features. Choose a model that ends in one nn.Linear, for example 'resnet18-3x3' or 'timm/resnet18'."
    )
