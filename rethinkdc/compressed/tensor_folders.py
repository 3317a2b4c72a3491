"""Files of tensors that belong together by their names: images here, their labels there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rethinkdc.compressed.entries import IMAGE_WORDS, LABEL_WORDS, words_of
from rethinkdc.errors import RequestError

SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt", ".npz", ".npy")
"""How files of tensors are named."""
_WHITENED = "zca"


def find_pair(folder: Path) -> tuple[Path, Path] | None:
    """The file of the images and that of the labels in a folder, such as ``images_best.pt`` and ``labels_best.pt``.

    Returns:
        The two; of several pairs, the one that is called best. None where the folder holds no such files.

    Raises:
        RequestError: there are several pairs; names them.
    """
    files = sorted(file for file in folder.iterdir() if file.suffix in SUFFIXES and file.is_file())
    parts: dict[frozenset[str], dict[str, Path]] = {}
    for file in files:
        words = words_of(file.stem)
        for what, known in (("images", IMAGE_WORDS), ("labels", LABEL_WORDS)):
            if words & known:
                parts.setdefault(frozenset(words - known), {})[what] = file
    pairs = {words: pair for words, pair in parts.items() if len(pair) == 2}
    best = pairs if len(pairs) == 1 else {words: pair for words, pair in pairs.items() if "best" in words}
    if len(best) == 1:
        ((rest, pair),) = best.items()
        _refuse_whitened(pair, parts.get(rest | {_WHITENED}, {}))
        return pair["images"], pair["labels"]
    if pairs:
        named = "; ".join(f"{pair['images']} --labels {pair['labels']}" for pair in list(pairs.values())[:3])
        raise RequestError(f"{folder} holds {len(pairs)} pairs of images and labels. Name one: {named}")
    return None


def hint_labels(path: Path) -> str:
    """A sentence on a file beside one of images that is called as it, but for labels."""
    wanted = words_of(path.stem) - IMAGE_WORDS
    for file in sorted(path.parent.iterdir()) if path.parent.is_dir() else ():
        words = words_of(file.stem)
        if file.suffix in SUFFIXES and words & LABEL_WORDS and words - LABEL_WORDS <= wanted:
            return f" Beside it lies {file.name}: --labels {file}"
    return ""


def _refuse_whitened(pair: Mapping[str, Path], unwhitened: Mapping[str, Path]) -> None:
    """Refuses images beside which the same lie without their whitening: MTT calls these, and not those, ``zca``."""
    if "images" in unwhitened:
        raise RequestError(
            f"{unwhitened['images'].name} beside {pair['images'].name} are the same images with their ZCA whitening "
            f"undone, as MTT saves them. Name these: {unwhitened['images']} --labels {pair['labels']}"
        )
