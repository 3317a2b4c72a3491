"""What ``prepare`` takes. Imports nothing heavy."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from rethinkdc.choices import Codec, DecoderName
from rethinkdc.errors import RequestError
from rethinkdc.runs.calls import CacheFolder, Networked, Reporting
from rethinkdc.runs.options import Option


@dataclass(frozen=True)
class PrepareCall(Networked):
    """What ``prepare`` takes."""

    dataset: Annotated[str | None, Option("Name, folder or hub id of the data.", argument="[DATASET]")] = None
    study: Annotated[
        str | Path | None,
        Option(
            "In place of a dataset: fetch all that the runs of this study (.toml file or shipped name) need of a "
            "network, so that `sweep STUDY --offline` can make them.",
            typed=str,
        ),
    ] = field(default=None, kw_only=True)
    out: Annotated[
        str | Path | None,
        Option(
            "Folder to write, or one that was begun before; default: NAME-prepared, or NAME-256px.",
            short="-o",
            typed=Path,
        ),
    ] = field(default=None, kw_only=True)
    short_side: Annotated[
        int | None,
        Option(
            "Resize larger images to this shorter side in pixels, and encode them anew; default: the source's bytes.",
            minimum=1,
        ),
    ] = field(default=None, kw_only=True)
    codec: Annotated[Codec, Option("What resized images are encoded as: jpeg, or png, which loses nothing.")] = field(
        default="jpeg", kw_only=True
    )
    quality: Annotated[int, Option("Of JPEG, 1 to 100.", minimum=1)] = field(default=90, kw_only=True)
    scaled: Annotated[
        bool,
        Option(
            "Decode JPEG images at a half, a quarter or an eighth of their size where twice the short side is left: "
            "faster, and other pixels."
        ),
    ] = field(default=False, kw_only=True)
    decoder: Annotated[
        DecoderName,
        Option(
            "What decodes ordinary JPEG, PNG and WebP: pillow, or torchcodec, whose images have a key of their own."
        ),
    ] = field(default="pillow", kw_only=True)
    workers: Annotated[
        int | None,
        Option(
            "Processes that read and encode; default: one for each core. The result does not depend on it.", minimum=0
        ),
    ] = field(default=None, kw_only=True)
    cache_dir: CacheFolder = field(default=None, kw_only=True)
    progress: Reporting = field(default=None, kw_only=True)

    @property
    def source(self) -> str:
        """The data that is prepared.

        Raises:
            RequestError: none is named.
        """
        if self.dataset is None:
            raise RequestError(
                "prepare needs the data that it reads: `rethinkdc prepare DATASET`; or --study STUDY, to fetch what "
                "the runs of a study need."
            )
        return self.dataset
