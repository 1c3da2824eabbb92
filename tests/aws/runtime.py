"""One function under the real Lambda runtime client, which finds the bundle, the standard library and nothing else."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from infra.local_aws import REGION

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = "/2018-06-01/runtime"
CLIENT = ("awslambdaric", "simplejson", "snapshot-restore-py")
INIT_SECONDS = 30.0
# The bundle may lack acuse, so this is not acuse.adapters.lifeline; the runtime client is for Linux alone.
LAUNCHER = f"""
import ctypes, runpy
ctypes.CDLL(None).prctl(1, {signal.SIGKILL:d})
runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)
"""


class FunctionError(Exception):
    """The function raised, could not start, died or took too long."""

    def __init__(self, error_type: str, message: str, trace: str = "") -> None:
        super().__init__(f"{error_type}: {message}\n{trace}".strip())
        self.error_type = error_type
        self.message = message
        self.trace = trace


class Function:
    """It keeps its process from one call to the next, as Lambda does, until the block is left."""

    def __init__(self, bundle: Path, handler: str, environment: Mapping[str, str], *, timeout: float = 30) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="acuse-runtime-")
        client = Path(self._folder.name) / "client"
        client.mkdir()
        link_client(client)
        self._log = Path(self._folder.name) / "log"
        self._handler = handler
        self._timeout = timeout
        self._environment = {
            "PATH": os.defpath,
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": f"{bundle.resolve()}{os.pathsep}{client}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
            "AWS_LAMBDA_FUNCTION_NAME": "function",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "LAMBDA_TASK_ROOT": str(bundle.resolve()),
            "_HANDLER": handler,
            **environment,
        }
        self._process: _Process | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._folder.cleanup()

    @property
    def log(self) -> str:
        """All that its processes wrote, to either stream."""
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""

    def invoke(self, event: object) -> Any:
        """What the handler returned. One call at a time; the process starts with the first."""
        if self._process is None or self._process.ended.is_set():
            self._stop()
            self._process = _Process(self._handler, self._environment, self._log, self._timeout)
        return self._process.call(event)

    def _stop(self) -> None:
        if self._process is not None:
            self._process.stop()
        self._process = None


class _Process:
    """One process of the function, and the server that it asks for its calls."""

    def __init__(self, handler: str, environment: Mapping[str, str], log: Path, timeout: float) -> None:
        self.timeout = timeout
        self.calls: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.answers: queue.SimpleQueue[bytes | FunctionError] = queue.SimpleQueue()
        self.started = threading.Event()
        self.ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Api, self))
        self._serving = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._serving.start()
        self._child: subprocess.Popen[bytes] | None = None
        address = f"127.0.0.1:{self._server.server_address[1]}"
        command = [sys.executable, "-S", "-P", "-c", LAUNCHER, handler]
        self._running = threading.Thread(
            target=self._run, args=(command, {**environment, "AWS_LAMBDA_RUNTIME_API": address}, log), daemon=True
        )
        self._running.start()
        if not self.started.wait(INIT_SECONDS):
            self.ended.set()
            self.answers.put(FunctionError("Timeout", f"not started after {INIT_SECONDS:g} s"))

    def call(self, event: object) -> Any:
        self.calls.put(json.dumps(event).encode())
        try:
            answer = self.answers.get(timeout=self.timeout)
        except queue.Empty:
            self._kill()
            raise FunctionError("Timeout", f"no answer after {self.timeout:g} s") from None
        if isinstance(answer, FunctionError):
            raise answer
        return json.loads(answer)

    def stop(self) -> None:
        self._kill()
        self.calls.put(None)
        self._server.shutdown()
        self._serving.join()
        self._server.server_close()

    def _kill(self) -> None:
        if self._child is not None:
            self._child.kill()
        self._running.join()

    def _run(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        # The kernel counts the thread that starts a process as its parent, so that thread must last as long.
        with log.open("ab") as written:
            self._child = subprocess.Popen(command, env=environment, stdout=written, stderr=written)
        status = self._child.wait()
        self.ended.set()
        self.answers.put(
            FunctionError("Runtime.ExitError", f"the process ended with {status}", log.read_text("utf-8", "replace"))
        )
        self.started.set()


class _Api(BaseHTTPRequestHandler):
    """The Runtime API, for one process."""

    protocol_version = "HTTP/1.1"
    # Head and body leave in one piece: the client's kernel would wait 40 ms before it acknowledged the first of two.
    wbufsize = -1
    disable_nagle_algorithm = True

    def __init__(self, process: _Process, *rest: Any) -> None:
        self._process = process
        with suppress(ConnectionError):  # it was killed
            super().__init__(*rest)

    def do_GET(self) -> None:
        if self.path != f"{VERSION}/invocation/next":
            self._answer(HTTPStatus.NOT_FOUND)
            return
        self._process.started.set()
        event = self._process.calls.get()
        if event is None:
            self.close_connection = True
            return
        deadline = time.time() + self._process.timeout
        self._answer(
            HTTPStatus.OK,
            event,
            **{
                "Lambda-Runtime-Aws-Request-Id": str(uuid.uuid4()),
                "Lambda-Runtime-Deadline-Ms": str(int(deadline * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": f"arn:aws:lambda:{REGION}:000000000000:function:function",
            },
        )

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        match self.path.removeprefix(VERSION).split("/")[1:]:
            case ["invocation", _, "response"]:
                self._process.answers.put(body)
            case ["invocation", _, "error"]:
                self._process.answers.put(_error(body))
            case ["init", "error"]:
                self._process.ended.set()
                self._process.answers.put(_error(body))
                self._process.started.set()
            case _:
                self._answer(HTTPStatus.NOT_FOUND)
                return
        self._answer(HTTPStatus.ACCEPTED)

    def log_message(self, *_: object) -> None:
        """Nothing is written for a request."""

    def _answer(self, status: HTTPStatus, body: bytes = b"{}", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def link_client(folder: Path) -> None:
    """The runtime client and what it imports, of all that is installed here, can be found in the folder."""
    for name in CLIENT:
        installed = distribution(name)
        for top in {file.parts[0] for file in installed.files or []} - {"__pycache__"}:
            (folder / top).symlink_to(str(installed.locate_file(top)))


def _error(body: bytes) -> FunctionError:
    told = json.loads(body)
    return FunctionError(told["errorType"], told["errorMessage"], "".join(told["stackTrace"]))
