"""What one run of nebulactl shares among its commands: the flags of who calls, and the connection.

Effects: none by itself; the connection is made when a command first asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import click
import msgspec

from nebulactl.api import TIMEOUT_S, Api
from nebulactl.cache import Cache
from nebulactl.credentials import Credentials, find_credentials
from nebulactl.realised import shown


class Invocation:
    """``flags`` are the --os-* options as given; ``show_request_id`` prints the id of every changing request.

    ``in_session``: other commands may follow in this process.
    """

    def __init__(self, flags: Mapping[str, str], show_request_id: bool = False, in_session: bool = False) -> None:
        self.flags = flags
        self.show_request_id = show_request_id
        self.in_session = in_session
        self.wait_s = 0
        """How long a changing call waits for the nodes."""
        self.plan = False
        """The first changing call is rehearsed only."""
        self.timeout_s = TIMEOUT_S
        """For one answer."""

    @cached_property
    def credentials(self) -> Credentials:
        return find_credentials(self.flags)

    @cached_property
    def cache(self) -> Cache:
        return Cache(self.credentials)

    @cached_property
    def api(self) -> Api:
        return self._api(self.credentials)

    def in_project(self, project_id: str) -> Api:
        """The same caller, logged in to another project."""
        other = {"project_id": project_id, "project_name": ""}
        return self._api(msgspec.structs.replace(self.credentials, **other))

    def _api(self, credentials: Credentials) -> Api:
        cache, timeout_s = Cache(credentials), self.timeout_s
        return Api(credentials, cache, self._changed, wait_s=self.wait_s, plan=self.plan, timeout_s=timeout_s)

    def _changed(self, request_id: str, realised: str | None) -> None:
        if self.show_request_id:
            click.echo(f"Request ID: {request_id}", err=True)
        if realised is not None:
            click.echo(f"Done by the nodes: {shown(realised)}", err=True)


def invocation() -> Invocation:
    """The one of the running command."""
    found = click.get_current_context().find_object(Invocation)
    assert found is not None
    return found


def api() -> Api:
    """The connection of the running command."""
    return invocation().api
