"""Whether a finished set fits the dataset and protocol that it is evaluated under; its classes in their order."""

from __future__ import annotations

from typing import Any

from rethinkdc.compressed.card import Card
from rethinkdc.compressed.class_places import check_numbers, class_places, index_places
from rethinkdc.compressed.set import CompressedSet
from rethinkdc.errors import RequestError

_SHOWN = 8


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
    named = _by_number(compressed, class_names[0]) if compressed.numbered else _BY_NAME
    if compressed.class_names != class_names:
        compressed, named = _with_classes(compressed, class_names, dataset)
    present = compressed.targets.unique().tolist()
    check_numbers(present, len(class_names), dataset)
    if not compressed.card.dataset_fingerprint:
        compressed = _with_notes(compressed, classes=named)
    return _tell_missing(compressed, [name for index, name in enumerate(class_names) if index not in set(present)])


def _tell_missing(compressed: CompressedSet, missing: list[str]) -> CompressedSet:
    """The set, its card telling the classes without an image: no student learns them."""
    if not missing:
        return compressed
    shown = ", ".join(missing[:_SHOWN]) + (", ..." if len(missing) > _SHOWN else "")
    return _told(compressed, f"no image of {len(missing):,} of {len(compressed.class_names):,} classes: {shown}")


def _told(compressed: CompressedSet, *told: str) -> CompressedSet:
    return _with_notes(compressed, read=[*compressed.card.notes.get("read", ()), *told])


def _with_notes(compressed: CompressedSet, **facts: Any) -> CompressedSet:
    card = compressed.card
    return compressed.with_card(card.model_copy(update={"notes": {**card.notes, **facts}}))


_BY_NAME = "by name"
"""What the record says of classes that are called as the dataset's are."""


def _with_classes(compressed: CompressedSet, class_names: tuple[str, ...], dataset: str) -> tuple[CompressedSet, str]:
    """The set with the dataset's classes, and what says which they are; its card tells what is no matter of course."""
    if compressed.numbered:
        # What labels say, and not how many names there are: of labels from 1 on nobody has the first.
        check_numbers(compressed.targets.unique().tolist(), len(class_names), dataset)
        found = index_places(compressed.class_names, class_names)
    else:
        found = class_places(compressed.class_names, class_names, dataset)
    if compressed.soft_targets is not None and len(found.places) != len(class_names):
        raise RequestError(
            f"The set's soft labels are of {len(found.places)} classes; {dataset} has {len(class_names)}."
        )
    used = found.places[compressed.targets].unique().tolist()
    told = [found.told] if found.told else []
    if len(used) > 1 and used == list(range(1, len(used) + 1)):
        told.append(f"no image of class 0 ({class_names[0]}): are the labels counted from 1?")
    compressed = _told(compressed, *told) if told else compressed
    named = _BY_NAME if found.named else _by_number(compressed, class_names[int(found.places[0])])
    return compressed.with_classes(class_names, found.places), named


def _by_number(compressed: CompressedSet, first: str) -> str:
    return f"by number, order: not verified ({compressed.class_names[0]!r} is {first!r}, and so on)"


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
