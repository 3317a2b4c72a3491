"""Every registered method keeps the contract of its kind."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest

from rethinkdc.compressed.set import SYNTHETIC
from rethinkdc.contracts.kinds import Compressor, Evaluator, Labeler
from rethinkdc.data.dataset import Dataset
from rethinkdc.errors import DataError, RequestError, UnsupportedError
from rethinkdc.layouts.file_datasets import HubFileDataset
from rethinkdc.method import Method
from rethinkdc.reference import Reference
from rethinkdc.registry.admission import ALL_KINDS
from rethinkdc.registry.describing import TRACKER, Listed
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.request import Request
from rethinkdc.runs.resolving import resolve_run
from rethinkdc.runs.serving import check_request
from rethinkdc.seeds import Axis
from rethinkdc.testing import check_method, check_words, context, images
from rethinkdc.testing.contract import check_case, open_case
from rethinkdc.types import Budget

LISTED = [row for row in Registry().listing() if row.kind != TRACKER or row.method]
# Of the 80 images that the methods are tried on: 4 classes of 20.
FILES = Path(__file__).with_name("files")
ROWS_FILE, SCORES_FILE = (f'"{FILES / name}"' for name in ("rows.csv", "scores.csv"))
TEACHER_FILE = f'"{FILES / "teacher.safetensors"}"'
OTHER_PCA = "pca:score=random,grid=3,fit=centre,interpolation=bicubic,constrained=false,scale=[0.5,1.0]"
OTHER_CA2D = "ca2d:score=el2n,direction=easy,pool=10,factor=2,teacher=[trained:recipe=weak]"
OTHER_EDC = "edc:iterations=2,init=rded,category=1.0,as_published=true,teachers=[trained]"
OTHER_GVBSM = (
    "gvbsm:iterations=2,batch=3,crop=resized,views=per-image,images=8,"
    "teachers=[trained:recipe=weak,trained:model=[convnet:depth=2,width=8]]"
)
OTHER_SRE2L = "sre2l:iterations=2,batch=3,crop=true,flip=true,roll=[-2,2],views=per-image"

TWO = "teachers=[trained,trained:model=[convnet:depth=1,width=4,norm=batch]]"
NARROW = "network=[convnet:depth=1,width=4]"
OTHER_DM = f"dm:iterations=2,init=noise,strategies=[],{NARROW}"
DATADAM = "datadam:iterations=3,network=[convnet:depth=2,width=4]"
IDC = f"idc:iterations=1,steps=2,images=16,{NARROW}"
OTHER_IDC = f"idc:iterations=1,steps=1,factor=1,metric=l1,early=1,init=noise,{NARROW}"
NCFM = f"ncfm:iterations=2,batch=8,frequencies=16,networks=1,epochs=1,{NARROW}"
OTHER_NCFM = (
    "ncfm:iterations=1,batch=8,networks=2,epochs=1,sampling=learned,optimizer=sgd,factor=1,init=noise,as_published=true,"
    f"{NARROW}"
)
IDM = f"idm:iterations=2,batch=8,images=16,steps=1,{NARROW}"
OTHER_IDM = (
    f"idm:iterations=2,batch=8,images=8,steps=1,interval=1,networks=1,factor=1,init=noise,strategies=[],{NARROW}"
)
OTHER_DSA = f"dsa:iterations=2,outer=2,inner=1,strategies=[crop,rotate],{NARROW}"
OTHER_DC = f"dc:iterations=1,outer=2,inner=1,init=real,{NARROW}"
SHORT = f"iterations=2,steps=2,last_start=1,expert_epochs=1,experts=2,epochs=1,expert_batch=40,{NARROW}"
OTHER_MTT = f"mtt:batch=3,through=each,strategies=[],{SHORT}"
SHORT_DATM = f"datm:zca=true,init=real,first_last=1,widened=1,{SHORT}"

VARIANTS: dict[tuple[str, str], tuple[str, ...]] = {
    ("compressor", "select"): (
        "el2n:direction=easy",
        "el2n:direction=middle,balance=none,drop_hardest=0.2",
        "grand-full:direction=hard,pool=40",
        "select:score=random,direction=hard",
    ),
    ("compressor", "combine"): ("combine:select=random", "combine:select=[el2n:direction=hard],grid=3,fit=centre"),
    ("compressor", "pca"): ("pca", OTHER_PCA),
    ("compressor", "rded"): ("rded", "rded:factor=3,crops=2,pool=18,scale=[0.25,1.0]"),
    ("compressor", "ca2d"): ("ca2d:pool=8", OTHER_CA2D),
    ("compressor", "sre2l"): ("sre2l:iterations=3", OTHER_SRE2L),
    ("compressor", "cda"): ("cda:iterations=3",),
    ("compressor", "dwa"): ("dwa:iterations=3",),
    ("compressor", "lpld"): ("lpld:iterations=3", "lpld:iterations=2,batch=1,crop=true,flip=true"),
    ("compressor", "dm"): (f"dm:iterations=3,{NARROW}", OTHER_DM),
    ("compressor", "datadam"): (DATADAM,),
    ("compressor", "idc"): (IDC, OTHER_IDC),
    ("compressor", "idm"): (IDM, OTHER_IDM),
    ("compressor", "ncfm"): (NCFM, OTHER_NCFM),
    ("compressor", "dc"): (f"dc:iterations=2,outer=1,inner=0,{NARROW}", OTHER_DC),
    ("compressor", "dsa"): (OTHER_DSA,),
    ("compressor", "mtt"): (f"mtt:{SHORT}", OTHER_MTT),
    ("compressor", "ftd"): (f"ftd:{SHORT}",),
    ("compressor", "datm"): (SHORT_DATM,),
    ("compressor", "gvbsm"): ("gvbsm:iterations=3,teachers=[trained]", OTHER_GVBSM),
    ("compressor", "edc"): (
        "edc:iterations=3,teachers=[trained]",
        OTHER_EDC,
        "edc:iterations=2,init=noise,teachers=[trained]",
    ),
    ("compressor", "sre2lpp"): ("sre2lpp:iterations=2,init=real",),
    ("compressor", "delt"): ("delt:iterations=4,rounds=2", "delt:iterations=2,batch=3,init=hard,rounds=1"),
    ("compressor", "cv-dd"): (f"cv-dd:iterations=2,{TWO}",),
    ("compressor", "fadrm"): (f"fadrm:iterations=4,{TWO}", "fadrm:iterations=2,stages=1,init=real,teachers=[trained]"),
    ("compressor", "noise"): ("noise", "noise:distribution=gaussian"),
    ("compressor", "shuffled"): ("shuffled", "shuffled:patches=4"),
    ("compressor", "ccs"): ("ccs", "ccs:score=el2n,cut_by=aum,balance=none"),
    ("compressor", "dual-beta"): ("dual-beta", "dual-beta:balance=none"),
    ("compressor", "rows"): (f"rows:path={ROWS_FILE}",),
    ("compressor", "k-means"): ("k-means", "k-means:balance=none"),
    ("compressor", "herding"): ("herding", "herding:balance=none"),
    ("compressor", "k-center"): ("k-center", "k-center:robust=0.2,balance=none"),
    ("compressor", "graph-cut"): ("graph-cut", "graph-cut:lam=2.0,space=features,balance=none"),
    ("compressor", "facility-location"): ("facility-location", "facility-location:space=features,balance=none"),
    ("compressor", "weighted-facility-location"): (
        "weighted-facility-location",
        "weighted-facility-location:score=aum,direction=hard,space=gradients",
    ),
    ("compressor", "craig"): ("craig", "craig:space=features,balance=none"),
    ("compressor", "moderate"): ("moderate", "moderate:balance=none"),
    ("compressor", "d2"): ("d2", "d2:cut=0.2,direction=easy,balance=none", "d2:graph=directed"),
    ("compressor", "gradmatch"): ("gradmatch", "gradmatch:lam=0.0,balance=none"),
    ("compressor", "glister"): ("glister", "glister:rounds=3,balance=none"),
    ("compressor", "semdedup"): ("semdedup", "semdedup:clusters=2,keep=random,balance=none"),
    ("score", "ssp"): ("ssp", "ssp:clusters=7"),
    ("score", "vog"): ("vog:pool=12", "vog:epochs=[0.5,1.0],by_class=false"),
    ("compressor", "contextual-diversity"): ("contextual-diversity", "contextual-diversity:balance=none"),
    ("score", "aum"): ("aum", "aum:space=prob"),
    ("score", "forgetting"): ("forgetting", "forgetting:never_learned=inf"),
    ("score", "file"): (f"file:path={SCORES_FILE}",),
    ("score", "grand"): ("grand", "grand:observe=train"),
    ("score", "cal"): ("cal", "cal:k=3,symmetric=true", "cal:pool=30"),
    ("score", "deepfool"): ("deepfool:pool=12", "deepfool:classes=3,iterations=5"),
    ("score", "grand-full"): ("grand-full:pool=12",),
    ("score", "el2n"): ("el2n", "el2n:observe=clean", "el2n:epochs=[1,2],repeats=2"),
    ("labeler", "hard"): ("hard", "hard:mix=cutmix,label_smoothing=0.1", "hard:mix=none", "hard:mix=mixup"),
    ("labeler", "soft"): ("soft", "soft:teachers=[trained:recipe=weak,trained],averaging=normed,mix=mixup"),
    ("labeler", "soft-stored"): ("soft-stored", "soft-stored:dtype=float32,temperature=2.0,mix=none"),
    ("labeler", "soft-pruned"): ("soft-pruned", "soft-pruned:ratio=2,dtype=uint8"),
    ("labeler", "soft-topk"): ("soft-topk", "soft-topk:k=2"),
    ("labeler", "soft-quantized"): ("soft-quantized", "soft-quantized:k=2,ratio=3,calibrated=false"),
    ("labeler", "soft-lowrank"): ("soft-lowrank", "soft-lowrank:rank=2,books=2,codes=300,views=50"),
    ("labeler", "gift"): ("gift", "gift:weight=0.5,smoothing=0.2,mix=none"),
    ("teacher", "trained"): ("trained", "trained:recipe=strong", "trained:model=[convnet:depth=2,width=8]"),
    ("teacher", "checkpoint"): (f"checkpoint:path={TEACHER_FILE},model=[convnet:depth=1,width=8,norm=group]",),
    ("teacher", "timm"): ("timm/resnet18",),
    ("teacher", "torchvision"): ("torchvision/resnet18", "torchvision/resnet50:weights=IMAGENET1K_V2"),
    ("model", "convnet"): (
        "convnet:depth=2,width=16",
        "convnet:depth=2,width=16,norm=batch",
        "convnet:width=8,norm=none",
    ),
    ("model", "resnet-light"): ("resnet-light:width=4",),
    ("dataset", "digits"): ("digits", "digits:fold=3"),
}
"""Where a method needs parameters, or has ones that lead elsewhere; all others are tried with their defaults."""

AXES: dict[tuple[str, str], tuple[Axis, ...]] = {
    ("compressor", "random"): ("set",),
    ("compressor", "ccs"): ("set", "proxy"),
    ("compressor", "ccs:score=el2n,cut_by=aum,balance=none"): ("set", "proxy"),
    ("compressor", "dual-beta"): ("set", "proxy"),
    ("compressor", "dual-beta:balance=none"): ("set", "proxy"),
    ("compressor", "k-means"): ("set", "proxy"),
    ("compressor", "k-means:balance=none"): ("set", "proxy"),
    ("compressor", "k-center"): ("set", "proxy"),
    ("compressor", "k-center:robust=0.2,balance=none"): ("set", "proxy"),
    # Two rows that only cover each other have equal gains.
    ("compressor", "facility-location:space=features,balance=none"): ("set", "proxy"),
    # Few rows are ever forgotten, and all others have one score.
    ("compressor", "d2"): ("set", "proxy"),
    ("compressor", "d2:graph=directed"): ("set", "proxy"),
    ("compressor", "d2:cut=0.2,direction=easy,balance=none"): ("set", "proxy"),
    ("compressor", "contextual-diversity"): ("set", "proxy"),
    ("compressor", "contextual-diversity:balance=none"): ("set", "proxy"),
    ("compressor", "combine:select=random"): ("set",),
    ("compressor", "select:score=random,direction=hard"): ("set",),
    ("compressor", OTHER_PCA): ("set",),
    ("compressor", "rded"): ("set", "teacher"),
    ("compressor", "rded:factor=3,crops=2,pool=18,scale=[0.25,1.0]"): ("set", "teacher"),
    ("compressor", "ca2d:pool=8"): ("set", "proxy", "teacher"),
    ("compressor", OTHER_CA2D): ("set", "proxy", "teacher"),
    ("compressor", "sre2l:iterations=3"): ("set", "teacher"),
    ("compressor", OTHER_SRE2L): ("set", "teacher"),
    ("compressor", "cda:iterations=3"): ("set", "teacher"),
    ("compressor", "dwa:iterations=3"): ("set", "teacher"),
    ("compressor", "lpld:iterations=3"): ("set", "teacher"),
    ("compressor", "lpld:iterations=2,batch=1,crop=true,flip=true"): ("set", "teacher"),
    ("compressor", f"dm:iterations=3,{NARROW}"): ("set",),
    ("compressor", OTHER_DM): ("set",),
    ("compressor", DATADAM): ("set",),
    ("compressor", IDC): ("set",),
    ("compressor", IDM): ("set",),
    ("compressor", OTHER_IDM): ("set",),
    ("compressor", NCFM): ("set",),
    ("compressor", OTHER_NCFM): ("set",),
    ("compressor", OTHER_IDC): ("set",),
    ("compressor", f"dc:iterations=2,outer=1,inner=0,{NARROW}"): ("set",),
    ("compressor", OTHER_DC): ("set",),
    ("compressor", OTHER_DSA): ("set",),
    ("compressor", f"mtt:{SHORT}"): ("set", "teacher"),
    ("compressor", OTHER_MTT): ("set", "teacher"),
    ("compressor", f"ftd:{SHORT}"): ("set", "teacher"),
    ("compressor", SHORT_DATM): ("set", "teacher"),
    ("compressor", "gvbsm:iterations=3,teachers=[trained]"): ("set", "teacher"),
    ("compressor", OTHER_GVBSM): ("set", "teacher"),
    ("compressor", "edc:iterations=3,teachers=[trained]"): ("set", "teacher"),
    ("compressor", OTHER_EDC): ("set", "teacher"),
    ("compressor", "edc:iterations=2,init=noise,teachers=[trained]"): ("set", "teacher"),
    ("compressor", "sre2lpp:iterations=2,init=real"): ("set", "teacher"),
    ("compressor", "delt:iterations=4,rounds=2"): ("set", "teacher"),
    ("compressor", "delt:iterations=2,batch=3,init=hard,rounds=1"): ("set", "teacher"),
    ("compressor", f"cv-dd:iterations=2,{TWO}"): ("set", "teacher"),
    ("compressor", f"fadrm:iterations=4,{TWO}"): ("set", "teacher"),
    ("compressor", "fadrm:iterations=2,stages=1,init=real,teachers=[trained]"): ("set", "teacher"),
    ("compressor", "noise"): ("set",),
    ("compressor", "noise:distribution=gaussian"): ("set",),
    ("compressor", "shuffled"): ("set",),
    ("compressor", "shuffled:patches=4"): ("set",),
    ("compressor", "wrong-class"): ("set",),
    ("compressor", "el2n:direction=easy"): ("proxy",),
    ("compressor", "el2n:direction=middle,balance=none,drop_hardest=0.2"): ("proxy",),
    ("compressor", "grand-full:direction=hard,pool=40"): ("set", "proxy"),
    ("compressor", "combine:select=[el2n:direction=hard],grid=3,fit=centre"): ("proxy",),
    ("compressor", "pca"): ("proxy",),
    ("score", "random"): ("set",),
    ("score", "cal:pool=30"): ("set", "proxy"),
    ("score", "ssp"): ("set", "proxy"),
    ("score", "ssp:clusters=7"): ("set", "proxy"),
    ("score", "vog:pool=12"): ("set", "proxy"),
    ("compressor", "semdedup"): ("set", "proxy"),
    ("compressor", "semdedup:clusters=2,keep=random,balance=none"): ("set", "proxy"),
    ("score", "deepfool:pool=12"): ("set", "proxy"),
    ("score", "grand-full:pool=12"): ("set", "proxy"),
    ("evaluator", "standard"): ("student",),
    ("teacher", "trained"): ("teacher",),
    ("teacher", "trained:recipe=strong"): ("teacher",),
    ("teacher", "trained:model=[convnet:depth=2,width=8]"): ("teacher",),
}
"""The seed axes that a result depends on; no entry = the proxy's for what reads it, else none."""

