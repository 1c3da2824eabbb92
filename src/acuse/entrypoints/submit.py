"""The requests in a file: a JSON object, an array of them, or one a line; and what signs them."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

import msgspec

from acuse.domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from acuse.client import Signer

MAX_LINE = 16_777_216
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
NOT_JSON = (msgspec.MsgspecError, UnicodeDecodeError)

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_array = msgspec.json.Decoder(list[msgspec.Raw])


def requests_in(file: IO[bytes]) -> Iterator[bytes]:
    """Yields the requests as they are written; of those that stand one a line, no more than is asked for is read.

    Raises ValueError that names what is not a JSON object.
    """
    line, number = file.readline(MAX_LINE + 1).removeprefix(BYTE_ORDER_MARK), 1
    while line and not line.strip():
        line, number = file.readline(MAX_LINE + 1), number + 1
    if line.lstrip().startswith(b"["):
        yield from _items(line + file.read())
        return
    if not _is_object(line):
        whole = line + file.read(MAX_LINE)
        if _is_object(whole):
            yield whole
            return
    while line:
        if len(line) > MAX_LINE:
            raise ValueError(f"line {number} is longer than {MAX_LINE} bytes")
        if line.strip():
            yield _checked(line, f"line {number}")
        line, number = file.readline(MAX_LINE + 1), number + 1


def size_of(file: IO[bytes]) -> int | None:
    """The bytes in it; None if only reading it to its end tells."""
    return os.fstat(file.fileno()).st_size if file.seekable() else None


def position_in(file: IO[bytes]) -> int | None:
    """The bytes that were read of it; None if it does not keep count."""
    return file.tell() if file.seekable() else None


def aws_signer(region: str | None = None) -> Signer:
    """Signs with the credentials that every AWS tool finds. Raises Misconfigured if there are none."""
    try:
        from acuse.adapters.aws.signer import SigV4  # noqa: PLC0415  (a laptop may lack its package)
    except ModuleNotFoundError as error:
        if error.name != "botocore":
            raise
        raise Misconfigured("signing needs more packages: pip install acuse[aws]") from error
    return SigV4(region)


def _items(text: bytes) -> Iterator[bytes]:
    try:
        items = _array.decode(text)
    except NOT_JSON as error:
        raise ValueError(f"it is not a JSON array: {error}") from error
    for number, item in enumerate(items, 1):
        yield _checked(bytes(item), f"item {number}")


def _checked(text: bytes, name: str) -> bytes:
    try:
        _object.decode(text)
    except NOT_JSON as error:
        raise ValueError(f"{name} is not a JSON object: {error}") from error
    return text


def _is_object(text: bytes) -> bool:
    try:
        _object.decode(text)
    except NOT_JSON:
        return False
    return True
