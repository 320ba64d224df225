"""Identity v3 as one service: all its routes, and the versions document.

No effects of its own.
"""

from __future__ import annotations

from nebula.model import registry
from nebula_controller import identity
from nebula_controller.api.endpoint import Answer, Call, Operation, Service
from nebula_controller.api.errors import keystone_shape
from nebula_controller.api.special import special
from nebula_controller.identity import policy
from nebula_controller.identity.assignments import Assignments
from nebula_controller.identity.collection import Collection, Values, plain
from nebula_controller.identity.login import Login
from nebula_controller.identity.passwordchange import OwnPassword
from nebula_controller.identity.site import PREFIX, Site


def identity_service(site: Site) -> Service:
    """Everything below ``/identity``."""
    versions = _Versions(site)
    operations = [
        *(Operation("GET", path, versions.all, open=True) for path in ("", "/")),
        *(Operation("GET", path, versions.one, open=True) for path in ("/v3", "/v3/")),
    ]
    kinds = collections(site)
    calls = [Login(site).operations(), OwnPassword(site).operations(), Assignments(site).operations()]
    for found in (*calls, *(kind.operations() for kind in kinds)):
        operations += [site.directories.prepared(operation) for operation in found]
    rules = policy.rules((kind.resource, kind.action) for kind in kinds)
    return Service(PREFIX, operations, keystone_shape, rules)


def collections(site: Site) -> list[Collection]:
    """One for each kind that is declared: of the class that says more of it, or as it is declared."""
    more = {kind.resource.path: kind for kind in special(identity, Collection, "resource")}
    return [(more.get(resource.path) or plain(resource))(site) for resource in registry.of("identity")]


class _Versions:
    """The documents from which clients learn where v3 is."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def all(self, call: Call) -> Answer:
        """300, as Keystone answers where a choice has to be made."""
        return Answer(300, {"versions": {"values": [self._v3(call)]}})

    def one(self, call: Call) -> Answer:
        """200 with the version."""
        return Answer(200, {"version": self._v3(call)})

    def _v3(self, call: Call) -> Values:
        return {
            "id": "v3.14",
            "status": "stable",
            "updated": "2020-04-07T00:00:00Z",
            "links": [{"rel": "self", "href": f"{self._site.v3_url(call)}/"}],
            "media-types": [
                {"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"},
            ],
        }
