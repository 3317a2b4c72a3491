"""Whether a finished set fits the dataset and protocol that it is evaluated under; its classes in their order."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from rethinkdc.compressed.card import Card
from rethinkdc.compressed.set import CompressedSet
from rethinkdc.data.labelled import plain_name
from rethinkdc.errors import RequestError

_NUMBERED = re.compile(r"(?:new|class)?[ _-]?(\d+)")


def fit_set(
    compressed: CompressedSet,
    *,
    dataset: str,
    class_names: tuple[str, ...],
    fingerprint: str,
    size: int,
    protocol: str,
    protocol_digest: str,
    asked: str | None = None,
) -> CompressedSet:
    """Checks a set against a dataset and a protocol, and puts its classes into the dataset's order.

    Args:
        compressed: the set; it stays as it is.
        dataset: what to call the dataset in errors.
        class_names: the dataset's classes.
        fingerprint: that of its training images.
        size: side in pixels at which the protocol stores images.
        protocol: the protocol's id.
        protocol_digest: the protocol's digest.
        asked: the protocol as the request names it: an id or a file; None = the dataset's default.

    Returns:
        The set, or one that shares its pixels, with classes ``class_names``.

    Raises:
        RequestError: the set was made of other data or under another protocol of that name, or its size, classes or
            learned labels do not fit; says what was found.
    """
    _check_card(compressed.card, dataset, fingerprint, protocol_digest, asked)
    if compressed.size not in (None, size):
        raise RequestError(
            f"The set holds images of {compressed.size} px; the protocol {protocol} stores {size} px. "
            "Resize them, or choose a --protocol of their size (`rethinkdc list-protocols`)."
        )
    if compressed.class_names != class_names:
        places = class_places(compressed.class_names, class_names, dataset)
        if compressed.soft_targets is not None and len(places) != len(class_names):
            raise RequestError(f"The set's soft labels are of {len(places)} classes; {dataset} has {len(class_names)}.")
        compressed = compressed.with_classes(class_names, places)
    if int(compressed.targets.max()) >= len(class_names):
        raise RequestError(
            f"The set has class {int(compressed.targets.max())}; {dataset} has {len(class_names)} classes."
        )
    return compressed


def class_places(class_names: tuple[str, ...], known: tuple[str, ...], dataset: str) -> Tensor:
    """Finds where each class of a set stands among the dataset's: by its name, else by the number that its name is.

    Published trees number their classes ``00007``, ``new007`` or ``class_7``; sorted as text, 10 comes before 7.

    Args:
        class_names: the set's classes.
        known: the dataset's.
        dataset: what to call it in errors.

    Returns:
        int64, an index into ``known`` for each of ``class_names``.

    Raises:
        RequestError: neither names nor numbers fit; or a number is also that of another class's name.
    """
    plain, found = list(map(plain_name, known)), list(map(plain_name, class_names))
    if set(found) == set(plain) and len(set(plain)) == len(known):
        return torch.tensor([plain.index(name) for name in found])
    numbers = [_NUMBERED.fullmatch(name) for name in class_names]
    places = [int(match.group(1)) for match in numbers if match]
    if len(places) == len(class_names) == len(set(places)) and max(places, default=0) < len(known):
        _check_numbers_agree(class_names, places, known, dataset)
        return torch.tensor(places)
    raise RequestError(
        f"The set's classes ({', '.join(class_names[:5])}, ...) are not those of {dataset} "
        f"({', '.join(known[:5])}, ...)."
    )


def _check_numbers_agree(class_names: tuple[str, ...], places: list[int], known: tuple[str, ...], dataset: str) -> None:
    """Refuses numbers that may be a place or a name: sorted as text, the class named 10 stands third."""
    named = {int(match.group(1)): index for index, name in enumerate(known) if (match := _NUMBERED.fullmatch(name))}
    for name, place in zip(class_names, places, strict=True):
        other = named.get(place, place)
        if other != place:
            raise RequestError(
                f"The set's class {name!r} may be the class {known[other]!r} of {dataset}, or its number {place}, "
                f"which is {known[place]!r}: the dataset's names are numbers, and not in their order. Name the set's "
                f"classes as the dataset does ({', '.join(known[:5])}, ...)."
            )


def _check_card(card: Card, dataset: str, fingerprint: str, protocol_digest: str, asked: str | None) -> None:
    """Refuses a set made of other data (its rows may be this dataset's test images) or under another protocol."""
    if card.dataset_fingerprint not in ("", fingerprint):
        raise RequestError(
            f"The set was made of other data (fingerprint {card.dataset_fingerprint[:12]}) than the training images of "
            f"{dataset} ({fingerprint[:12]}). Name its own dataset with --dataset."
        )
    if asked == card.protocol and card.protocol_digest not in ("", protocol_digest):
        raise RequestError(
            f"The set was made under a protocol {card.protocol} of digest {card.protocol_digest[:12]}; the one of that "
            f"name here has {protocol_digest[:12]}. Give the protocol's file with --protocol."
        )
