"""A VFS in front of SQLite's own, in the SQLite that the interpreter itself uses: it notes what is done to files."""

from __future__ import annotations

import _sqlite3
import ctypes
import os
import sqlite3
import threading
from contextlib import contextmanager
from ctypes import CFUNCTYPE, c_char_p, c_int, c_int64, c_void_p
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tests.power.log import Created, Deleted, FolderSynced, Log, Synced, Truncated, Written

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = b"acuse-power"
VERSION = 3
"""Of both structures; later ones only append to them."""

# Names are passed on as the addresses they came as: behind a name SQLite keeps the parameters of its URI.
OPEN = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
DELETE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int)
CLOSE = CFUNCTYPE(c_int, c_void_p)
WRITE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
TRUNCATE = CFUNCTYPE(c_int, c_void_p, c_int64)
SYNC = CFUNCTYPE(c_int, c_void_p, c_int)
SET_CALL = CFUNCTYPE(c_int, c_void_p, c_char_p, c_void_p)
GET_CALL = CFUNCTYPE(c_void_p, c_void_p, c_char_p)
OPEN_FOLDER = CFUNCTYPE(c_int, c_char_p, c_void_p)
FOLDER_CALL = b"openDirectory"
"""SQLite's own name of the call with which its unix VFS opens a folder, only ever in order to sync it."""


class Unreachable(Exception):
    """The interpreter's SQLite cannot be reached, so nothing can be said about power loss here."""