FREE = {("compressor", "full"), ("compressor", "rows"), ("score", "file")}
"""Methods of the training set alone, that neither draw nor read the proxy."""

MISLABELLED = {"wrong-class"}
"""Compressors whose point it is that a canvas never has the class of what it shows."""


def variants(kind: str | None = None) -> list[tuple[str, str]]:
    return [
        (row.kind, text)
        for row in LISTED
        if kind in (None, row.kind)
        for text in VARIANTS.get((row.kind, row.name), (row.name,))
    ]


def tried() -> list[Any]:
    """Methods that need no download; of several variants of one the first by default, the others as slow ones."""
    first = {VARIANTS.get((row.kind, row.name), (row.name,))[0] for row in LISTED}
    return [
        pytest.param(kind, text, marks=() if text in first else (pytest.mark.slow, pytest.mark.promised))
        for kind, text in variants()
        if not needs_download(kind, text)
    ]


def axes_of(kind: str, text: str) -> tuple[Axis, ...]:
    named = Registry().build(kind, text)
    if isinstance(named, Labeler):
        stored: tuple[Axis, ...] = ("labels",) if named.track == "stored" else ()
        return (*stored, "teacher") if named.track != "hard" else ()
    reads_proxy = kind in ("compressor", "score") and (kind, named.name) not in FREE
    return AXES.get((kind, text), ("proxy",) if reads_proxy else ())


