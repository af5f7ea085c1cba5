"""Interpret a verified plan: forward, look, and back when what is seen is not good.

These are steps 11 to 13 of docs/architecture.md.
"""

from collections.abc import Callable, Sequence

from platformctl.applying.clock import Clock
from platformctl.applying.hands import Done, Hands
from platformctl.applying.proof import INTERRUPTED, Wish, first_look, prove, see_whole, unplanned
from platformctl.drivers.interface import Driver
from platformctl.errors import ExitCode, OutcomeUnknown, Refusal
from platformctl.model.command import Command, Completed
from platformctl.model.events import Event, OperationEnded, OperationStarted, RollbackStub, Undoing
from platformctl.model.observed import ProjectSeen
from platformctl.model.plan import Operation, Place, Plan, Remove, Run, Step
from platformctl.model.result import ApplyResult, Proof
from platformctl.trust.verify import VerifiedPlan

Tell = Callable[[Event], None]


class Apply:
    """One run of one plan: `wish` is what must be seen at its end, `back` returns what must be seen after its undo.

    The latter takes this clone some programs to find out, so it is found out behind an undo only, which it can not keep
    from being run. With `leave` there is no way back, so that a failure stays in place for a person. `interrupted` is
    asked behind each step and while waiting, on the way forward only.
    """

    def __init__(
        self,
        verified: VerifiedPlan,
        wish: Wish,
        back: Callable[[], Wish],
        *,
        leave: bool,
        hands: Hands,
        driver: Driver,
        tell: Tell,
        clock: Clock,
        interrupted: Callable[[], bool],
    ) -> None:
        self._plan: Plan = verified.plan
        self._wish = wish
        self._back = back
        self._leave = leave
        self._hands = hands
        self._driver = driver
        self._tell = tell
        self._clock = clock
        self._interrupted = interrupted
        self._begun: list[Step] = []
        self._seen: Completed | None = None

    def __call__(self, before: ProjectSeen) -> ApplyResult:
        """Run the plan to its end and return how it ended; raise nothing once a host may have been touched.

        Raises a `Refusal` only if nothing was touched for certain, as when the lock was lost before the first
        operation. Every other failure on the way, a mistake of ours too, ends as `REMOTE_FAILED`. `before` is what
        there was of the project when nothing was touched.
        """
        try:
            failure = self._forward()
            proof = None if failure else self._prove(self._wish, before, self._interrupted, self._seen)
            return self._verdict(before, failure, proof)
        except (OutcomeUnknown, Refusal) as lost:
            if self._hands.untouched and isinstance(lost, Refusal):
                raise
            return self._lost(lost.summary, lost.detail)
        except Exception as mistake:  # noqa: BLE001 - any other exit code would say that nothing was touched
            return self._lost("platformctl made a mistake", type(mistake).__name__)

    def _lost(self, summary: str, detail: str) -> ApplyResult:
        self._tell(OperationEnded("host", summary, succeeded=False, detail=detail))
        return ApplyResult(ExitCode.REMOTE_FAILED, f"outcome unknown: {summary} ({detail})", None, lost=True)

    def _forward(self) -> str:
        """Run every step; return why it stopped, or "" at the end. The last step is followed by the first look."""
        for step in self._plan.steps:
            look = first_look(self._wish, self._driver) if step is self._plan.steps[-1] else None
            self._begun.append(step)
            if complaint := self._run(step, step.do, undoing=False, look=look):
                return complaint
            if self._interrupted():
                return INTERRUPTED
        return ""

    def _run(self, step: Step, operations: Sequence[Operation], *, undoing: bool, look: Command | None = None) -> str:
        """Run the operations of one step, its intent before and its outcome after in the journal."""
        for operation in operations:
            self._tell(OperationStarted(step.id, in_words(operation), undoing))
        ended, self._seen = self._hands.perform("undo" if undoing else "do", step.id, operations, look)
        complaints = [self._told(step, each, done) for each, done in zip(operations, ended, strict=False)]
        complaint = next(filter(None, complaints), "")
        self._hands.note("undone" if undoing else "done", step=step.id, complaint=complaint)
        return complaint

    def _told(self, step: Step, operation: Operation, done: Done) -> str:
        """Report how an operation ended; return what is wrong with that, "" when nothing is."""
        words = in_words(operation)
        said = done.words if done.status and self._wish.show_logs else ""
        self._tell(OperationEnded(step.id, words, done.status == 0, said))
        return "" if done.status == 0 else f"step {step.id}: {words.split(' ', 1)[0]} ended with status {done.status}"

    def _prove(
        self, wish: Wish, before: ProjectSeen, interrupted: Callable[[], bool], first: Completed | None = None
    ) -> Proof:
        return prove(
            wish,
            before,
            hands=self._hands,
            driver=self._driver,
            tell=self._tell,
            clock=self._clock,
            interrupted=interrupted,
            first=first,
        )

    def _verdict(self, before: ProjectSeen, failure: str, proof: Proof | None) -> ApplyResult:
        """Step 13: unplanned changes are left for a person, everything else may be undone."""
        strange = proof.unplanned if proof else unplanned(self._wish, before, self._whole())
        if strange:
            reason = f"unplanned: {', '.join(strange)}"
            return ApplyResult(ExitCode.REMOTE_FAILED, reason, proof, unplanned=strange)
        reason = failure or (proof.complaint if proof else "")
        if not reason:
            return ApplyResult(ExitCode.APPLIED, "", proof)
        if proof is not None and INTERRUPTED in {proof.canary.reason, *(verdict.reason for verdict in proof.health)}:
            reason = INTERRUPTED
        if self._leave:
            self._tell(RollbackStub(self._plan.module, self._plan.host.name, reason))
            return ApplyResult(ExitCode.REMOTE_FAILED if failure else ExitCode.UNHEALTHY, reason, proof)
        return self._undo(before, reason, proof)

    def _whole(self) -> ProjectSeen:
        return see_whole(self._wish, self._hands, self._driver)

    def _undo(self, before: ProjectSeen, reason: str, proof: Proof | None) -> ApplyResult:
        self._tell(Undoing(reason))
        for step in reversed(self._begun):
            if complaint := self._run(step, step.undo, undoing=True):
                return ApplyResult(ExitCode.ROLLBACK_FAILED, reason, proof, undone=complaint)
        back = self._prove(self._back(), before, lambda: False)
        complaint = back.complaint or ", ".join(f"{each} changed unplanned" for each in back.unplanned)
        if complaint:
            return ApplyResult(
                ExitCode.ROLLBACK_FAILED, reason, proof or back, undone=complaint, unplanned=back.unplanned
            )
        what = "the previous release is back" if self._plan.rollback.to else "what this apply created is gone"
        return ApplyResult(ExitCode.ROLLED_BACK, reason, proof or back, undone=what)


def in_words(operation: Operation) -> str:
    """Return an operation as a person reads it."""
    match operation:
        case Run(argv=argv):
            return " ".join(argv)
        case Place(path=path, digest=digest):
            return f"place {path} ({digest[:19]})"
        case Remove(path=path):
            return f"remove {path}"
