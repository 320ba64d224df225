"""Rules for passwords: lock-out, expiry, history, strength. All are off unless they are set.

Pure. They are Keystone's ``[security_compliance]`` (which has them from PCI-DSS 3.1, section 8) under the same names.
A rule is for who changes their own password; what an administrator sets has to be strong, too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from nebula.errors import BadRequest

DAY_S = 86_400


class PasswordRules(msgspec.Struct, frozen=True, kw_only=True):
    """0 and an empty string are "no such rule".

    After ``lockout_failure_attempts`` wrong passwords in a row nobody logs in as this user for ``lockout_duration_s``
    (0: until an administrator enables the user again). A password expires after ``password_expires_days``, may not be
    one of the last ``unique_last_password_count`` (the present one counted), stays for ``minimum_password_age_days``,
    and matches ``password_regex`` as a whole; ``change_password_upon_first_use`` makes one that an administrator set
    expire at once.
    """

    lockout_failure_attempts: int = 0
    lockout_duration_s: int = 1800
    password_expires_days: int = 0
    unique_last_password_count: int = 0
    minimum_password_age_days: int = 0
    password_regex: str = ""
    password_regex_description: str = ""
    change_password_upon_first_use: bool = False


class PasswordState(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a user's password; times in seconds since the epoch. ``options`` are the user's exceptions."""

    hash: str | None = None
    changed_at: float | None = None
    expires_at: float | None = None
    failed_logins: int = 0
    failed_at: float | None = None
    options: Mapping[str, object] = {}

    @property
    def shown_expiry(self) -> float | None:
        """When it expires, for who is not excepted from that."""
        return None if self.options.get("ignore_password_expiry") else self.expires_at


def check_strength(rules: PasswordRules, password: str) -> None:
    """BadRequest, with the administrator's own words for the rule, where the password is too weak."""
    if rules.password_regex and re.fullmatch(rules.password_regex, password) is None:
        wanted = rules.password_regex_description or "an administrator knows which they are"
        raise BadRequest(f"The password does not match the requirements: {wanted}.")


def check_age(rules: PasswordRules, state: PasswordState, now: float) -> None:
    """BadRequest where the password was changed too lately to be changed again; an expired one may always be."""
    if state.changed_at is None or has_expired(state, now):
        return
    free_at = state.changed_at + rules.minimum_password_age_days * DAY_S
    if now < free_at:
        days = int((free_at - now) / DAY_S) + 1
        raise BadRequest(f"Cannot change password before minimum age is met: wait {days} day(s).")


def expiry(rules: PasswordRules, options: Mapping[str, object], now: float, *, by_administrator: bool) -> float | None:
    """When a password that is set now expires; None for never."""
    first_use = rules.change_password_upon_first_use and not options.get("ignore_change_password_upon_first_use")
    if by_administrator and first_use:
        return now
    return now + rules.password_expires_days * DAY_S if rules.password_expires_days else None


def has_expired(state: PasswordState, now: float) -> bool:
    """True when it has to be changed before anything else."""
    return state.shown_expiry is not None and state.shown_expiry <= now


def is_locked(rules: PasswordRules, state: PasswordState, now: float) -> bool:
    """True while no password is right."""
    if not rules.lockout_failure_attempts or state.options.get("ignore_lockout_failure_attempts"):
        return False
    if state.failed_logins < rules.lockout_failure_attempts or state.failed_at is None:
        return False
    return not rules.lockout_duration_s or now < state.failed_at + rules.lockout_duration_s


def lock_has_ended(rules: PasswordRules, state: PasswordState, now: float) -> bool:
    """True when so many failures were counted that they locked, and that is over: counting begins anew."""
    return state.failed_logins >= rules.lockout_failure_attempts and not is_locked(rules, state, now)
