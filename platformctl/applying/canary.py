"""The canary: a request from the operator's side, as a user would send it, until the answer is the expected one.

`web` sees to it that asking is safe. Nothing that the server says is quoted in a reason except a status and the origin
of a redirect. The body is kept as it came; whoever shows it redacts it.
"""

import http.client
import os
import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace

from platformctl.applying.clock import Clock
from platformctl.applying.proof import INTERRUPTED
from platformctl.applying.web import Answer, Left, Refused, Url, get
from platformctl.model.desired import Canary, ServedVersion
from platformctl.model.events import CanaryAnswered, Event
from platformctl.model.result import CanaryResult

PAUSE = 1.0
"""Seconds between two attempts."""

REDIRECTS = 3
"""How many redirects an attempt follows, all of them within the origin: another's answer would prove nothing."""


def ask(
    canary: Canary,
    *,
    local: bool,
    tell: Callable[[Event], None],
    clock: Clock,
    interrupted: Callable[[], bool],
) -> CanaryResult:
    """Ask until the answer is the expected one or the attempts are used up; loopback may answer only when `local`.

    Asked to stop between two attempts, it fails as `INTERRUPTED`.

    Raises for nothing that the network or the server does, nor for a URL that may not be asked: these fail the canary,
    the latter at attempt 0. The result's URL is without its query, which may bear a token.
    """
    try:
        url = Url.parse(canary.url)
    except Refused as refused:
        return CanaryResult(ran=True, ok=False, reason=str(refused))
    attempt = 1
    while True:
        result = _attempt(canary, url, attempt, local, clock)
        tell(CanaryAnswered(attempt, not result.reason, result.reason or f"status {result.status}"))
        if result.ok or attempt >= canary.attempts:
            return result
        if interrupted():
            return replace(result, reason=INTERRUPTED)
        clock.wait(PAUSE)
        attempt += 1


def _attempt(canary: Canary, url: Url, number: int, local: bool, clock: Clock) -> CanaryResult:
    try:
        answer = _final_answer(canary, url, local, _countdown(canary.timeout, clock))
    except (Refused, OSError, http.client.HTTPException) as error:
        return CanaryResult(ran=True, ok=False, url=url.shown, attempt=number, reason=_reason(error, canary))
    complaint = _complaint(canary, answer)
    return CanaryResult(True, not complaint, url.shown, answer.status, number, answer.body, complaint)


def _countdown(seconds: float, clock: Clock) -> Left:
    end = clock.monotonic() + seconds

    def left() -> float:
        rest = end - clock.monotonic()
        if rest <= 0:
            raise TimeoutError
        return rest

    return left


def _final_answer(canary: Canary, url: Url, local: bool, left: Left) -> Answer:
    """Return the answer after following redirects, unless a redirect is what is expected."""
    answer = get(url, local=local, left=left)
    for _ in range(REDIRECTS):
        there = answer.leads_to
        if answer.status == canary.expect_status or there is None or there.origin != url.origin:
            return answer
        answer = get(there, local=local, left=left)
    return answer


def _complaint(canary: Canary, answer: Answer) -> str:
    """Return what is wrong with an answer; "" when it is the expected one."""
    if answer.status != canary.expect_status:
        redirect = f", a redirect to {answer.leads_to.origin}" if answer.leads_to else ""
        return f"status {answer.status} instead of {canary.expect_status}{redirect}"
    if canary.expect_body is not None and canary.expect_body not in answer.body:
        return "the body does not have the expected text"
    if canary.version is not None and not _bears(answer, canary.version):
        return f"the answer is not of version {canary.version.expect}"
    return ""


def _bears(answer: Answer, version: ServedVersion) -> bool:
    """Return whether the version is there as a word of its own: 1.4.10 does not bear 1.4.1."""
    text = answer.body if version.header is None else answer.headers.get(version.header.lower(), "")
    return bool(re.search(rf"(?<!\w)(?<!\w[.+-]){re.escape(version.expect)}(?![.+-]?\w)", text))


def _reason(error: Refused | OSError | http.client.HTTPException, canary: Canary) -> str:
    """Return what went wrong, in words of ours or of this system, as the text of an error may quote the server."""
    match error:
        case Refused():
            return str(error)
        case TimeoutError():
            return f"no full answer within {canary.timeout} s"
        case socket.gaierror():
            return "the name of the host can not be resolved"
        case ssl.SSLCertVerificationError():
            return f"TLS: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS: {error.reason or 'the handshake failed'}"
        case http.client.RemoteDisconnected():
            return "the connection was closed without an answer"
        case OSError():
            return os.strerror(error.errno).lower() if error.errno else "the connection failed"
        case _:
            return "the answer is not HTTP or ends too early"
