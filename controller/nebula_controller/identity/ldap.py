"""The edge to an LDAP directory (OpenLDAP, Active Directory): users and groups read, passwords checked.

Effects: one connection for each call, closed at its end. It blocks, so that it is called in threads only; it writes
nothing to the directory. ldap3 is imported when the first call is made. Whatever keeps the directory from answering is
``Unavailable``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from nebula_runtime.config import read_secret

from nebula.errors import Unavailable

_PAGE = 500


class LdapSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One directory, for one domain; the names are those of Keystone's ``[ldap]``.

    ``user`` is the DN that searches (empty: anonymous) and ``password_file`` its secret. Where
    ``user_enabled_attribute`` is set, its value is a boolean, or with ``user_enabled_mask`` a number in which that bit
    says disabled (Active Directory: ``userAccountControl``, 2). A group's ``group_member_attribute`` holds DNs. Without
    ``group_tree_dn`` there are no groups. ``timeout_s`` bounds each exchange with the directory.
    """

    url: Annotated[str, Meta(pattern=r"^ldaps?://[^/\s]+$")]
    user: str = ""
    password_file: str | None = None
    use_tls: bool = False
    tls_cacert_file: str | None = None
    timeout_s: Annotated[int, Meta(ge=1, le=60)] = 5
    user_tree_dn: Annotated[str, Meta(min_length=1)]
    user_objectclass: str = "inetOrgPerson"
    user_id_attribute: str = "uid"
    user_name_attribute: str = "uid"
    user_mail_attribute: str = "mail"
    user_description_attribute: str = "description"
    user_enabled_attribute: str = ""
    user_enabled_mask: Annotated[int, Meta(ge=0)] = 0
    user_filter: Annotated[str, Meta(pattern=r"^(\(.*\))?$")] = ""
    group_tree_dn: str = ""
    group_objectclass: str = "groupOfNames"
    group_id_attribute: str = "cn"
    group_name_attribute: str = "cn"
    group_description_attribute: str = "description"
    group_member_attribute: str = "member"
    group_filter: Annotated[str, Meta(pattern=r"^(\(.*\))?$")] = ""


class DirectoryUser(msgspec.Struct, frozen=True):
    """A user as the directory has it now."""

    dn: str
    local_id: str
    name: str
    enabled: bool
    email: str = ""
    description: str = ""


class DirectoryGroup(msgspec.Struct, frozen=True):
    """A group as the directory has it now; members by DN, in lower case."""

    local_id: str
    name: str
    description: str = ""
    member_dns: frozenset[str] = frozenset()


