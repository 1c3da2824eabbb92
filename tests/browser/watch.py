"""What a browser does that a page should not make it do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Request, Response, WebError

WORTH_A_LOOK = frozenset({"error", "warning", "assert"})
LEFT = "net::ERR_ABORTED"
"""How a request ends whose page was left meanwhile."""


class Watch:
    """All that went wrong in a context since it was made, in order: violations of the policy are on the console."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        """`origin`: where every request has to go."""
        self.troubles: list[str] = []
        self.requests: list[str] = []
        self._origin = origin
        context.on("console", self._console)
        context.on("dialog", self._dialog)
        context.on("request", self._request)
        context.on("requestfailed", self._request_failed)
        context.on("response", self._response)
        context.on("weberror", self._error)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in WORTH_A_LOOK:
            self.troubles.append(f"console {message.type}: {message.text}")

    def _dialog(self, dialog: Dialog) -> None:
        self.troubles.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)
        if not request.url.startswith(f"{self._origin}/"):
            self.troubles.append(f"request to another place: {request.url}")

    def _request_failed(self, request: Request) -> None:
        if request.failure != LEFT:
            self.troubles.append(f"{request.method} {request.url}: {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.troubles.append(f"{response.request.method} {response.url}: {response.status}")

    def _error(self, error: WebError) -> None:
        self.troubles.append(f"uncaught: {error.error}")
