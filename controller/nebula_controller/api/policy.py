"""Who may do what: rules by name in oslo.policy's language, their defaults and what a policy file puts in their place.

Pure. A rule is an expression of ``role:NAME``, ``rule:NAME``, ``WHAT:%(KEY)s`` (what the token says is what the
object says, as in ``project_id:%(project_id)s``), ``WHAT:TEXT`` (``system_scope:all``), ``field:KIND:KEY=TEXT`` (of
the object; ``=~`` and a regular expression where its start shall match), ``@`` (everybody), ``!`` (nobody), ``and``,
``or``, ``not`` and parentheses; the empty one is ``@``. ``not`` binds closest, ``or`` least.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

import msgspec

from nebula.errors import ConfigError, Forbidden

Target = Mapping[str, object]
"""What a rule may ask of the object. A value that is a function is called when it is asked for."""

ANY_SCOPE = ("identity:", "nebula:")
"""Rules that begin so hold for tokens of every scope; all others, as in Neutron and Nova, only for a project's."""

ADMIN_ROLE = "admin"

_KNOWN = frozenset({"user_id", "project_id", "tenant_id", "domain_id", "project_domain_id", "system_scope"})
_TOKEN = re.compile(r"\(|\)|(?:[^\s()%]|%\([^)\s]*\)s|%)+")
_KEY = re.compile(r"%\(([^)\s]+)\)s")


class Bearer(Protocol):
    """What the rules ask of a token."""

    @property
    def user_id(self) -> str: ...
    @property
    def project_id(self) -> str | None: ...
    @property
    def project_domain_id(self) -> str: ...
    @property
    def domain_id(self) -> str | None: ...
    @property
    def system_scope(self) -> bool: ...
    @property
    def roles(self) -> frozenset[str]: ...


class BadRule(ValueError):
    """An expression that is none, and why."""


class Check(msgspec.Struct, frozen=True):
    """A parsed expression: how it is decided, which rules it names, which keys of the object it asks for."""

    holds: Callable[[Bearer, Target, Policy], bool]
    rules: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()


