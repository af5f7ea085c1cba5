"""The expressions of workflow files, as far as ours use them: contexts, literals, operators and four functions."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|\d+|==|!=|&&|\|\||[!(),]|[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)")
_WRAPPED = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)

Functions = Mapping[str, Callable[..., Any]]


def filled(text: str, contexts: Mapping[str, Any], functions: Functions) -> str:
    """The text with each `${{ … }}` replaced by what it means."""
    return _WRAPPED.sub(lambda found: as_text(evaluate(found[1], contexts, functions)), text)


def as_text(value: Any) -> str:
    """A value as a runner writes it."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def evaluate(text: str, contexts: Mapping[str, Any], functions: Functions) -> Any:
    """What an expression means. Raises ValueError for what it does not know."""
    reader = _Reader(_tokens(text), contexts, functions)
    value = reader.either()
    if reader.tokens:
        raise ValueError(f"left over in {text!r}: {reader.tokens}")
    return value


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"not understood: {text[at:]!r}")
        tokens.append(found[1])
        at = found.end()
    return tokens


@dataclass
class _Reader:
    tokens: list[str]
    contexts: Mapping[str, Any]
    functions: Functions

    def either(self) -> Any:
        value = self.both()
        while self._takes("||"):
            other = self.both()
            value = value or other
        return value

    def both(self) -> Any:
        value = self.equal()
        while self._takes("&&"):
            other = self.equal()
            value = other if value else value
        return value

    def equal(self) -> Any:
        value = self.one()
        while self.tokens and self.tokens[0] in ("==", "!="):
            same = self.tokens.pop(0) == "=="
            value = (as_text(value) == as_text(self.one())) is same
        return value

    def one(self) -> Any:
        token = self.tokens.pop(0)
        if token == "!":
            return not self.one()
        if token == "(":
            value = self.either()
            self._must(")")
            return value
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if token.isdigit():
            return int(token)
        if token in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[token]
        return self._called(token) if self._takes("(") else self._looked_up(token)

    def _called(self, name: str) -> Any:
        arguments = []
        while not self._takes(")"):
            arguments.append(self.either())
            self._takes(",")
        return self.functions[name](*arguments)

    def _looked_up(self, path: str) -> Any:
        first, *rest = path.split(".")
        value = self.contexts[first]
        for key in rest:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def _takes(self, token: str) -> bool:
        if self.tokens and self.tokens[0] == token:
            del self.tokens[0]
            return True
        return False

    def _must(self, token: str) -> None:
        if not self._takes(token):
            raise ValueError(f"{token} is missing before {self.tokens}")
