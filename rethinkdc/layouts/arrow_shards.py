"""Shards of a prepared dataset: Arrow streams of images and class indices, read through memory maps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rethinkdc.data.blobs import ArrowBlobs
from rethinkdc.errors import DataError
from rethinkdc.layouts.prepared import Part, Prepared, Shard
from rethinkdc.storage import check_regular, file_digest, show_path

_IMAGE, _LABEL = "image", "label"


def features(class_names: Sequence[str]) -> dict[str, Any]:
    """The columns, as Hugging Face ``datasets`` describes them."""
    return {_IMAGE: {"_type": "Image"}, _LABEL: {"names": list(class_names), "_type": "ClassLabel"}}


def pack(images: Sequence[bytes], names: Sequence[str | None], targets: Sequence[int], columns: dict[str, Any]) -> Any:
    """The Arrow stream of one shard, a ``pyarrow.Buffer``.

    Args:
        images: the encoded images.
        names: of their files, where they have some.
        targets: their class indices.
        columns: what :func:`features` gave.
    """
    import pyarrow as pa

    schema = _schema().with_metadata({"huggingface": json.dumps({"info": {"features": columns}})})
    kind = schema.field(_IMAGE).type
    image = pa.StructArray.from_arrays(
        [pa.array(images, type=pa.binary()), pa.array(names, type=pa.string())], fields=list(kind)
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as stream:
        stream.write_batch(pa.record_batch([image, pa.array(targets, type=pa.int64())], schema=schema))
    return sink.getvalue()


def _schema() -> Any:
    """Types of the columns; what is called an image's path is the name of its file in the source."""
    import pyarrow as pa

    return pa.schema([(_IMAGE, pa.struct([("bytes", pa.binary()), ("path", pa.string())])), (_LABEL, pa.int64())])


def open_part(folder: Path, prepared: Prepared, part: Part) -> tuple[ArrowBlobs, Tensor]:
    """The images of a split, and its targets int64 [N]; nothing is read but where rows begin.

    Raises:
        DataError: a shard is missing or damaged; names it and the command that makes it again.
    """
    import pyarrow as pa

    tables = [_open_shard(folder, prepared, shard) for shard in part.shards]
    table = pa.concat_tables(tables)
    label = f"the {part.name} split of {show_path(folder)}"
    return ArrowBlobs(table.column(_IMAGE), label), torch.from_numpy(table.column(_LABEL).to_numpy().copy())


def find_damaged(folder: Path, prepared: Prepared) -> Shard | None:
    """The first shard that is missing or does not match its checksum; every file is read."""
    return next((shard for shard in prepared.shards if not is_whole(folder, shard)), None)


def is_whole(folder: Path, shard: Shard) -> bool:
    """Whether a shard is there and matches its checksum."""
    path = folder / shard.file
    try:
        check_regular(path)
        return file_digest(path) == shard.sha256
    except OSError:
        return False


def damaged(folder: Path, prepared: Prepared, shard: Shard, why: str) -> DataError:
    """The error of a shard that cannot be used."""
    return DataError(
        f"The shard {show_path(folder / shard.file)} of a prepared dataset is damaged: {why}. Make it again from the "
        f"source, all others are kept: {prepared.recipe.command(folder)}"
    )


def _open_shard(folder: Path, prepared: Prepared, shard: Shard) -> Any:
    import pyarrow as pa

    path = folder / shard.file
    try:
        check_regular(path)
        # Closed at once: the map stays while its rows are used, and files that are open are few.
        with pa.memory_map(str(path)) as file:
            table = pa.ipc.open_stream(file).read_all()
        # Where a row begins and ends is never taken on trust: it may point anywhere.
        table.validate(full=True)
    except (OSError, ValueError, pa.ArrowException) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error).partition("\n")[0]
        raise damaged(folder, prepared, shard, why) from error
    if not table.schema.equals(_schema()) or table.column(_LABEL).null_count:
        raise damaged(folder, prepared, shard, "it holds other columns than images and class indices")
    if len(table) != shard.rows:
        raise damaged(folder, prepared, shard, f"it holds {len(table)} rows, and {shard.rows} were written")
    return table
