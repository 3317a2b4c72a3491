"""Each rule of the kit is broken by a method that breaks nothing else, and its verdict says what differs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Literal, cast

import numpy as np
import pytest
import torch
from pydantic import ConfigDict, Field, field_validator
from torch import Tensor, nn

from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts import Context
from rethinkdc.contracts.kinds import Compressor, Evaluator, Labeler, Score, TeacherSource
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.errors import UnsupportedError
from rethinkdc.measurement import Evaluation, Metric
from rethinkdc.method import Method
from rethinkdc.models import Model
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.registry.registry import Registry
from rethinkdc.storage import write_file
from rethinkdc.testing import check_method
from rethinkdc.testing.command_rules import COMMANDS
from rethinkdc.testing.commands import Said
from rethinkdc.testing.kit import KITS, rules_of
from rethinkdc.testing.manner_rules import MANNERS, of_counts
from rethinkdc.testing.protocol_rules import PROTOCOL, ProtocolCase
from rethinkdc.testing.rule import Rule
from rethinkdc.testing.rule import judge as judge_by
from rethinkdc.testing.verdicts import NotApplicableError, Report, Verdict, require
from rethinkdc.training.predict import TestView
from rethinkdc.training.targets import HardTargets
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import Budget, Images, LabelCost, Supervision, Track, ViewBatch, ViewRule
from tests.testing.conftest import Judge


class FirstRows(Compressor):
    """The first images of each class."""

    name: ClassVar[str] = "first-rows"

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        return CompressedSet.of_rows(data, self.rows(data, budget, context))

    def rows(self, data: Images, budget: Budget, context: Context) -> Tensor:
        return first(data, budget)


def first(data: Images, budget: Budget) -> Tensor:
    return torch.cat([(data.targets == index).nonzero().flatten()[: budget.ipc] for index in range(budget.classes)])


def another(rows: Tensor, number: int = 1) -> Tensor:
    """Another last row of its class for another number."""
    return torch.cat([rows[:-1], rows[-1:] + number])


def only(report: Report) -> Verdict:
    """The one verdict on a rule that is broken."""
    assert len(report.broken) == 1, report.sentences() or "no rule is broken"
    return report.broken[0]


Fault = Callable[[Tensor, Images, Context], Tensor]


def with_rows(fault: Fault) -> FirstRows:
    """A compressor that takes the first rows, and does something else beside."""

    class Faulty(FirstRows):
        """The first images of each class, with a fault."""

        name: ClassVar[str] = "faulty"

        def rows(self, data: Images, budget: Budget, context: Context) -> Tensor:
            return fault(first(data, budget), data, context)

    return Faulty()


def test_a_method_without_fault_keeps_every_rule(judge: Judge) -> None:
    report = judge(FirstRows(), varies_with=(), quick=False)
    assert report.kept, report.sentences()
    outcomes = {verdict.rule: verdict.outcome for verdict in report.verdicts}
    assert list(outcomes) == [rule.name for rule in KITS["compressor"]]
    assert {name for name, outcome in outcomes.items() if outcome == "does not apply"} == {
        "paper", "device", "keys", "kills", "ranks", *(rule.name for rule in COMMANDS)
    }  # fmt: skip
    reasons = [verdict.told for verdict in report.verdicts if verdict.outcome == "does not apply"]
    assert all(reasons)
    # What one rule says of a method no other repeats.
    own = [told for told in reasons if not told.startswith(("not tried", "its package is not installed"))]
    assert len(set(own)) == len(own)


# -- what a compressor does beside its result ---------------------------------------------------------------------


def wrote_pixels(rows: Tensor, data: Images, _: Context) -> Tensor:
    if isinstance(data, DecodedImages):
        data.pixels[-1] += 1
    return rows


def drew_in_secret(rows: Tensor, data: Images, _: Context) -> Tensor:
    state = torch.get_rng_state()
    shuffled = torch.randperm(len(data))
    torch.set_rng_state(state)
    classes, count = len(data.class_names), len(rows) // len(data.class_names)
    return torch.cat([shuffled[data.targets[shuffled] == index][:count] for index in range(classes)])


def made_dtype(rows: Tensor, *_: Any) -> Tensor:
    torch.set_default_dtype(torch.float64)
    return rows


def left_threads(rows: Tensor, *_: Any) -> Tensor:
    torch.set_num_threads(torch.get_num_threads() + 1)
    return rows


def left_hook(rows: Tensor, _: Images, context: Context) -> Tensor:
    context.proxy_network().network.register_forward_hook(lambda *_: None)
    return rows


def left_global_hook(rows: Tensor, *_: Any) -> Tensor:
    nn.modules.module.register_module_forward_hook(lambda *_: None)
    return rows


def left_file(rows: Tensor, *_: Any) -> Tensor:
    handle, _path = tempfile.mkstemp(suffix=".left")
    os.close(handle)
    return rows


def raised(*_: Any) -> Tensor:
    raise ZeroDivisionError("nothing to divide")


def broke(held: object) -> None:
    if not held:
        raise ValueError("it expects other classes")


def counts(data: Images) -> list[int]:
    return torch.bincount(data.targets).tolist()


def expects_even(rows: Tensor, data: Images, _: Context) -> Tensor:
    broke(min(counts(data)) == 1 or len(set(counts(data))) == 1)
    return rows


def expects_several(rows: Tensor, data: Images, _: Context) -> Tensor:
    broke(min(counts(data)) > 1)
    return rows


def expects_few(rows: Tensor, data: Images, _: Context) -> Tensor:
    broke(len(data.class_names) < 1000)
    return rows


def rounded_by_the_cache(rows: Tensor, _: Images, context: Context) -> Tensor:
    made: list[int] = []

    def build(_: Context, out: Path) -> None:
        made.append(1)
        write_file(out / "note", b"")

    context.artefact("notes", {"of": "rounded"}, "selection", build, files=("note",))
    return rows if made else another(rows)


def by_seed(key: Callable[[Images, Context], Any]) -> Fault:
    """Takes its last row by a number of the seed and the images, kept in the cache under the given key."""

    def fault(rows: Tensor, data: Images, context: Context) -> Tensor:
        def build(inner: Context, out: Path) -> None:
            write_file(out / "number", str(inner.seeds.set + int(data.native(torch.tensor([0]))[0][0, 0, 0])).encode())

        folder = context.artefact("numbers", key(data, context), "selection", build, files=("number",))
        return another(rows, int((folder / "number").read_text()) % 2)

    return fault


@pytest.mark.parametrize(
    ("key", "differs"),
    [
        (lambda data, context: [data.fingerprint, context.seeds.set], ""),
        (lambda data, _: [data.fingerprint], "seeds"),
        (lambda _, context: [context.seeds.set], "images"),
    ],
    ids=["whole", "without the seed", "without the images"],
)
def test_what_a_key_leaves_out_is_found(key: Callable[[Images, Context], Any], differs: str, judge: Judge) -> None:
    report = judge(with_rows(by_seed(key)), varies_with=("set",), quick=False)
    if differs:
        verdict = only(report)
        assert (verdict.rule, verdict.differs) == ("keys", differs)
        assert "(numbers) what it kept under the first ones" in verdict.told
    else:
        assert report.kept, report.sentences()
        assert next(one.told for one in report.verdicts if one.rule == "keys") == "numbers"


_CALLS: list[int] = []


def counted(rows: Tensor, *_: Any) -> Tensor:
    _CALLS.append(1)
    return another(rows, len(_CALLS) % 15)


@pytest.mark.parametrize(
    ("fault", "rule", "differs", "said"),
    [
        (lambda rows, *_: rows[1:], "budget", "canvases", "returned 7 canvases; the budget is 8"),
        (lambda rows, *_: torch.cat([rows[1:], rows[-1:] + 1]), "budget", "canvases", "returned 1 to 3 canvases"),
        (raised, "works", "ZeroDivisionError", "nothing to divide"),
        (counted, "repeats", "canvases", "another result under the same seeds: canvases ("),
        (drew_in_secret, "repeats", "canvases", "another result under the same seeds"),
        (lambda rows, _, context: another(rows, context.seeds.labels), "seeds", "labels",
         "depends on a seed axis that it does not declare: labels; declared: none"),
        (lambda rows, data, _: another(rows, isinstance(data, DecodedImages)), "backings", "sources", "from encoded"),
        (wrote_pixels, "untouched", "the training data", "faulty changed the training data"),
        (lambda rows, *_: (torch.rand(1), rows)[1], "random state", "torch", "global random state of torch"),
        (lambda rows, *_: (np.random.random(), rows)[1], "random state", "numpy", "of numpy"),  # noqa: NPY002
        (made_dtype, "process", "torch's default dtype", "left behind another torch's default dtype"),
        (left_threads, "process", "torch's number of threads", "number of threads"),
        (left_global_hook, "process", "hooks of all networks", "hooks of all networks"),
        (left_hook, "process", "hooks of a network that it was given", "hooks of a network"),
        (left_file, "files", ".left", "write to context.folder"),
    ],
)  # fmt: skip
def test_a_fault_breaks_its_rule_alone(fault: Fault, rule: str, differs: str, said: str, judge: Judge) -> None:
    _CALLS.clear()
    try:
        verdict = only(judge(with_rows(fault), varies_with=()))
    finally:
        nn.modules.module._global_forward_hooks.clear()
    assert (verdict.rule, verdict.outcome) == (rule, "broken")
    assert differs in verdict.differs
    assert said in verdict.told


@pytest.mark.parametrize(
    ("fault", "rule", "said"),
    [
        (expects_even, "unbalanced", "it expects other classes"),
        (expects_several, "single image", "it expects other classes"),
        (expects_few, "1,000 classes", "it expects other classes"),
        (rounded_by_the_cache, "cached", "is another when it is made by way of the cache: "),
    ],
)
def test_a_fault_of_odd_surroundings_breaks_its_rule_alone(fault: Fault, rule: str, said: str, judge: Judge) -> None:
    verdict = only(judge(with_rows(fault), varies_with=(), quick=False))
    assert verdict.rule == rule
    assert said in verdict.told


class Moving(FirstRows):
    """The first images of each class, after so many iterations."""

    name: ClassVar[str] = "moving"
    iterations: int = Field(default=50, ge=1, description="Counted.")
    moved: ClassVar[list[int]] = []

    def rows(self, data: Images, budget: Budget, context: Context) -> Tensor:
        if budget.classes == 1000:
            self.moved.append(self.iterations)
        return first(data, budget)


def test_a_thousand_classes_are_moved_twice(judge: Judge) -> None:
    (verdict,) = (one for one in judge(Moving(), quick=False).verdicts if one.rule == "1,000 classes")
    assert (verdict.outcome, verdict.told) == ("kept", "2,000 images, by moving:iterations=2")
    assert Moving.moved == [2]


def test_what_is_said_to_vary_must(judge: Judge) -> None:
    verdict = only(judge(FirstRows(), varies_with=("set",)))
    assert (verdict.rule, verdict.differs) == ("seeds", "set")
    assert "the same result under another set seed" in verdict.told


def test_where_nobody_says_the_axes_are_found_and_held_to_what_the_kind_may_depend_on(judge: Judge) -> None:
    found = {verdict.rule: verdict for verdict in judge(with_rows(
        lambda rows, _, context: another(rows, context.seeds.set)
    )).verdicts}  # fmt: skip
    assert found["seeds"].told == "depends on the seeds of: set"
    verdict = only(judge(with_rows(lambda rows, _, context: another(rows, context.seeds.student))))
    assert (verdict.rule, verdict.differs) == ("seeds", "student")
    assert "a compressor may depend on set, proxy, teacher" in verdict.told


def test_a_refusal_is_no_fault_and_no_proof(judge: Judge) -> None:
    def refused(*_: Any) -> Tensor:
        raise UnsupportedError("Too small for it.")

    report = judge(with_rows(refused), varies_with=())
    assert not report.broken
    assert not report.kept
    assert {verdict.rule for verdict in report.verdicts if verdict.outcome == "kept"} == {
        "parameters", "frozen", "described"
    }  # fmt: skip


# -- what sets hold ------------------------------------------------------------------------------------------------


class Painted(FirstRows):
    """Copies of the first images of each class as canvases of its own, with a fault on demand."""

    name: ClassVar[str] = "painted"

    fault: Literal["nothing", "names", "boxes", "sources", "types", "views"] = Field(
        default="nothing", description="What to do wrong."
    )

    def rows_per_canvas(self) -> int:
        return 0 if self.fault == "views" else 1

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        rows = self.rows(data, budget, context)
        part = {"canvases": data.canvases(rows, budget.size), "targets": data.targets[rows], "sources": rows[:, None]}
        if self.fault == "boxes":
            part["source_boxes"] = torch.tensor([0, 0, 99, 4], dtype=torch.int32).expand(len(rows), 1, 4)
        if self.fault == "sources":
            part["sources"] = rows[:, None] + len(data)
        names = data.class_names[::-1] if self.fault == "names" else data.class_names
        boxes = torch.tensor([[0, 0, budget.size, budget.size]]) if self.fault == "types" else None
        return CompressedSet.of_canvases([part], names, cell_boxes=boxes, view_rule=ViewRule())


@pytest.mark.parametrize(
    ("fault", "rule", "differs", "said"),
    [
        ("names", "targets", "class_names", "expected the classes"),
        ("boxes", "range", "source_boxes", "outside their training images"),
        ("sources", "range", "sources", "expected sources in -1..79"),
        ("types", "types", "cell_boxes", "torch.int64"),
        ("views", "views", "rows_per_canvas", "its set names 8 training rows"),
    ],
)
def test_a_faulty_set_breaks_its_rule_alone(fault: Any, rule: str, differs: str, said: str, judge: Judge) -> None:
    verdict = only(judge(Painted(fault=fault), varies_with=()))
    assert (verdict.rule, verdict.differs) == (rule, differs)
    assert said in verdict.told


def test_what_is_no_result_of_the_kind_is_named(judge: Judge) -> None:
    class Nothing(FirstRows):
        """Forgets to return what it made."""

        name: ClassVar[str] = "nothing"

        def compress(self, data: Images, budget: Budget, context: Context) -> Any:
            return None

    verdict = only(judge(Nothing(), varies_with=()))
    assert (verdict.rule, verdict.told) == ("works", "expected a CompressedSet, found NoneType (None)")


# -- what methods say of themselves --------------------------------------------------------------------------------


class Growing(FirstRows):
    """A parameter that is another each time it is read."""

    name: ClassVar[str] = "growing"

    size: int = Field(default=1, description="A number.")

    @field_validator("size")
    @classmethod
    def _grow(cls, value: int) -> int:
        return value + 1


class Loose(FirstRows):
    """A method that takes anything."""

    model_config = ConfigDict(extra="ignore")
    name: ClassVar[str] = "loose"


class Melting(FirstRows):
    """A method that can be changed."""

    model_config = ConfigDict(frozen=False)
    name: ClassVar[str] = "melting"
    size: int = Field(default=1, description="A number.")


class Terse(FirstRows):
    """no sentence"""

    name: ClassVar[str] = "terse"


class Cited(FirstRows):
    """A method whose paper nobody finds."""

    name: ClassVar[str] = "cited"
    paper: ClassVar[str] = "our paper"


@pytest.mark.parametrize(
    ("method", "rule", "differs", "said"),
    [
        (Growing(size=4), "parameters", "size", "reads as"),
        (Loose(), "frozen", "no_such_parameter", "must be refused"),
        (Melting(), "frozen", "size", "can be set"),
        (Terse(), "described", "docstring", "no sentence"),
        (Cited(), "paper", "paper", "'our paper'"),
    ],
    ids=lambda value: value.name if isinstance(value, Method) else None,
)
def test_a_fault_of_words_breaks_its_rule_alone(
    method: Method, rule: str, differs: str, said: str, judge: Judge
) -> None:
    verdict = only(judge(method, varies_with=()))
    assert (verdict.rule, verdict.differs) == (rule, differs)
    assert said in verdict.told


# -- other kinds ---------------------------------------------------------------------------------------------------


class Constant(Score):
    """The same number for each row."""

    name: ClassVar[str] = "constant"
    fault: Literal["nothing", "short", "missing"] = Field(default="nothing", description="What to do wrong.")

    def score(self, data: Images, context: Context) -> Tensor:
        scores = torch.zeros(len(data) - (self.fault == "short"))
        return scores.fill_(float("nan")) if self.fault == "missing" else scores


class Labels(Labeler):
    """Hard labels, with a fault on demand."""

    name: ClassVar[str] = "labels"
    track: ClassVar[Track] = "hard"
    fault: Literal["nothing", "mean", "nan", "debt", "short", "writes"] = Field(
        default="nothing", description="What to do wrong."
    )

    def prepare(self, compressed: CompressedSet, context: Context) -> Supervision:
        fault = self.fault
        if fault == "writes":
            compressed.targets[0] = 1

        class Faulty(HardTargets):
            def loss(self, logits: Tensor, targets: dict[str, Tensor]) -> Tensor:
                loss = super().loss(logits, {key: value for key, value in targets.items() if key != "extra"})
                return loss.mean() if fault == "mean" else loss * (float("nan") if fault == "nan" else 1.0)

            def targets(self, batch: ViewBatch) -> dict[str, Tensor]:
                found = super().targets(batch)
                return {**found, "extra": batch.hard[1:]} if fault == "short" else found

        made = Faulty()
        made.cost = LabelCost(label_bytes=-1 if fault == "debt" else 1)
        return made


class Judged(Evaluator):
    """Reports numbers without a student, with a fault on demand."""

    name: ClassVar[str] = "judged"
    metrics: ClassVar[tuple[Metric, ...]] = (Metric("top1", "higher", "fraction"),)
    fault: Literal["nothing", "other", "percent", "classes"] = Field(default="nothing", description="What to do wrong.")

    def evaluate(
        self, compressed: CompressedSet, supervision: Supervision, test: Images, context: Context
    ) -> Evaluation:
        top1 = 50.0 if self.fault == "percent" else 0.5
        classes = len(test.class_names) - (self.fault == "classes")
        return Evaluation(
            metrics={"top-1" if self.fault == "other" else "top1": top1},
            per_class=[0.5] * classes,
            curve=[],
            views=0,
            steps=0,
            seconds=0.0,
            peak_memory=0,
            result_digest="0",
        )


class Source(TeacherSource):
    """A linear teacher, with a fault on demand."""

    name: ClassVar[str] = "source"
    fault: Literal["nothing", "classes", "gradient", "training"] = Field(
        default="nothing", description="What to do wrong."
    )

    def provide(self, context: Context) -> Teacher:
        size, classes = context.protocol.store.size, len(context.data.class_names) + (self.fault == "classes")
        with torch.random.fork_rng():
            module = nn.Sequential(nn.Flatten(), nn.Linear(3 * size * size, classes))
        for parameter in module.parameters():
            nn.init.constant_(parameter, 0.01)
        view = TestView(resize=size, size=size)
        made = Teacher("source", "linear", module, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2), size, view)
        # A teacher freezes its network when it is made: so this comes afterwards.
        module.requires_grad_(self.fault == "gradient").train(self.fault == "training")
        return made


class Linear(Model):
    """A linear model, with a fault on demand."""

    name: ClassVar[str] = "linear"
    fault: Literal["nothing", "zeros", "logits", "unused", "numpy", "few"] = Field(
        default="nothing", description="What to do wrong."
    )

    def build(self, classes: int, size: int) -> nn.Module:
        if self.fault == "numpy":
            np.random.random()  # noqa: NPY002 - the fault
        if self.fault == "few" and classes > 100:
            raise ValueError("no more than a hundred classes")
        made = nn.Sequential(nn.Flatten(), nn.Linear(3 * size * size, classes + (self.fault == "logits")))
        if self.fault == "zeros":
            for tensor in made.parameters():
                nn.init.zeros_(tensor)
        if self.fault == "unused":
            made.register_parameter("unused", nn.Parameter(torch.zeros(1)))
        return made


@pytest.mark.parametrize(
    ("method", "rule", "differs", "said"),
    [
        (Constant(fault="short"), "types", "scores", "must give float32 [80]"),
        (Constant(fault="missing"), "range", "scores", "must score 80 of 80 rows, and scores 0"),
        (Labels(fault="mean"), "types", "loss", "unreduced"),
        (Labels(fault="short"), "types", "extra", "first dimension"),
        (Labels(fault="nan"), "range", "loss", "not finite"),
        (Labels(fault="debt"), "range", "cost", "negative cost"),
        (Labels(fault="writes"), "untouched", "the compressed set", "changed the compressed set"),
        (Judged(fault="other"), "metrics", "top-1, top1", "reports ['top-1']"),
        (Judged(fault="percent"), "range", "top1", "top1 = 50.0"),
        (Judged(fault="classes"), "range", "per_class", "found 3"),
        (Source(fault="classes"), "logits", "logits", "found torch.float32 [8, 5]"),
        (Source(fault="gradient"), "still", "requires_grad", "1.weight"),
        (Source(fault="training"), "still", "training", "call eval()"),
        (Linear(fault="zeros"), "seeds", "weights", "same weights under another seed"),
        (Linear(fault="logits"), "logits", "logits", "found [4, 5]"),
        (Linear(fault="unused"), "learns", "unused", "no gradient reaches unused"),
        (Linear(fault="numpy"), "random state", "numpy", "of numpy"),
    ],
    ids=lambda value: str(value) if isinstance(value, Method) else None,
)
def test_a_fault_of_another_kind_breaks_its_rule_alone(
    method: Method, rule: str, differs: str, said: str, judge: Judge
) -> None:
    sound = judge(type(method)(), varies_with=())
    assert sound.kept, sound.sentences()
    verdict = only(judge(method, varies_with=()))
    assert (verdict.rule, verdict.differs) == (rule, differs)
    assert said in verdict.told


def test_a_model_of_few_classes_is_found_out(judge: Judge) -> None:
    verdict = only(judge(Linear(fault="few"), quick=False))
    assert (verdict.rule, verdict.told) == ("1,000 classes", "raises ValueError: no more than a hundred classes")


# -- rules that need a stand-in ------------------------------------------------------------------------------------


def verdict_of(rules: Any, name: str, case: Any) -> Verdict:
    """The verdict on one rule, without those before it."""
    (rule,) = (one for one in rules if one.name == name)
    (verdict,) = judge_by(case, [Rule(rule.name, rule.demands, rule.check)])
    return verdict


def test_what_lies_on_another_device_is_told() -> None:
    fields = {"canvases": torch.empty(1, device="meta"), "weights": None}
    case = SimpleNamespace(
        bench=SimpleNamespace(torch_device=torch.device("cuda"), device="cuda"),
        first=SimpleNamespace(fields=fields, watch=SimpleNamespace(networks=[])),
    )
    verdict = verdict_of(MANNERS, "device", case)
    assert (verdict.outcome, verdict.differs) == ("broken", "device")
    assert "its result lies on meta" in verdict.told
    case.first.fields, case.first.watch.networks = {}, [(nn.Linear(1, 1), 0, "")]
    assert "a network that it was given lies on ['cpu']" in verdict_of(MANNERS, "device", case).told
    case.first.watch.networks = []
    assert verdict_of(MANNERS, "device", case).outcome == "kept"


def said(word: str, answer: Any, code: int = 0) -> Said:
    import json

    return Said((word,), code, json.dumps(answer), "Error: it fails")


def commanded(**changed: Any) -> Any:
    """A case whose commands were answered: well, but for what is changed."""
    record = {"key": "k" * 24, "status": "ok", "reason": "", "evaluation": {"metrics": {"top1": 0.5}}}
    method = FirstRows()
    answers = {
        "list-plugins": [{"name": method.name, "kind": method.kind, "status": "ok"}],
        "show": [{"name": method.name, "kind": method.kind}],
        "run": [record],
        "sweep": [record, {**record, "key": "l" * 24}],
        "leaderboard": [{"rows": [{"keys": [record["key"]], "compressor": "first-rows", "result": {"n": 2}}]}],
    } | {key.replace("_", "-"): value for key, value in changed.items()}
    plugin = SimpleNamespace(methods=[FirstRows], entry_point=SimpleNamespace(dist=object()))
    registry = SimpleNamespace(plugins=SimpleNamespace(installed=[plugin]))
    commands = [said(word, answer) for word, answer in answers.items()]
    return SimpleNamespace(method=method, kind=method.kind, bench=SimpleNamespace(registry=registry), commands=commands)


def test_what_the_command_line_says_is_kept() -> None:
    assert {verdict.outcome for verdict in judge_by(commanded(), [*map(without, COMMANDS)])} == {"kept"}


def without(rule: Rule[Any]) -> Rule[Any]:
    return Rule(rule.name, rule.demands, rule.check, tuple(name for name in rule.after if name != "works"))


@pytest.mark.parametrize(
    ("rule", "answer", "said"),
    [
        ("list-plugins", [], "has no row of first-rows"),
        ("list-plugins", [{"name": "first-rows", "status": "clash"}], "clash"),
        ("show", [{"name": "first-rows", "kind": "score"}], "show tells of ['score']"),
        ("run", [{"key": "k", "status": "failed", "reason": "it fell"}], "ended as failed: it fell"),
        ("sweep", [{"key": "m", "status": "ok"}], "and not the run's kkk"),
        ("leaderboard", [{"rows": []}], "0 rows of the boards hold the run"),
    ],
)
def test_what_the_command_line_gets_wrong_is_told(rule: str, answer: Any, said: str) -> None:
    verdict = verdict_of(COMMANDS, rule, commanded(**{rule.replace("-", "_"): answer}))
    assert verdict.outcome == "broken"
    assert said in verdict.told


def test_a_command_that_fails_is_told_with_its_error() -> None:
    case = commanded()
    case.commands[2] = said("run", [], code=1)
    verdict = verdict_of(COMMANDS, "run", case)
    assert (verdict.outcome, verdict.differs) == ("broken", "run")
    assert verdict.told == "`rethinkdc run` ends with exit code 1: Error: it fails"


def test_what_is_not_installed_has_no_way_through_the_command_line() -> None:
    case = commanded()
    case.bench.registry.plugins.installed[0].entry_point.dist = None
    verdict = verdict_of(COMMANDS, "run", case)
    assert verdict.outcome == "does not apply"
    assert "pip install -e ." in verdict.told


def test_protocols_are_read_back_described_and_their_networks_known(tmp_path: Any) -> None:
    registry = Registry()
    found = registry.protocols.find("digits-hard")
    good = list(judge_by(ProtocolCase(found, registry, tmp_path / "good"), PROTOCOL))
    assert {verdict.outcome for verdict in good} == {"kept"}, good
    mute = found.model_copy(update={"summary": " "})
    (told,) = [one for one in judge_by(ProtocolCase(mute, registry, tmp_path / "mute"), PROTOCOL[:3])
               if one.outcome == "broken"]  # fmt: skip
    assert (told.rule, told.differs) == ("described", "summary")
    lost = Protocol.model_validate({**found.model_dump(mode="json"), "transfer_students": ["no-such-network"]})
    (told,) = [one for one in judge_by(ProtocolCase(lost, registry, tmp_path / "lost"), PROTOCOL[:3])
               if one.outcome == "broken"]  # fmt: skip
    assert told.rule == "networks"
    assert "no-such-network" in told.told


# -- the judge -----------------------------------------------------------------------------------------------------


def test_a_rule_whose_ground_is_lost_is_not_tried() -> None:
    def refused(_: Any) -> None:
        require(held=False, otherwise="no", differs="it")

    def absent(_: Any) -> None:
        raise NotApplicableError("nothing here")

    rules: list[Rule[Any]] = [
        Rule("a", "A.", refused),
        Rule("b", "B.", lambda _: "fine", ("a",)),
        Rule("c", "C.", absent),
        Rule("d", "D.", lambda _: "fine", ("c",)),
    ]
    verdicts = list(judge_by(None, rules))
    assert [(one.outcome, one.differs, one.told) for one in verdicts] == [
        ("broken", "it", "no"),
        ("does not apply", "", "not tried: the rule a is broken"),
        ("does not apply", "", "nothing here"),
        ("does not apply", "", "not tried: the rule c does not apply"),
    ]


def test_the_quick_part_leaves_out_what_takes_long() -> None:
    for kind, rules in KITS.items():
        names = [rule.name for rule in rules]
        assert len(names) == len(set(names)), kind
        assert all(set(rule.after) <= set(names) for rule in rules), kind
        assert {rule.name for rule in rules_of(kind, quick=True)} == {rule.name for rule in rules if not rule.long}


def test_what_authors_call_names_every_broken_rule(tmp_path: Any, judge: Judge) -> None:
    judge(Terse(), varies_with=())
    with pytest.raises(AssertionError, match="compressor terse breaks the contract:\ndescribed: the first line"):
        check_method(Terse(), tmp_path / "again")


def test_images_of_counts_are_as_many() -> None:
    assert counts(of_counts((1, 5, 3))) == [1, 5, 3]
    assert cast(Any, of_counts((2, 2))).class_names == ("class 0", "class 1")