class Vfs(ctypes.Structure):
    """sqlite3_vfs, version 3."""

    _fields_: ClassVar[Any] = [
        ("version", c_int),
        ("file_size", c_int),
        ("max_path", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("app_data", c_void_p),
        ("open", OPEN),
        ("delete", DELETE),
        *((name, c_void_p) for name in ("access", "full_path", "dl_open", "dl_error", "dl_sym", "dl_close")),
        *((name, c_void_p) for name in ("randomness", "sleep", "current_time", "last_error", "current_time_64")),
        ("set_call", SET_CALL),
        ("get_call", GET_CALL),
        ("next_call", c_void_p),
    ]
    version: int
    name: bytes
    open: Any
    delete: Any
    set_call: Any
    get_call: Any


class Methods(ctypes.Structure):
    """sqlite3_io_methods, version 3."""

    _fields_: ClassVar[Any] = [
        ("version", c_int),
        ("close", CLOSE),
        ("read", c_void_p),
        ("write", WRITE),
        ("truncate", TRUNCATE),
        ("sync", SYNC),
        *((name, c_void_p) for name in ("file_size", "lock", "unlock", "check_reserved", "control", "sector_size")),
        *((name, c_void_p) for name in ("characteristics", "shm_map", "shm_lock", "shm_barrier", "shm_unmap")),
        *((name, c_void_p) for name in ("fetch", "unfetch")),
    ]
    version: int
    close: Any
    write: Any
    truncate: Any
    sync: Any


class Shim:
    """Reads, locks and shared memory go to SQLite's own functions; what changes files comes by here."""

    def __init__(self, base: Vfs, folder: Path, log: Log) -> None:
        self._base = base
        self._folder = folder.resolve()
        self._log = log
        self._files: dict[int, tuple[int, Methods, int]] = {}
        self._names: dict[str, int] = {}
        self._tables: dict[int, Methods] = {}
        self._thread = threading.local()
        self._naming = threading.Lock()
        self._count = 0
        self._open_folder = OPEN_FOLDER(base.get_call(None, FOLDER_CALL))
        self.failures: list[BaseException] = []
        self.open_folder = self._guarded(OPEN_FOLDER, self._opened_folder)
        self.vfs = Vfs.from_buffer_copy(bytes(base))
        self.vfs.version = min(base.version, VERSION)
        self.vfs.name = NAME
        self.vfs.open = self._guarded(OPEN, self._opened)
        self.vfs.delete = self._guarded(DELETE, self._deleted)

    @property
    def is_busy(self) -> bool:
        """Some file is still open."""
        return bool(self._files)

    def _guarded(self, kind: Any, function: Any) -> Any:
        """An exception cannot pass through C: SQLite hears of an I/O error, and it is raised at the end."""

        def guarded(*arguments: Any) -> int:
            try:
                return int(function(*arguments))
            except BaseException as error:  # noqa: BLE001
                self.failures.append(error)
                return sqlite3.SQLITE_IOERR

        return kind(guarded)

    def _name(self, address: int | None) -> str | None:
        """The name in our folder; None for anything else."""
        path = Path(os.fsdecode(ctypes.string_at(address))) if address else Path()
        return path.name if path.parent == self._folder else None

    def _opened(self, vfs: int, path: int | None, file: int, flags: int, out: int | None) -> int:
        name = self._name(path)
        if name is None:
            return int(self._base.open(vfs, path, file, flags, out))
        with self._naming:
            events = []
            if name not in self._names:
                self._count += 1
                events = [Created(name, self._count)]
            code = self._log.during(lambda: int(self._base.open(vfs, path, file, flags, out)), *events)
            if code == sqlite3.SQLITE_OK:
                number = self._names.setdefault(name, self._count)
                methods = c_void_p.from_address(file)
                address = methods.value or 0
                self._files[file] = (number, Methods.from_address(address), address)
                methods.value = ctypes.addressof(self._table(address))
            return code

    def _table(self, address: int) -> Methods:
        if address not in self._tables:
            base = Methods.from_address(address)
            table = Methods.from_buffer_copy(bytes(base))
            table.version = min(base.version, VERSION)
            table.close = self._guarded(CLOSE, self._closed)
            table.write = self._guarded(WRITE, self._written)
            table.truncate = self._guarded(TRUNCATE, self._truncated)
            table.sync = self._guarded(SYNC, self._synced)
            self._tables[address] = table
        return self._tables[address]

    def _closed(self, file: int) -> int:
        _, base, address = self._files.pop(file)
        c_void_p.from_address(file).value = address
        return int(base.close(file))

    def _written(self, file: int, data: int, size: int, offset: int) -> int:
        number, base, _ = self._files[file]
        written = Written(number, offset, ctypes.string_at(data, size))
        return self._log.during(lambda: int(base.write(file, data, size, offset)), written)

    def _truncated(self, file: int, size: int) -> int:
        number, base, _ = self._files[file]
        return self._log.during(lambda: int(base.truncate(file, size)), Truncated(number, size))

    def _synced(self, file: int, flags: int) -> int:
        number, base, _ = self._files[file]
        before = self._log.position()
        self._thread.synced_folder = False
        code = int(base.sync(file, flags))
        if code == sqlite3.SQLITE_OK:
            folder = [FolderSynced(before)] if self._thread.synced_folder else []
            self._log.add(Synced(number, before), *folder)
        return code

    def _deleted(self, vfs: int, path: int, sync_folder: int) -> int:
        name = self._name(path)
        if name is None:
            return int(self._base.delete(vfs, path, sync_folder))
        self._thread.synced_folder = False
        with self._naming:
            code = self._log.during(lambda: int(self._base.delete(vfs, path, sync_folder)), Deleted(name))
            if code == sqlite3.SQLITE_OK:
                del self._names[name]
                if self._thread.synced_folder:
                    self._log.add(FolderSynced(self._log.position()))
            return code

    def _opened_folder(self, path: bytes, out: int) -> int:
        code = int(self._open_folder(path, out))
        self._thread.synced_folder = code == sqlite3.SQLITE_OK
        return code


@contextmanager
def recording(folder: Path, log: Log) -> Iterator[None]:
    """Every connection that this process opens meanwhile to a file in the empty folder is noted in the log.

    They must be closed at the end. One of them may not be used by two threads at once; Database sees to that.
    """
    library = reach(getattr(_sqlite3, "__file__", None))
    base = Vfs.from_address(library.sqlite3_vfs_find(None))
    if not base.name.startswith(b"unix"):
        raise Unreachable(f"the VFS of this SQLite is {base.name.decode()}, and only that of Unix is known here")
    shim = Shim(base, folder, log)
    call = base.get_call(None, FOLDER_CALL)
    base.set_call(None, FOLDER_CALL, ctypes.cast(shim.open_folder, c_void_p))
    library.sqlite3_vfs_register(ctypes.byref(shim.vfs), 1)
    try:
        yield
    finally:
        library.sqlite3_vfs_unregister(ctypes.byref(shim.vfs))
        base.set_call(None, FOLDER_CALL, call)
        if shim.is_busy:
            shim.failures.append(RuntimeError("a connection was left open"))
    if shim.failures:
        raise shim.failures[0]


def reach(module: str | None) -> ctypes.CDLL:
    """The library, with the types of the functions that are needed. None: it is in the interpreter itself."""
    try:
        library = ctypes.CDLL(module)
        library.sqlite3_vfs_find.restype = c_void_p
        library.sqlite3_libversion.restype = c_char_p
        version = library.sqlite3_libversion().decode()
        functions = library.sqlite3_vfs_register, library.sqlite3_vfs_unregister
    except (AttributeError, OSError) as error:
        raise Unreachable(
            "the functions of SQLite cannot be found from this Python: its sqlite3 is linked statically, without"
            " symbols. Use a Python whose sqlite3 is linked to a shared library, as those of distributions are"
        ) from error
    if version != sqlite3.sqlite_version:
        raise Unreachable(f"SQLite {version} was found, but this Python uses {sqlite3.sqlite_version}")
    for function in functions:
        function.restype = c_int
    return library
