"""What a view op is: geometry first, pixels second."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer
from torch import Tensor

from rethinkdc.types import Interpolation

CODE = "code"
"""What the dump of a package's op tells beside its parameters."""


class ViewOp(BaseModel, ABC):
    """One step of a view, named in protocol files by its field ``op``; the other fields are its parameters.

    ``view_uniforms`` and ``batch_uniforms`` are the number of uniforms that the op takes for each view and for each
    batch, fixed by its parameters: what one op draws never shifts what another one sees. ``code`` is the digest of the
    code of an op that a package registers, which belongs to every key: what is changed never meets what it made before.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    batch_uniforms: ClassVar[int] = 0
    code: ClassVar[str] = ""

    op: str

    @model_serializer(mode="wrap")
    def with_code(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The parameters, and the code where it is a package's."""
        dumped: dict[str, Any] = dump(self)
        return {**dumped, CODE: self.code} if self.code else dumped

    @property
    def view_uniforms(self) -> int:
        """How many uniforms each view takes; a class variable in ops for which it is one number."""
        return 0

    @abstractmethod
    def place(self, per_view: Tensor, per_batch: Tensor, sizes: Tensor) -> Tensor:
        """Turns uniforms into the op's parameters; touches no pixel.

        Args:
            per_view: float64 [B, view_uniforms] in [0, 1).
            per_batch: float64 [batch_uniforms] in [0, 1).
            sizes: int64 [B, 2], height and width that each view is placed in.
        """


class CropOp(ViewOp):
    """An op that chooses where in its source a view lies; the renderer resamples that box to the view's size."""

    interpolation: Interpolation = Field(default="bilinear", description="antialiased resampling filter")

    @abstractmethod
    def place(self, per_view: Tensor, per_batch: Tensor, sizes: Tensor) -> Tensor:
        """Boxes int64 [B, 4] as (y, x, height, width), each inside (0, 0, *sizes)."""


class PixelOp(ViewOp):
    """An op on rendered views, each by itself.

    Where ``on_sources`` is true it may also come before the crop: it then works on whole sources, of any one size.
    """

    on_sources: ClassVar[bool] = False

    @abstractmethod
    def render(self, pixels: Tensor, placed: Tensor) -> Tensor:
        """Applies the parameters ``placed`` to uint8 [B, 3, S, S]; gives the same shape and type, channels-last.

        An op on sources is given uint8 [B, 3, h, w].
        The caller gives ``pixels`` up: the op may write into it.
        """


class DifferentiableOp(PixelOp):
    """An op on rendered views whose maths runs on floats as well: of any range, on any device, with gradients."""

    @abstractmethod
    def warp(self, images: Tensor, placed: Tensor) -> Tensor:
        """Applies ``placed``, one row of it for each image or one for all, to float [B, 3, S, S].

        Gives the same shape and type and leaves ``images`` as they were. What comes from beyond an image is zero.
        Any number of derivatives; on a GPU they repeat themselves bit for bit.
        """


class MixOp(ViewOp):
    """An op that puts a part, or a share, of another view of the same batch into each view."""

    @abstractmethod
    def partners(self, per_view: Tensor) -> Tensor:
        """Int64 [B]: position in the batch of the view mixed into each view, a permutation."""

    @abstractmethod
    def render(self, pixels: Tensor, placed: Tensor, partner: Tensor) -> Tensor:
        """Mixes uint8 [B, 3, S, S] with ``pixels[partner]``; the caller gives ``pixels`` up.

        Gives the same shape, channels-last: uint8, or float32 in 0..1 where uint8 would have to round.
        """

    @abstractmethod
    def area(self, placed: Tensor, size: int, count: int) -> Tensor:
        """Float32 [count]: share of each view of ``size`` x ``size`` that shows its partner, as really mixed in."""


class BetaMixOp(MixOp):
    """A mix with one kept share per batch, from Beta(``alpha``, ``alpha``), and partners by one uniform per view.

    Of batches a share ``p`` is mixed; the others keep all.
    """

    view_uniforms: ClassVar[int] = 1

    alpha: float = Field(gt=0.0, description="both parameters of the Beta distribution of the kept share")
    p: float = Field(default=1.0, gt=0.0, le=1.0, description="share of the batches that are mixed")

    @model_serializer(mode="wrap")
    def with_code(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # It came after version 1: protocols without it keep their digest.
        dumped = {key: value for key, value in dump(self).items() if key != "p" or value != 1.0}
        return {**dumped, CODE: self.code} if self.code else dumped

    def kept(self, uniform: float) -> float:
        """The kept share in 0..1 at a quantile: Beta's inverse distribution function, above ``p`` of them 1."""
        if uniform >= self.p:
            return 1.0
        uniform /= self.p
        if self.alpha == 1.0:
            return uniform
        from scipy.special import betaincinv

        return float(betaincinv(self.alpha, self.alpha, uniform))

    def partners(self, per_view: Tensor) -> Tensor:
        return per_view[:, 0].argsort(stable=True)
