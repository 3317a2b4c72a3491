"""Valid inputs made wrong, the same way for the same draws: of bytes, of trees of plain values, of archives."""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Any

from rethinkdc.runs.schemas import seal_of

Mutate = Callable[[bytes, Random], bytes]

MOST = 1 << 20
"""Bytes that a mutated input has, at most."""
_TOKENS = (
    b"\0",
    b"\x1b[2J",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xe2\x80\xae",
    b"\\ud800",
    b"NaN",
    b"Infinity",
    b"-1",
    b"1e999",
    b"9" * 20,
    b"9" * 5000,
    b"[" * 2000,
    b'{"a":' * 2000,
    b"x" * 70000,
    b"../../",
    b"/etc/passwd",
    b"__builtin__",
    b"\r",
    b"\n",
    b'"',
    b"'",
    b",",
    b"\xc3",
)
_NUMBER = re.compile(rb"\d+")


def mutate_bytes(seed: bytes, draw: Random) -> bytes:
    """One to four small changes."""
    content = seed
    for _ in range(draw.choice((1, 1, 1, 2, 2, 3, 4))):
        content = draw.choice(_CHANGES)(content, draw)[:MOST]
    return content


def mutate_both(one: Mutate, other: Mutate, share: float = 0.5) -> Mutate:
    """The one change in a share of all cases, the other in the rest."""
    return lambda seed, draw: (one if draw.random() < share else other)(seed, draw)


def _flip(content: bytes, draw: Random) -> bytes:
    changed = bytearray(content or b"\0")
    for _ in range(draw.choice((1, 1, 2, 8, 32))):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _overwrite(content: bytes, draw: Random) -> bytes:
    """A whole number of a size that headers have, at any place."""
    value = draw.choice((0, 1, -1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 10**9, 2**31 - 1, 2**32 - 1, 2**40, 2**63 - 1))
    form = draw.choice(("<B", "<H", "<I", "<Q", ">H", ">I", ">Q"))
    number = struct.pack(form, value & ((1 << 8 * struct.calcsize(form)) - 1))
    place = draw.randrange(len(content) + 1)
    return content[:place] + number + content[place + len(number) :]


def _cut(content: bytes, draw: Random) -> bytes:
    return content[: draw.randrange(len(content) + 1)]


def _drop(content: bytes, draw: Random) -> bytes:
    first, last = _span(content, draw)
    return content[:first] + content[last:]


def _repeat(content: bytes, draw: Random) -> bytes:
    first, last = _span(content, draw)
    return content[:last] + content[first:last] * draw.choice((1, 1, 2, 20, 500)) + content[last:]


def _move(content: bytes, draw: Random) -> bytes:
    first, last = _span(content, draw)
    place = draw.randrange(len(content) + 1)
    return content[:place] + content[first:last] + content[place:]


def _insert(content: bytes, draw: Random) -> bytes:
    place = draw.randrange(len(content) + 1)
    return content[:place] + draw.choice(_TOKENS) + content[place:]


def _renumber(content: bytes, draw: Random) -> bytes:
    """Another number in the place of one that is written in digits."""
    found = list(_NUMBER.finditer(content[: 1 << 16]))
    if not found:
        return _insert(content, draw)
    place = draw.choice(found)
    number = draw.choice(
        (b"0", b"-1", b"1", b"1.5", b"1000000000", b"9" * 19, b"9" * 30, b"9" * 5000, b"nan", b"1e400")
    )
    return content[: place.start()] + number + content[place.end() :]


def _end(content: bytes, draw: Random) -> bytes:
    return content + draw.choice((*_TOKENS, content))


def _span(content: bytes, draw: Random) -> tuple[int, int]:
    first = draw.randrange(len(content) + 1)
    return first, min(len(content), first + draw.choice((1, 2, 4, 16, 64, 1000)))


_CHANGES = (_flip, _flip, _overwrite, _overwrite, _cut, _drop, _repeat, _move, _insert, _renumber, _end)


def nasty_value(draw: Random) -> Any:
    """A value of another type, size or kind than anybody expects."""
    return draw.choice(_NASTY)()


_SPELLED = {
    '"@nested"': "[" * 900 + "]" * 900,
    '"@very nested"': "[" * 50_000 + "]" * 50_000,
    '"@digits"': "9" * 5000,
}
"""What no writer of JSON or TOML writes, by the texts that stand for it in a tree."""


