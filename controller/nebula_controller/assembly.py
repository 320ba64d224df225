"""The controller put together: which parts there are, and what each is given.

Effects: opens the database and the key repository; starts nothing. ``serve`` runs what is made here.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from starlette.applications import Starlette

from nebula_controller.api.application import create_application
from nebula_controller.identity.authenticator import TokenAuthenticator
from nebula_controller.identity.keys import KeyRepository
from nebula_controller.identity.passwords import Passwords
from nebula_controller.identity.service import identity_service
from nebula_controller.identity.site import Site
from nebula_controller.identity.token import TokenCodec
from nebula_controller.settings import Settings
from nebula_controller.state import DATABASE, KEYS
from nebula_controller.store.database import Database


class Controller(msgspec.Struct, frozen=True):
    """What runs. ``stop`` lets go of every call that waits."""

    database: Database
    site: Site
    application: Starlette

    def stop(self) -> None:
        """Release the long polls, so that their connections can end."""

    def close(self) -> None:
        """Close what was opened, after the last request."""
        self.site.passwords.close()
        self.database.close()


def identity_site(database: Database, state_dir: Path, settings: Settings) -> Site:
    """Identity on a database and the key repository beside it."""
    keys = KeyRepository(state_dir / KEYS, settings.max_active_keys)
    keys.make_if_absent()
    codec = TokenCodec(keys)
    return Site(
        database=database,
        codec=codec,
        authenticator=TokenAuthenticator(database, codec),
        passwords=Passwords(settings.password_hash_rounds),
        token_lifetime_s=settings.token_lifetime_s,
        public_url=settings.public_url,
    )


def assemble(state_dir: Path, settings: Settings, node_secret: str | None) -> Controller:
    """All services on the database in ``state_dir``. ConfigError where it cannot be used."""
    database = Database(state_dir / DATABASE)
    site = identity_site(database, state_dir, settings)
    application = create_application(site.authenticator, [identity_service(site)])
    return Controller(database, site, application)