def needs_download(kind: str, text: str) -> bool:
    of_library = kind == "teacher" and text.partition("/")[0] in ("timm", "torchvision")
    return of_library or (kind == "dataset" and isinstance(Registry().build(kind, text), HubFileDataset))


def test_every_kind_has_methods_and_none_is_broken() -> None:
    assert {row.kind for row in LISTED} == set(ALL_KINDS)
    assert [(row.name, row.reason) for row in LISTED if row.status != "ok"] == []


def test_the_tables_above_name_only_what_exists() -> None:
    assert set(VARIANTS) <= {(row.kind, row.name) for row in LISTED}
    assert set(AXES) <= set(variants())


@pytest.mark.parametrize(
    ("kind", "text"),
    tried(),
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_method_keeps_the_contract(kind: str, text: str, tmp_path: Path) -> None:
    data = images(classes=4, per_class=20)
    # A tracker or an engine may lack a package, or a login: it must say so, and is held to all else.
    refusing = suppress(UnsupportedError) if kind in ("tracker", "engine") else nullcontext()
    with refusing:
        check_method(text, tmp_path, kind=kind, varies_with=axes_of(kind, text), data=data)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "text"),
    [pair for pair in variants() if not needs_download(*pair)],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_method_keeps_the_whole_kit(kind: str, text: str, tmp_path: Path) -> None:
    """Odd data, the cache, kills, two ranks and the way through the command line.

    By default methods of the tests of the kit are, and the example for contributors, in a package of its own.
    """
    case = open_case(text, tmp_path, registry=Registry(), kind=kind, varies_with=axes_of(kind, text))
    report = check_case(case, quick=False)
    assert not report.broken, report.sentences()