_NASTY: tuple[Callable[[], Any], ...] = (
    lambda: None,
    lambda: True,
    lambda: False,
    lambda: 0,
    lambda: -1,
    lambda: 1.5,
    lambda: 2**31,
    lambda: 2**63,
    lambda: -(2**63) - 1,
    lambda: 10**30,
    lambda: 10**400,
    lambda: float("nan"),
    lambda: float("inf"),
    lambda: -float("inf"),
    lambda: 1e308,
    lambda: "",
    lambda: "\0",
    lambda: "\x1b[31mred",
    lambda: "\ud800",
    lambda: "‮gpj",
    lambda: "é" * 10,
    lambda: "x" * 50_000,
    lambda: "../../secret",
    lambda: "/etc/passwd",
    lambda: "nan",
    lambda: "9" * 5000,
    list,
    dict,
    lambda: [None],
    lambda: [[]],
    lambda: [1, "a", None, [2]],
    lambda: {"": {}},
    lambda: {"a": {"b": {"c": [1]}}},
    lambda: "@nested",
    lambda: "@very nested",
    lambda: "@digits",
    lambda: [0] * 5000,
    lambda: {str(key): key for key in range(2000)},
)


def mutate_tree(tree: Any, draw: Random) -> Any:
    """One to three changes of a tree of mappings, lists and plain values; the tree itself stays."""
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        tree = _change(tree, draw)
    return tree


def _change(tree: Any, draw: Random) -> Any:
    inner = list(tree.items()) if isinstance(tree, dict) else list(enumerate(tree)) if isinstance(tree, list) else []
    if not inner or draw.random() < 0.08:
        return nasty_value(draw)
    key, value = draw.choice(inner)
    how = draw.random()
    if how < 0.6 and isinstance(value, dict | list) and value:
        value = _change(value, draw)
    elif how < 0.75:
        # Another value of the same tree: of a type that is expected, elsewhere.
        value = draw.choice(inner)[1]
    elif how < 0.9:
        value = nasty_value(draw)
    elif isinstance(tree, dict):
        return _change_keys(tree, key, draw)
    else:
        return draw.choice((tree[:key] + tree[key + 1 :], [*tree, value], tree * 2, list(reversed(tree)), {"0": tree}))
    if isinstance(tree, dict):
        return {**tree, key: value}
    return [*tree[:key], value, *tree[key + 1 :]]


def _change_keys(tree: dict[str, Any], key: str, draw: Random) -> dict[str, Any]:
    rest = {name: value for name, value in tree.items() if name != key}
    other = draw.choice(("", "\0", key.upper(), f"{key}s", key[:-1], "x" * 3000, "é", "__class__", "a.b", "0"))
    return draw.choice((rest, {**rest, other: tree[key]}, {**tree, other: nasty_value(draw)}))


def to_json(tree: Any, draw: Random) -> bytes:
    """JSON as Python and others write it; in some cases with a key twice."""
    text = json.dumps(tree, ensure_ascii=draw.random() < 0.8)
    if draw.random() < 0.05 and (keys := list(re.finditer(r'"\w+": ', text))):
        key = draw.choice(keys)
        text = f"{text[: key.start()]}{key[0]}{draw.choice(('1', 'null', '[]'))}, {text[key.start() :]}"
    return _spell(text)


def _spell(text: str) -> bytes:
    for word, spelled in _SPELLED.items():
        text = text.replace(word, spelled)
    return text.encode("utf-8", "surrogatepass")


def mutate_json(seed: bytes, draw: Random) -> bytes:
    """A change of what a JSON text says."""
    return to_json(mutate_tree(json.loads(seed), draw), draw)


def mutate_sealed(seed: bytes, draw: Random) -> bytes:
    """As :func:`mutate_json` of a record or an answer, with its seal right again."""
    changed = mutate_tree(json.loads(seed), draw)
    if isinstance(changed, dict):
        # Of some values none can be taken.
        with suppress(ValueError, RecursionError):
            changed = {**changed, "seal": seal_of(changed)}
    return to_json(changed, draw)


def to_toml(tree: dict[str, Any]) -> bytes:
    """TOML with a line for each key at the top, all else within it; None is left out."""
    lines = [f"{_toml_key(key)} = {_toml(value)}" for key, value in tree.items() if value is not None]
    return _spell("\n".join(lines))


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        pairs = ", ".join(f"{_toml_key(key)} = {_toml(one)}" for key, one in value.items() if one is not None)
        return f"{{ {pairs} }}"
    if isinstance(value, list):
        return f"[{', '.join(_toml(one) for one in value if one is not None)}]"
    if isinstance(value, int | float):
        return repr(value)
    return _toml_key(str(value))


