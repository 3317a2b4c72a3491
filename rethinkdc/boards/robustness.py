"""HLR, IOR, LRS and ARS of the rows of a board, and what is lacking for them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from rethinkdc.boards.accuracies import ACCURACY, HARD, PLAIN, Accuracies, hard_twin
from rethinkdc.boards.beside import Lacking, Machine, Robustness
from rethinkdc.boards.entry import Entry
from rethinkdc.boards.ranking import Draft
from rethinkdc.boards.results import counted_axis, groups_by_seed, means_by_seed
from rethinkdc.metrics import ars, hlr, ior, lrs
from rethinkdc.statistics import mean_of


def score_drafts(
    drafts: Sequence[Draft], metric: str, accuracies: Accuracies
) -> tuple[list[Draft], tuple[Lacking, ...]]:
    """The same with their scores, of mean accuracies, and what scores need that no record has.

    Only sets on a board of accuracies have scores, and only under a protocol as it is written: what an override changes
    has no twin.
    """
    scored, lacking = [], dict[Lacking, None]()
    for draft in drafts:
        if metric != ACCURACY or draft.row.full or not draft.row.result or draft.runs[0].place.modified:
            scored.append(draft)
            continue
        needs = _Needs(draft, accuracies)
        scored.append(replace(draft, row=replace(draft.row, robustness=needs.robustness())))
        lacking |= dict.fromkeys(needs.lacking())
    return scored, tuple(lacking)


class _Needs:
    """The accuracies that the scores of one row need; None for what no record has."""

    def __init__(self, draft: Draft, accuracies: Accuracies) -> None:
        assert draft.row.result is not None
        self.entry, self.seeds = draft.runs[0], tuple(draft.row.values)
        # Over common seeds, as the difference to random is: a score of other seeds would contradict it.
        pairs = [(run, other) for run, other in draft.baseline.pairs(draft.runs) if ACCURACY in other.results]
        self.own = self._mean(run for run, _ in pairs) if pairs else draft.row.result.mean
        self.random = self._mean(other for _, other in pairs) if pairs else None
        self.full, self.hard = accuracies.with_hard_labels(self.entry)
        self.plain = accuracies.on_plain_views(self.entry)
        beside = draft.baseline.any
        self.random_plain = accuracies.on_plain_views(beside) if beside else None

    def _mean(self, runs: Iterable[Entry]) -> float:
        return mean_of(means_by_seed(groups_by_seed(runs, ACCURACY, counted_axis(self.entry))).values())

    def robustness(self) -> Robustness:
        """What can be computed of what there is."""
        return Robustness(
            hlr=_apply(hlr, self.full, self.hard),
            ior=_apply(ior, self.own, self.random),
            lrs=_apply(lrs, self.full, self.hard, self.own, self.random),
            ars=_apply(ars, self.own, self.random, self.plain, self.random_plain),
        )

    def lacking(self) -> Iterator[Lacking]:
        """What no record has, in the order in which it serves most scores."""
        method, labeler = self.entry.names.compressor, self.entry.names.labeler
        if self.random is None:
            yield self._lacking("random", labeler, "IOR", "LRS")
        if self.full is None:
            yield self._lacking("full", HARD, "HLR", "LRS")
        if self.hard is None:
            yield self._lacking(method, HARD, "HLR", "LRS")
        if self.random_plain is None:
            yield self._lacking("random", labeler, "ARS")
        if self.plain is None:
            yield self._lacking(method, labeler, "ARS")

    def _lacking(self, compressor: str, labeler: str, *scores: str) -> Lacking:
        entry, names = self.entry, self.entry.names
        protocol = hard_twin(names.protocol) if labeler == HARD else names.protocol.rpartition(" v")[0]
        finished = entry.fixed and compressor == names.compressor
        words = ["evaluate", "SET"] if finished else ["run", "--compressor", compressor]
        words += ["--labeler", labeler, "--dataset", names.dataset, "--protocol", protocol, "--student", names.student]
        if names.evaluator != "standard":
            words += ["--evaluator", names.evaluator]
        if compressor != "full" and not finished:
            size = ["--keep", f"{entry.keep:g}"] if entry.keep else ["--ipc", str(entry.place.ipc)]
            words += size if entry.place.images is None or entry.keep else []
        words += _words_of(entry.place.machine)
        if self.seeds != (0,) and compressor != "full":
            # Only runs of the same seeds are paired.
            axis = "student=" if counted_axis(entry) == "student" else ""
            words += ["--seeds", axis + ",".join(map(str, self.seeds))]
        plain = scores == ("ARS",)
        words += ["--set", PLAIN] if plain else []
        views = ", without augmentation" if plain else ""
        return Lacking(f"{compressor} + {labeler}{views}", scores, f"rethinkdc {shlex.join(words)}")


def _words_of(machine: Machine | None) -> list[str]:
    """The options under which another machine than a CPU of one thread computes."""
    if machine is None:
        return []
    device = ["--device", machine.device] if machine.device not in ("", "cpu") else []
    return device + (["--threads", str(machine.threads)] if machine.threads not in (None, 1) else [])


def _apply(score: Callable[..., float], *accuracies: float | None) -> float | None:
    """A score of accuracies; None where one is lacking."""
    return None if None in accuracies else score(*accuracies)