@pytest.mark.parametrize("row", LISTED, ids=lambda row: f"{row.kind}-{row.name}")
def test_a_method_describes_itself(row: Listed) -> None:
    assert row.method is not None
    assert row.method.summary().endswith(".")
    assert row.method.revision >= 1
    if row.kind in ("compressor", "score", "labeler", "teacher", "evaluator"):
        assert row.method.family
    for key, info in row.method.model_fields.items():
        assert info.description, key


@pytest.mark.parametrize(("kind", "text"), variants())
def test_a_method_is_frozen_and_refuses_unknown_parameters(kind: str, text: str) -> None:
    registry = Registry()
    method = registry.build(kind, text)
    with pytest.raises(RequestError, match="has no parameter 'no_such_parameter'"):
        registry.build(kind, Reference(name=method.name, values={**method.changed(), "no_such_parameter": 1}))
    for key in type(method).model_fields:
        with pytest.raises(ValueError, match="frozen"):
            setattr(method, key, None)


@pytest.mark.parametrize("text", [text for kind, text in variants("teacher") if needs_download(kind, text)])
def test_a_teacher_of_a_library_survives_being_printed(text: str) -> None:
    check_words(Registry().build("teacher", text), Registry())


@pytest.mark.parametrize(("kind", "text"), [pair for pair in variants("dataset") if needs_download(*pair)])
def test_a_dataset_of_the_hub_states_its_layout_and_says_what_to_do_offline(
    kind: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = Registry().build(Dataset, text)
    check_words(dataset, Registry())
    assert dataset.schema is not None
    assert None not in dataset.schema.model_dump().values()

    def refused(*_: Any, **__: Any) -> Any:
        raise OSError("there is no network here")

    # At the first call that would use the network: the libraries below try again for half a minute.
    monkeypatch.setattr("datasets.load_dataset_builder", refused)
    monkeypatch.setattr("datasets.load_dataset", refused)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "empty"))
    with pytest.raises(DataError, match="Fetch it while there is a network"):
        dataset.identify(tmp_path)
    with pytest.raises(DataError, match="Fetch it while there is a network"):
        dataset.load(tmp_path)


