"""Print what policy says of public compose files: `python -m benchmarks.policy FOLDER`.

Each file is judged as a pull request would bring it, every service in turn, on a host whose root is /opt/platform.
What a template leaves to its platform is filled in: variables without a value, and volumes it does not declare.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from platformctl.errors import InvalidInput
from platformctl.manifests.compose import read_compose
from platformctl.model.finding import Finding
from platformctl.model.names import RepoPath, VariableName
from platformctl.model.policy import Policy
from platformctl.policy import RULES, judge
from tests.policy.judged import MODULE, TODAY, release

_FILLED_IN = "./data"
_UNWAIVABLE = {rule.id for rule in RULES if not rule.waivable}


def main() -> None:
    """Judge each file and print verdict and denials, then the sums."""
    verdicts: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    for path in sorted(Path(sys.argv[1]).rglob("*.y*ml")):
        try:
            found = set(_denials(path.read_text("utf-8")))
        except InvalidInput as error:
            verdicts["unreadable"] += 1
            print(f"unreadable {path}: {error.summary}: {error.detail} (line {error.line})")
            continue
        broken = {rule for rule, _, _ in found}
        verdict = "refused" if broken & _UNWAIVABLE else "waivable" if broken else "fine"
        verdicts[verdict] += 1
        rules.update(broken)
        print(f"{verdict} {path}")
        for rule, line, message in sorted(found, key=str):
            print(f"    {rule} line {line}: {message}")
    print(dict(verdicts.most_common()), dict(rules.most_common()))


def _denials(text: str) -> Iterator[tuple[str, int | None, str]]:
    text, variables = _completed(text)
    model = read_compose(text.encode(), RepoPath("compose/core/compose.yaml"), variables)
    for name in model.services:
        module = replace(MODULE, runtime=replace(MODULE.runtime, compose_service=name))
        named = {VariableName(variable): value for variable, value in variables.items()}
        findings: tuple[Finding, ...] = judge(release(text, module=module, variables=named), Policy(), TODAY)
        yield from ((f.rule, f.line, f.message.partition(": ")[0]) for f in findings if f.severity == "deny")


def _completed(text: str) -> tuple[str, dict[str, str]]:
    """The text with what it leaves to its platform; raises `InvalidInput` where something else is wrong with it."""
    variables: dict[str, str] = {}
    while True:
        try:
            model = read_compose(text.encode(), RepoPath("compose/core/compose.yaml"), variables)
        except InvalidInput as error:
            wanted, there, section = error.detail.rpartition(" to be there in volumes")
            names = wanted.partition("expected ")[2].split(", ")
            if there and not section and "\nvolumes:" not in text:
                text += "\nvolumes:\n" + "".join(f"  {name}:\n" for name in names)
            elif there and not section:
                text = text.replace("\nvolumes:\n", "\nvolumes:\n" + "".join(f"  {name}:\n" for name in names))
            elif variables or not (unset := _named_in(error)):
                raise
            else:
                variables[unset] = _FILLED_IN
            continue
        if not model.unset:
            return text, variables
        variables.update({name: _FILLED_IN for name, _ in model.unset})


def _named_in(error: InvalidInput) -> str | None:
    """The variable whose missing value a refusal suspects."""
    return error.hint.split(" ")[1] if error.hint.startswith("give ") else None


if __name__ == "__main__":
    main()