class Directory:
    """One directory."""

    def __init__(self, domain: str, settings: LdapSettings) -> None:
        self._domain = domain
        self._settings = settings

    def users(self, *, name: str | None = None, local_id: str | None = None) -> list[DirectoryUser]:
        """Those of this name or id, or all."""
        of = self._settings
        wanted = [(of.user_name_attribute, name), (of.user_id_attribute, local_id)]
        names = (
            of.user_id_attribute,
            of.user_name_attribute,
            of.user_mail_attribute,
            of.user_description_attribute,
            of.user_enabled_attribute,
        )
        query = _filter(of.user_objectclass, of.user_filter, wanted)
        found = [self._user(dn, values) for dn, values in self._search(of.user_tree_dn, query, names)]
        return [user for user in found if user.local_id and user.name]

    def groups(self, *, member_dn: str | None = None) -> list[DirectoryGroup]:
        """Those that somebody is in, or all."""
        of = self._settings
        if not of.group_tree_dn:
            return []
        names = (
            of.group_id_attribute,
            of.group_name_attribute,
            of.group_description_attribute,
            of.group_member_attribute,
        )
        query = _filter(of.group_objectclass, of.group_filter, [(of.group_member_attribute, member_dn)])
        found = [self._group(values) for _dn, values in self._search(of.group_tree_dn, query, names)]
        return [group for group in found if group.local_id and group.name]

    def password_is(self, dn: str | None, password: str) -> bool:
        """True when the directory takes this password for the DN. For None a bind is tried all the same, in vain.

        An empty password is never right: RFC 4513, section 5.1.2, makes such a bind an anonymous one that succeeds.
        """
        from ldap3.core.exceptions import (
            LDAPInappropriateAuthenticationResult,
            LDAPInvalidCredentialsResult,
            LDAPNoSuchObjectResult,
        )

        wrong = (LDAPInappropriateAuthenticationResult, LDAPInvalidCredentialsResult, LDAPNoSuchObjectResult)
        if not password or "\0" in password:
            return False
        try:
            with self._connection(dn or f"cn=nobody,{self._settings.user_tree_dn}", password):
                return dn is not None
        except _Refused as error:
            if isinstance(error.cause, wrong):
                return False
            raise

    def _user(self, dn: str, values: dict[str, list[str]]) -> DirectoryUser:
        of = self._settings
        return DirectoryUser(
            dn=dn.lower(),
            local_id=_first(values, of.user_id_attribute),
            name=_first(values, of.user_name_attribute),
            enabled=self._enabled(_first(values, of.user_enabled_attribute)),
            email=_first(values, of.user_mail_attribute),
            description=_first(values, of.user_description_attribute),
        )

    def _enabled(self, text: str) -> bool:
        of = self._settings
        if not of.user_enabled_attribute or not text:
            return True
        if of.user_enabled_mask:
            return not (text.lstrip("-").isdigit() and int(text) & of.user_enabled_mask)
        return text.strip().lower() in {"true", "1", "yes"}

    def _group(self, values: dict[str, list[str]]) -> DirectoryGroup:
        of = self._settings
        return DirectoryGroup(
            local_id=_first(values, of.group_id_attribute),
            name=_first(values, of.group_name_attribute),
            description=_first(values, of.group_description_attribute),
            member_dns=frozenset(dn.lower() for dn in values.get(of.group_member_attribute.lower(), [])),
        )

    def _search(self, base: str, query: str, names: tuple[str, ...]) -> Iterator[tuple[str, dict[str, list[str]]]]:
        """DN and attributes (names in lower case) of all that match, page by page; none where there is no such base."""
        from ldap3.core.exceptions import LDAPException, LDAPNoSuchObjectResult

        secret = read_secret(Path(self._settings.password_file)) if self._settings.password_file else ""
        try:
            with self._connection(self._settings.user, secret) as connection:
                wanted = sorted({name for name in names if name})
                pages = connection.extend.standard.paged_search(
                    base, query, attributes=wanted, paged_size=_PAGE, generator=True
                )
                for entry in pages:
                    if entry.get("type") == "searchResEntry":
                        yield str(entry["dn"]), _texts(entry["raw_attributes"])
        except LDAPNoSuchObjectResult:
            return
        except (LDAPException, OSError) as error:
            raise self._down(error) from error

    @contextmanager
    def _connection(self, user: str, password: str) -> Iterator[Any]:
        """A bound connection. ``_Refused`` (an ``Unavailable``) where it cannot be had."""
        import ldap3
        from ldap3.core.exceptions import LDAPException

        of = self._settings
        tls = ldap3.Tls(validate=2, ca_certs_file=of.tls_cacert_file)
        server = ldap3.Server(of.url, connect_timeout=of.timeout_s, get_info=ldap3.NONE, tls=tls)
        connection = ldap3.Connection(
            server,
            user=user or None,
            password=password or None,
            read_only=True,
            raise_exceptions=True,
            receive_timeout=of.timeout_s,
            check_names=False,
        )
        try:
            connection.open()
            if of.use_tls:
                connection.start_tls()
            connection.bind()
        except (LDAPException, OSError) as error:
            _close(connection)
            raise _Refused(self._down(error).message, error) from error
        try:
            yield connection
        finally:
            _close(connection)

    def _down(self, error: Exception) -> Unavailable:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        return Unavailable(
            f"The directory of domain {self._domain} at {self._settings.url} does not answer: {reason}. "
            "Other domains are not concerned; try again when it is back."
        )


class _Refused(Unavailable):
    """No bound connection; ``cause`` is ldap3's."""

    def __init__(self, message: str, cause: Exception) -> None:
        super().__init__(message)
        self.cause = cause


def _close(connection: Any) -> None:
    from ldap3.core.exceptions import LDAPException

    try:
        connection.unbind()
    except (LDAPException, OSError):
        return


def _filter(object_class: str, more: str, wanted: Sequence[tuple[str, str | None]]) -> str:
    """RFC 4515, with what people typed escaped."""
    from ldap3.utils.conv import escape_filter_chars

    parts = [f"({name}={escape_filter_chars(text)})" for name, text in wanted if text is not None]
    return f"(&(objectClass={object_class}){more}{''.join(parts)})"


def _texts(values: dict[str, list[bytes]]) -> dict[str, list[str]]:
    return {name.lower(): [value.decode("utf-8", "replace") for value in found] for name, found in values.items()}


def _first(values: dict[str, list[str]], name: str) -> str:
    return next(iter(values.get(name.lower(), [])), "")[:255]
