"""One line for each event of an apply, for a person who watches it."""

from typing import assert_never

from platformctl.model import events
from platformctl.model.events import Event


def takes_time(event: Event) -> bool:
    """Return whether the event begins something that may take minutes."""
    return isinstance(event, events.Preparing | events.OperationStarted | events.Watching)


def line_of(event: Event) -> str:
    """Return the event in words, not yet cleaned."""
    match event:
        case events.HostReached(host=host):
            return f"reached {host}"
        case events.LockTaken(host=host, token=token):
            return f"locked {host} (token {token})"
        case events.IntentWritten(plan_digest=digest):
            return f"intent written: {digest} is used now"
        case events.Preparing(what=what):
            return f"preparing {what}"
        case events.OperationStarted(words=words, undoing=undoing):
            return f"{'undo' if undoing else 'run'}: {words}"
        case events.OperationEnded(succeeded=True, words=words):
            return f"done: {words}"
        case events.OperationEnded(words=words, detail=detail):
            return f"FAILED: {words}: {detail}"
        case events.Watching(what=what, seconds=seconds):
            return f"watching {what}, {seconds} s at most"
        case events.HealthSeen(services=services):
            return f"watching health: {', '.join(services)}"
        case events.CanaryAnswered(attempt=attempt, passed=passed, detail=detail):
            return f"canary attempt {attempt}: {'passed' if passed else 'failed'} {detail}".rstrip()
        case events.Undoing(reason=reason):
            return f"going back: {reason}"
        case events.RollbackStub(module=module, host=host, reason=reason):
            return f"ROLLBACK_STUB module={module} host={host} reason={reason!r}: manual recovery required"
        case events.Settled(outcome=outcome):
            return f"settled: {outcome}"
        case events.OfModule(module=module, event=told):
            return f"{module}: {line_of(told)}"
        case _:
            assert_never(event)