class Policy:
    """All rules of an application. What has no rule is an administrator's."""

    def __init__(self, defaults: Mapping[str, str], changed: Mapping[str, str] | None = None) -> None:
        """Raises ``BadRule`` that begins with the rule's name."""
        self.changed = dict(changed or {})
        self.texts = {**defaults, **self.changed}
        self._checks: dict[str, Check] = {}
        for name, text in self.texts.items():
            try:
                self._checks[name] = parse(text)
            except BadRule as error:
                raise BadRule(f"{name}: {error}") from None
        for name in self._checks:
            self._follow(name, ())
        self._restricting = frozenset(name for name, text in self.texts.items() if text not in ("", "@"))

    def __contains__(self, name: str) -> bool:
        return name in self._restricting

    def allows(self, bearer: Bearer | None, name: str, target: Target) -> bool:
        """Whether the rule lets the bearer."""
        if bearer is None:
            return False
        if not name.startswith(ANY_SCOPE) and (bearer.system_scope or bearer.domain_id is not None):
            return False
        check = self._checks.get(name)
        return ADMIN_ROLE in bearer.roles if check is None else check.holds(bearer, target, self)

    def require(self, bearer: Bearer | None, name: str, target: Target) -> None:
        """``Forbidden`` in the service's own words unless ``allows``."""
        if self.allows(bearer, name, target):
            return
        if name.startswith("identity:"):
            raise Forbidden(f"You are not authorized to perform the requested action: {name}.")
        if name.startswith("os_compute_api:"):
            raise Forbidden(f"Policy doesn't allow {name} to be performed.")
        raise Forbidden(f"rule:{name} is disallowed by policy")

    def decide(self, bearer: Bearer, name: str, target: Target) -> bool:
        """The rule that another one names."""
        return self._checks[name].holds(bearer, target, self)

    def keys(self, name: str) -> frozenset[str]:
        """What the rule, and those that it names, ask of the object; empty: it depends on the bearer alone."""
        check = self._checks.get(name)
        if check is None:
            return frozenset()
        return check.keys.union(*[self.keys(other) for other in check.rules])

    def _follow(self, name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise BadRule(f"{name}: leads back to itself through {', '.join(above)}")
        for other in sorted(self._checks[name].rules):
            if other not in self._checks:
                raise BadRule(f"{name}: there is no rule {other!r}")
            self._follow(other, (*above, name))


def build(defaults: Mapping[str, str], file_name: str = "", changed: Mapping[str, str] | None = None) -> Policy:
    """The policy with what the file changes. ConfigError that names the file, and the rule that is wrong."""
    changed = changed or {}
    unknown = sorted(name for name in changed if name not in defaults)
    if unknown:
        raise ConfigError(
            f"policy_file {file_name}: there is no rule {', '.join(unknown)}; docs/policy.md has all names"
        )
    try:
        return Policy(defaults, changed)
    except BadRule as error:
        raise ConfigError(f"policy_file {file_name}: {error}") from None


def parse(text: str) -> Check:
    """The expression; raises ``BadRule``."""
    if not text.strip():
        return _everybody()
    tokens = _Tokens(text)
    found = _any_of(tokens)
    if tokens.next is not None:
        raise BadRule(f"{tokens.next!r} is not expected here")
    return found


class _Tokens:
    """The words of an expression, one ahead."""

    def __init__(self, text: str) -> None:
        self._rest: Iterator[str] = iter(_TOKEN.findall(text))
        self.next: str | None = next(self._rest, None)

    def take(self) -> str:
        if self.next is None:
            raise BadRule("it ends where something is still to come")
        word, self.next = self.next, next(self._rest, None)
        return word

    def accept(self, word: str) -> bool:
        if self.next is None or self.next.lower() != word:
            return False
        self.take()
        return True


def _any_of(tokens: _Tokens) -> Check:
    parts = [_all_of(tokens)]
    while tokens.accept("or"):
        parts.append(_all_of(tokens))
    if len(parts) == 1:
        return parts[0]
    return _joined(parts, lambda who, target, policy: any(part.holds(who, target, policy) for part in parts))


def _all_of(tokens: _Tokens) -> Check:
    parts = [_one(tokens)]
    while tokens.accept("and"):
        parts.append(_one(tokens))
    if len(parts) == 1:
        return parts[0]
    return _joined(parts, lambda who, target, policy: all(part.holds(who, target, policy) for part in parts))


def _one(tokens: _Tokens) -> Check:
    if tokens.accept("not"):
        inner = _one(tokens)
        return _joined([inner], lambda who, target, policy: not inner.holds(who, target, policy))
    if tokens.accept("("):
        inner = _any_of(tokens)
        if not tokens.accept(")"):
            raise BadRule("a ')' is missing")
        return inner
    return _word(tokens.take())


def _joined(parts: Iterable[Check], holds: Callable[[Bearer, Target, Policy], bool]) -> Check:
    parts = list(parts)
    return Check(
        holds, frozenset().union(*[part.rules for part in parts]), frozenset().union(*[part.keys for part in parts])
    )


def _everybody() -> Check:
    return Check(lambda _who, _target, _policy: True)


def _word(word: str) -> Check:
    if word == "@":
        return _everybody()
    if word == "!":
        return Check(lambda _who, _target, _policy: False)
    kind, colon, match = word.partition(":")
    if not colon or not match:
        raise BadRule(f"{word!r} is no check: one is WHAT:VALUE, as in role:admin, or @ or !")
    if kind == "rule":
        return Check(lambda who, target, policy: policy.decide(who, match, target), frozenset({match}))
    if kind == "role":
        role = match.lower()
        return Check(lambda who, _target, _policy: role in who.roles)
    if kind == "field":
        return _field(word, match)
    if kind not in _KNOWN:
        raise BadRule(f"{word!r}: {kind!r} is not known; there are role, rule, field, {', '.join(sorted(_KNOWN))}")
    return _compared(word, "project_id" if kind == "tenant_id" else kind, match)


def _compared(word: str, what: str, match: str) -> Check:
    found = _KEY.fullmatch(match)
    if found is None:
        if "%" in match:
            raise BadRule(f"{word!r}: what comes after the colon is %(KEY)s, or text without %")
        return Check(lambda who, _target, _policy: _said(who, what) == match)
    key = found[1].replace("tenant_id", "project_id")

    def holds(who: Bearer, target: Target, _policy: Policy) -> bool:
        wanted = _asked(target, key)
        return bool(wanted) and _said(who, what) == str(wanted)

    return Check(holds, keys=frozenset({key}))


def _field(word: str, match: str) -> Check:
    """``field:networks:router:external=True``; the word for the kind of object is not looked at, as in Neutron."""
    _kind, colon, condition = match.partition(":")
    key, equals, value = condition.partition("=")
    if not colon or not equals or not key:
        raise BadRule(f"{word!r}: field is followed by KIND:KEY=VALUE")
    if not value.startswith("~"):
        return Check(lambda _who, target, _policy: str(_asked(target, key)) == value, keys=frozenset({key}))
    try:
        pattern = re.compile(value[1:])
    except re.error as error:
        raise BadRule(f"{word!r}: {value[1:]!r} is not a regular expression: {error}") from None
    return Check(lambda _who, target, _policy: bool(pattern.match(str(_asked(target, key)))), keys=frozenset({key}))


def _asked(target: Target, key: str) -> object:
    value = target.get(key)
    return value() if callable(value) else value


def _said(who: Bearer, what: str) -> str | None:
    if what == "system_scope":
        return "all" if who.system_scope else None
    if what == "project_domain_id" and who.project_id is None:
        return None
    value: str | None = getattr(who, what)
    return value
