"""Questions to a forge over HTTP: with a deadline, a bound on what is read, and a token that goes to one place.

No redirect is followed and no proxy of the environment is used, as the token would travel along. Certificates are
verified against this machine's own store (or SSL_CERT_FILE). A question that may be asked twice without harm is asked
again when nothing came back; a new comment or issue is not. The libraries are those of the extra `forge` and are
imported only here.
"""

import json
import ssl
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from functools import cached_property
from threading import Thread
from typing import Any

from platformctl import __version__
from platformctl.errors import ToolError, Unreachable, Usage
from platformctl.forges.answers import items
from platformctl.model.forge import ForgeUrl
from platformctl.model.secret import Secret

MAX_BYTES = 16 << 20
"""How many bytes of one answer are read; a longer one is refused, as half a list of reviews would be a lie."""
MAX_PAGES = 100
SECONDS = 20.0
"""Seconds for one question, from its first byte to the answer's last."""
ATTEMPTS = 3
_SILENCE = 10.0
_PAGE = 50


class _NoAnswer(Exception):
    """Raised when nothing came back, or the forge is busy: the question may be asked again."""


class Wire:
    """One forge's interface below `base`; `credentials` is the value of the Authorization header, None without one.

    `size` is the forge's name for how many items of a list are asked for.
    """

    def __init__(
        self,
        base: ForgeUrl,
        credentials: Secret | None,
        *,
        accept: str = "application/json",
        size: str = "limit",
        seconds: float = SECONDS,
        pause: float = 0.5,
    ) -> None:
        self._base = base
        self._credentials = credentials
        self._accept = accept
        self._size = size
        self._seconds = seconds
        self._pause = pause

    def get(self, path: str, **query: str | int) -> Any:
        """Return the answer to a question that changes nothing."""
        return self._repeated("GET", path, query=query)

    def get_all(self, path: str, key: str = "", **query: str | int) -> Iterator[Any]:
        """Yield every item of a list that comes in pages, up to the first empty page.

        A server may give fewer items than asked for. With `key` the list is below that key, and null is an empty list,
        as programs in Go write it.
        """
        for page in range(1, MAX_PAGES + 1):
            answer = self.get(path, page=page, **{self._size: _PAGE}, **query)
            found = _listed(answer, key) if key else items(answer)
            if not found:
                return
            yield from found
        raise _refused("a forge's answer is too long", f"GET {path}: more than {MAX_PAGES} pages")

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """Make something what `body` says; to do it twice is the same as once."""
        return self._repeated("PATCH", path, body=body)

    def post_again(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send something that may be sent twice without harm."""
        return self._repeated("POST", path, body=body)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Add something. It is not tried again: nobody knows whether it was added."""
        try:
            return self._once("POST", path, body=body)
        except _NoAnswer as error:
            raise self._silent("POST", path, error) from error

    def _repeated(self, method: str, path: str, **more: Any) -> Any:
        stamina = _library("stamina")
        stamina.instrumentation.set_on_retry_hooks(())  # its default writes to whatever log it finds
        tries = stamina.retry_context(
            on=_NoAnswer, attempts=ATTEMPTS, wait_initial=self._pause, wait_jitter=self._pause, timeout=None
        )
        try:
            for attempt in tries:
                with attempt:
                    return self._once(method, path, **more)
        except _NoAnswer as error:
            raise self._silent(method, path, error) from error
        raise AssertionError("a retry ends with an answer or an exception")

    def _once(self, method: str, path: str, **more: Any) -> Any:
        """Do one exchange in a thread that may be left behind: a slow server keeps nobody past the deadline."""
        ended: Future[Any] = Future()

        def exchange() -> None:
            try:
                ended.set_result(self._exchange(method, path, **more))
            except BaseException as error:  # noqa: BLE001 - handed on to whoever waits
                ended.set_exception(error)

        Thread(target=exchange, daemon=True).start()
        try:
            return ended.result(self._seconds)
        except TimeoutError as error:
            raise _NoAnswer(f"no whole answer within {self._seconds:g} s") from error

    def _exchange(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None
    ) -> Any:
        httpx = _library("httpx2")
        try:
            with self._client.stream(method, f"{self._base}{path}", params=query or None, json=body) as answer:
                content = self._read(answer)
        except httpx.InvalidURL as error:
            raise _refused("a forge can not be asked", f"{method} {path}: not a URL") from error
        except httpx.HTTPError as error:
            raise _NoAnswer(_why(error)) from error
        return self._understood(method, path, answer.status_code, content)

    @cached_property
    def _client(self) -> Any:
        """The client for all questions, so that certificates are read once.

        No connection is kept between them: a new comment sent on one that was closed meanwhile would be lost, and must
        not be sent again.
        """
        known = {"Authorization": self._credentials.reveal()} if self._credentials else {}
        headers = {"Accept": self._accept, "Accept-Encoding": "identity", "User-Agent": f"platformctl/{__version__}"}
        httpx = _library("httpx2")
        return httpx.Client(
            limits=httpx.Limits(max_keepalive_connections=0),
            headers={**headers, **known},
            verify=ssl.create_default_context(),
            timeout=_SILENCE,
            follow_redirects=False,
            trust_env=False,
        )

    def _read(self, answer: Any) -> bytes:
        ends = time.monotonic() + self._seconds
        content = bytearray()
        for chunk in answer.iter_raw():
            content += chunk
            if len(content) > MAX_BYTES:
                raise _refused("a forge's answer is too long", f"more than {MAX_BYTES} bytes")
            if time.monotonic() > ends:
                raise _NoAnswer("the answer trickled")
        return bytes(content)

    def _understood(self, method: str, path: str, status: int, content: bytes) -> Any:
        if status >= 500 or status == 429:
            raise _NoAnswer(f"status {status}")
        if not 200 <= status < 300:
            raise _refused(f"a forge {_REFUSED.get(status, 'refused')}", f"{method} {path}: status {status}")
        try:
            return json.loads(content) if content else None
        except (ValueError, RecursionError) as error:
            raise _refused("a forge's answer can not be understood", f"{method} {path}: not JSON") from error

    def _silent(self, method: str, path: str, error: _NoAnswer) -> Unreachable:
        return Unreachable(
            "a forge did not answer",
            detail=f"{self._base}: {method} {path}: {error}",
            hint="try again when it answers",
            reason="forge",
        )


_REFUSED = {
    401: "does not know the token",
    403: "does not let the token do that",
    404: "has no such thing, or hides it from the token",
    422: "does not take what was sent",
}


def _listed(answer: Any, key: str) -> list[Any]:
    return [] if isinstance(answer, Mapping) and answer.get(key) is None else items(answer, key)


def _refused(summary: str, detail: str) -> ToolError:
    hint = "look at the forge's address, its repository, and what the token may do (docs/ci.md)"
    return ToolError(summary, detail=detail, hint=hint, reason="forge")


def _why(error: Exception) -> str:
    """Return the kind of a failure: its text may repeat what a server said."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "its certificate is not one that this machine trusts"
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


def _library(name: str) -> Any:
    """Return a library of the extra `forge`; raise `ToolError` that names the extra when it is not installed."""
    try:
        if name == "httpx2":
            import httpx2

            return httpx2
        import stamina
        import stamina.instrumentation

        return stamina
    except ModuleNotFoundError as error:
        raise ToolError(
            "asking a forge needs the extra forge",
            detail=f"the package {name} is not installed",
            hint="pip install 'platformctl[forge]'",
            reason="extra",
        ) from error


def credentials(scheme: str, token: Secret | None) -> Secret | None:
    """Return the value of the Authorization header; raise `Usage` for a token that no header can carry."""
    if token is None:
        return None
    if not token.reveal().isascii() or not token.reveal().isprintable() or " " in token.reveal():
        raise Usage("the forge's token is not one line of letters, digits and signs", hint="set it again")
    return Secret(f"{scheme} {token.reveal()}")
