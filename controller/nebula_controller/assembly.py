"""The controller put together: which parts there are, and what each is given.

Effects: opens the database and the key repository; starts nothing. ``serve`` runs what is made here.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from starlette.applications import Starlette

from nebula.errors import ConfigError
from nebula_controller.api import openapi
from nebula_controller.api.application import create_application, default_rules
from nebula_controller.api.endpoint import Service
from nebula_controller.api.policy import Policy, build
from nebula_controller.api.policyfile import read as read_policy
from nebula_controller.compute.api import compute_services
from nebula_controller.identity.authenticator import TokenAuthenticator
from nebula_controller.identity.directories import Directories
from nebula_controller.identity.keys import KeyRepository
from nebula_controller.identity.passwordrules import PasswordRules
from nebula_controller.identity.passwords import Passwords
from nebula_controller.identity.service import identity_service
from nebula_controller.identity.site import Site
from nebula_controller.identity.token import TokenCodec, TokenProvider
from nebula_controller.identity.uuidtokens import UuidTokens
from nebula_controller.metrics import ControllerMetrics
from nebula_controller.network.service import network_service
from nebula_controller.network.settings import NetworkSettings
from nebula_controller.nodes.joining_api import Joining
from nebula_controller.nodes.southbound import Southbound
from nebula_controller.settings import Settings
from nebula_controller.state import CREDENTIAL_KEYS, DATABASE, KEYS
from nebula_controller.store.database import Database


class Controller(msgspec.Struct, frozen=True):
    """What runs. ``release`` comes first when it shall stop, ``close`` last."""

    database: Database
    site: Site
    southbound: Southbound
    application: Starlette
    metrics: ControllerMetrics
    joining: Joining | None

    def scraped(self) -> bytes:
        """All metrics as Prometheus reads them; on the thread of the event loop."""
        authorities = self.joining.authorities.all() if self.joining is not None else ()
        return self.metrics.collect(self.database, self.southbound.realised, authorities)

    def release(self) -> None:
        """Let every long poll end now, so that its connection can be closed."""
        self.southbound.release()

    def close(self) -> None:
        """Close what was opened, after the last request."""
        self.site.passwords.close()
        self.site.directories.close()
        self.database.close()


def identity_site(database: Database, state_dir: Path, settings: Settings) -> Site:
    """Identity on a database and the key repository beside it."""
    keys = KeyRepository(state_dir / KEYS, settings.max_active_keys)
    keys.make_if_absent()
    vault = KeyRepository(state_dir / CREDENTIAL_KEYS)
    vault.make_if_absent()
    codec: TokenProvider = UuidTokens(database) if settings.token_provider == "uuid" else TokenCodec(keys)
    if "Default" in settings.ldap:
        raise ConfigError("ldap.Default: the domain Default holds the administrator; give the directory another one")
    authenticator = TokenAuthenticator(database, codec)
    return Site(
        database=database,
        codec=codec,
        vault=vault,
        authenticator=authenticator,
        directories=Directories(database, settings.ldap, authenticator.forget),
        passwords=Passwords(settings.password_hash_rounds),
        rules=_rules(settings),
        token_lifetime_s=settings.token_lifetime_s,
        public_url=settings.public_url,
    )


def _rules(settings: Settings) -> PasswordRules:
    """The settings of the same names. ConfigError for an expression that is none."""
    try:
        re.compile(settings.password_regex)
    except re.error as error:
        raise ConfigError(f"password_regex {settings.password_regex!r} is not a regular expression: {error}") from error
    return PasswordRules(**{name: getattr(settings, name) for name in PasswordRules.__struct_fields__})


def _policy(services: Sequence[Service], file: str | None) -> Policy:
    """The services' defaults with what the file changes. ConfigError that names the file and what is wrong."""
    return build(default_rules(services), file or "", read_policy(Path(file)) if file else {})


def _version() -> str:
    try:
        return importlib.metadata.version("nebula-sdn")
    except importlib.metadata.PackageNotFoundError:
        return "0+source"


def assemble(
    state_dir: Path, settings: Settings, node_secret: str | None = None, joining: Joining | None = None
) -> Controller:
    """All services on the database in ``state_dir``. ConfigError where it cannot be used."""
    database = Database(state_dir / DATABASE)
    try:
        site = identity_site(database, state_dir, settings)
        metrics = ControllerMetrics(_version())
        secret = node_secret.encode() if node_secret is not None else None
        southbound = Southbound(database, node_secret=secret, joining=joining, took=metrics.took)
        network = NetworkSettings(
            vni_first=settings.vni_first,
            vni_last=settings.vni_last,
            underlay_mtu_bytes=settings.underlay_mtu_bytes,
        )
        services = [
            identity_service(site),
            network_service(database, network),
            *compute_services(database),
            *southbound.services(),
        ]
        services.append(openapi.service(list(services)))
        policy = _policy(services, settings.policy_file)
    except BaseException:
        database.close()
        raise

    @asynccontextmanager
    async def lifespan(_application: Starlette) -> AsyncIterator[None]:
        await southbound.start()
        refresh = asyncio.create_task(site.directories.keep_fresh())
        yield
        refresh.cancel()
        await southbound.stop()

    application = create_application(
        site.authenticator, services, lifespan, southbound.beyond, policy, answered=metrics.answered
    )
    return Controller(database, site, southbound, application, metrics, joining)
