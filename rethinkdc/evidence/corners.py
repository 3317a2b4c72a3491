"""Three switches and their eight corners: what a student sees, what it is told, and how often it sees it anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product, starmap
from typing import Any, Literal

Switch = Literal["images", "labels", "views"]
SWITCHES: tuple[Switch, ...] = ("images", "labels", "views")


@dataclass(frozen=True)
class Corner:
    """One setting of the three switches.

    Attributes:
        images: the set's own, or noise in their place.
        labels: class indices, or the method's soft labels.
        views: one fixed view of each image, or new ones in every epoch.
    """

    images: Literal["noise", "own"]
    labels: Literal["hard", "soft"]
    views: Literal["fixed", "new"]

    @property
    def on(self) -> frozenset[Switch]:
        """The switches that are on: the coalition that this corner is the worth of."""
        held: dict[Switch, bool] = {
            "images": self.images == "own",
            "labels": self.labels == "soft",
            "views": self.views == "new",
        }
        return frozenset(switch for switch, on in held.items() if on)

    @property
    def overrides(self) -> Mapping[str, Any]:
        """What the corner changes of a protocol for soft labels; a corner that changes nothing shares its records.

        Hard labels are no labels of such a protocol: under the track "any" they are trained by the same recipe, mix
        included, so that corners differ in the switches alone.
        """
        track = {"track": "any"} if self.labels == "hard" else {}
        return {**track, "training.fixed_views": True} if self.views == "fixed" else track

    def __str__(self) -> str:
        images = "its own images" if self.images == "own" else "noise"
        return f"{images}, {self.labels} labels, {'new views' if self.views == 'new' else 'fixed views'}"


_IMAGES: tuple[Literal["noise", "own"], ...] = ("noise", "own")
_LABELS: tuple[Literal["hard", "soft"], ...] = ("hard", "soft")
_VIEWS: tuple[Literal["fixed", "new"], ...] = ("fixed", "new")
CORNERS: tuple[Corner, ...] = tuple(starmap(Corner, product(_IMAGES, _LABELS, _VIEWS)))
"""All eight, from nothing on to everything."""