@pytest.mark.parametrize("text", [text for _, text in variants("compressor")])
def test_the_rows_that_a_canvas_takes_are_those_that_it_shows(text: str, tmp_path: Path) -> None:
    """The core refuses a budget that a class cannot serve by this number: it must be true."""
    here = context(tmp_path, data=images(classes=4, per_class=20))
    method: Method = here.method(Compressor, text)
    assert isinstance(method, Compressor)
    made = here.compress(text, here.data, Budget(ipc=2 if method.budgeted else 0, classes=4, size=8))
    if not method.rows_per_canvas():
        assert bool((made.sources == SYNTHETIC).all())
    else:
        assert made.cells == method.rows_per_canvas()
        assert bool((made.sources >= 0).all())
        assert len(made.sources.unique()) == made.sources.numel()
    right = (here.data.targets[made.sources] == made.targets[:, None])[made.sources != SYNTHETIC]
    assert not right.any() if method.name in MISLABELLED else right.all()


@pytest.mark.parametrize("text", [text for _, text in variants("compressor") if text != "full"])
def test_a_budget_that_a_class_cannot_serve_is_refused_before_any_work(text: str, tmp_path: Path) -> None:
    here = context(tmp_path)
    registry = Registry()
    request = Request(compressor=text, dataset="digits", ipc=150, small_cells=True)
    plan = resolve_run(request, registry, here.cache)
    splits = plan.dataset.load()
    assert plan.compressor is not None
    if not plan.compressor.rows_per_canvas():
        # What is synthesised can serve any budget.
        check_request(plan, splits)
        return
    with pytest.raises(UnsupportedError, match=r"The largest ipc here is \d+\."):
        check_request(plan, splits)
    assert not (tmp_path / "cache" / "proxies").exists()


@pytest.mark.parametrize("row", [row for row in LISTED if row.kind == "evaluator"], ids=lambda row: row.name)
def test_an_evaluator_declares_metrics_of_different_names(row: Listed) -> None:
    assert row.method is not None
    assert issubclass(row.method, Evaluator)
    names = [metric.name for metric in row.method.metrics]
    assert names
    assert len(set(names)) == len(names)