def _toml_key(text: str) -> str:
    escaped = "".join(f"\\u{ord(one):04x}" if one < " " or one == "\x7f" else one for one in text)
    return '"' + escaped.replace('"', '\\"') + '"'


def mutate_toml(seed: bytes, draw: Random) -> bytes:
    """A change of what a TOML text says."""
    import tomllib

    tree = mutate_tree(tomllib.loads(seed.decode()), draw)
    return to_toml(tree if isinstance(tree, dict) else {"value": tree})


def mutate_within(member: Callable[[str], Mutate | None]) -> Mutate:
    """Changes what a member of a zip archive holds, or the claims about it; ``member`` says how by its name."""

    def mutate(seed: bytes, draw: Random) -> bytes:
        if not zipfile.is_zipfile(io.BytesIO(seed)):
            return mutate_bytes(seed, draw)
        with zipfile.ZipFile(io.BytesIO(seed)) as archive:
            contents = [(about.filename, archive.read(about)) for about in archive.infolist()]
        chosen = draw.randrange(len(contents))
        name, content = contents[chosen]
        contents[chosen] = (draw.choice((name, name, name, name, "other", "../out", f"{name}\0", "x" * 300)), content)
        if draw.random() < 0.9 and (change := member(name)):
            contents[chosen] = (name, change(content, draw))
        if draw.random() < 0.05:
            contents.append(draw.choice(contents))
        if draw.random() < 0.05:
            contents.pop(draw.randrange(len(contents)))
        return write_zip(contents, draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))

    return mutate


def write_zip(contents: Sequence[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    """An archive of these members, two of one name if they come twice."""
    import warnings

    held = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(held, "w", compression) as archive:
        warnings.simplefilter("ignore")
        for name, content in contents:
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return held.getvalue()


def mutate_npy(seed: bytes, draw: Random) -> bytes:
    """A change of what the header of a NumPy array claims."""
    if draw.random() < 0.4:
        return mutate_bytes(seed, draw)
    header = {
        "descr": draw.choice(
            ("<i8", "<f4", "|u1", ">f8", "<c16", "|O", "<U5", "|V3", "<m8[s]", "|S4", "<f2", "|b1", "x")
        ),
        "fortran_order": draw.choice((False, True, 1, None)),
        "shape": draw.choice(
            ((4,), (), (0,), (2, 2), (10**9,), (10**18,), (-1,), (2**63,), (4, 0, 10**9), (1,) * 70, (1.5,))
        ),
    }
    if draw.random() < 0.2:
        header.pop(draw.choice(list(header)))
    text = repr(header) if draw.random() < 0.9 else repr(header)[: draw.randrange(40)]
    body = seed[-draw.randrange(64) - 1 :]
    size = draw.choice((len(text) + 1,) * 6 + (0, 0xFFFF, 10))
    return (
        b"\x93NUMPY" + draw.choice((b"\1\0", b"\2\0", b"\7\7")) + struct.pack("<H", size) + text.encode() + b"\n" + body
    )


def mutate_safetensors(seed: bytes, draw: Random) -> bytes:
    """A change of what the header of a safetensors file says."""
    if draw.random() < 0.3:
        return mutate_bytes(seed, draw)
    size = int.from_bytes(seed[:8], "little")
    header = to_json(mutate_tree(json.loads(seed[8 : 8 + size]), draw), draw)
    claimed = draw.choice((len(header),) * 9 + (2**62,))
    return claimed.to_bytes(8, "little") + header + seed[8 + size :]


def mutate_png(seed: bytes, draw: Random) -> bytes:
    """A change of one chunk of a PNG, with its checksum right again."""
    chunks, place = [], 8
    while place + 12 <= len(seed):
        size = int.from_bytes(seed[place : place + 4], "big")
        chunks.append((seed[place + 4 : place + 8], seed[place + 8 : place + 8 + size]))
        place += 12 + size
    chosen = draw.randrange(len(chunks))
    kind, content = chunks[chosen]
    if kind == b"IHDR":
        side = draw.choice((0, 1, 2, 5000, 10**5, 2**31 - 1))
        content = struct.pack(">II", side, draw.choice((1, side))) + _flip(content[8:], draw)
    else:
        content = mutate_bytes(content, draw)
    chunks[chosen] = (draw.choice((kind, kind, kind, b"tEXt", b"iCCP", b"zTXt", b"eXIf", b"tRNS", b"fcTL")), content)
    if draw.random() < 0.2:
        chunks.insert(draw.randrange(len(chunks) + 1), draw.choice(chunks))
    written = [
        len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")
        for kind, content in chunks
    ]
    return seed[:8] + b"".join(written)
