"""The command that sends requests from a file: a JSON object, an array of them, or one a line."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import IO, TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

from acuse.config import CLIENT_KEY
from acuse.domain.errors import Misconfigured, Unavailable
from acuse.entrypoints.options import INTERRUPTED, MISCONFIGURED, REFUSED, UNAVAILABLE, leave, settings_with
from acuse.entrypoints.terminal import give_up, progress, say, seen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from stamina.instrumentation import RetryDetails

    from acuse.client import Signer, Totals

MAX_LINE = 16_777_216
TRIES_IN_SILENCE = 4
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
NOT_JSON = (msgspec.MsgspecError, UnicodeDecodeError)

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_array = msgspec.json.Decoder(list[msgspec.Raw])


def submit(
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(metavar="FILE", help="Requests: a JSON object, an array, or one a line; - reads stdin."),
    ],
    url: Annotated[str | None, typer.Option(metavar="URL", help="Where the service listens.")] = None,
    key: Annotated[
        str | None, typer.Option(metavar="KEY", envvar=CLIENT_KEY, help="The key to send, where keys are asked for.")
    ] = None,
    sigv4: Annotated[
        str | None,
        typer.Option(
            metavar="REGION", help="Sign with AWS credentials for that region, where IAM decides who may send."
        ),
    ] = None,
    insecure: Annotated[  # noqa: FBT002
        bool, typer.Option("--insecure", help="Send the key or the signature even over plain HTTP.")
    ] = False,
    minimal: Annotated[bool, typer.Option("--minimal", help="Print the id and the stamps only.")] = False,  # noqa: FBT002
) -> None:
    """Send requests and print each answer, one a line.

    While there is no answer, or the service says to come back later, it tries again, for up to a minute.
    """
    from stamina.instrumentation import set_on_retry_hooks  # noqa: PLC0415  (the other commands need not wait for it)

    from acuse.client import Client, Refused, Totals  # noqa: PLC0415  (the same)

    settings = settings_with()
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    totals = Totals()
    columns = (TextColumn("submitted {task.fields[done]}"), BarColumn(), TimeRemainingColumn())
    try:
        signer = aws_signer(sigv4) if sigv4 is not None else None
        where = url or f"http://{host}:{settings.port}"
        with Client(where, key=key, signer=signer, insecure=insecure) as client, progress(*columns, prints=True) as bar:
            set_on_retry_hooks([partial(_say_why, bar.console)])  # Those of stamina write to stdout, among the answers.
            task = bar.add_task("", total=size_of(file), done=0)
            for item in client.submit_all(requests_in(file), minimal=minimal):
                say(item.document.decode())
                sys.stdout.flush()
                totals = totals.plus(item)
                bar.update(task, completed=position_in(file), done=totals.items)
    except ValueError as error:
        leave(MISCONFIGURED, _after(totals, error))
    except (Refused, Unavailable) as error:
        leave(REFUSED if isinstance(error, Refused) else UNAVAILABLE, _after(totals, error))
    except KeyboardInterrupt:
        leave(INTERRUPTED, _after(totals, "interrupted"))
    if not totals.items:
        leave(MISCONFIGURED, "there is no request in it")
    if totals.refused:
        leave(REFUSED, f"{totals.refused} of {totals.items} were refused")
    if totals.unavailable:
        leave(UNAVAILABLE, f"{totals.unavailable} of {totals.items} could not be stored now")


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
        raise Misconfigured("signing needs more packages: pip install 'acuse[aws]'") from error
    return SigV4(region)


def _say_why(told: Console, retry: RetryDetails) -> None:
    """Why nothing goes on, once it has not for a moment."""
    if retry.retry_num == TRIES_IN_SILENCE:
        text = f"acuse: {seen(str(retry.caused_by))}; trying again"
        try:
            told.print(text, markup=False, highlight=False, soft_wrap=True)
        except OSError:
            give_up(sys.stderr)


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


def _after(totals: Totals, trouble: Exception | str) -> str:
    return f"{trouble} (after the answers to the first {totals.items})" if totals.items else str(trouble)
