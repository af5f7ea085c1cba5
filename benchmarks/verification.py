"""Print how long it takes to verify a plan with two approvals, beyond start-up: `python -m benchmarks.verification`."""

from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from platformctl.model.policy import ApprovalRule
from platformctl.trust import envelope, rules
from platformctl.trust.verify import verify
from tests.trust.workshop import NOW, SHA, Workshop, a_plan

_RUNS = 20


def main() -> None:
    """Three files are read, three signatures verified by ssh-keygen, the plan parsed and the rules asked."""
    with TemporaryDirectory() as folder:
        workshop = Workshop(Path(folder))
        plan = workshop.sealed_plan(a_plan())
        sealed = (plan, workshop.approval(plan, "ann"), workshop.approval(plan, "bob"))
        files = [Path(folder) / f"{number}.json" for number in range(len(sealed))]
        for file, each in zip(files, sealed, strict=True):
            file.write_bytes(envelope.write(each))
        keyring = workshop.keyring()
        rule = rules.for_apply(ApprovalRule(required=2), tool_version="0.1.0")
        times = []
        for _ in range(_RUNS):
            began = perf_counter()
            first, *approvals = (envelope.read(file.read_bytes()) for file in files)
            verify(first, approvals, rule=rule, keyring=keyring, head=SHA, now=NOW)
            times.append((perf_counter() - began) * 1000)
    print(
        f"a plan with two approvals: best {min(times):.0f} ms, median {median(times):.0f} ms, worst {max(times):.0f} ms"
    )


if __name__ == "__main__":
    main()
