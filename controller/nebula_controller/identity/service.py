"""Identity v3 as one service: all its routes, and the versions document.

No effects of its own.
"""

from __future__ import annotations

from nebula.model.identity import POLICY
from nebula_controller.api.endpoint import Answer, Call, Operation, Service
from nebula_controller.api.errors import keystone_shape
from nebula_controller.identity import policy
from nebula_controller.identity.appcreds import ApplicationCredentials
from nebula_controller.identity.assignments import Assignments
from nebula_controller.identity.collection import Values, plain
from nebula_controller.identity.domains import Domains
from nebula_controller.identity.ec2 import Credentials
from nebula_controller.identity.limits import Limits, RegisteredLimits
from nebula_controller.identity.login import Login
from nebula_controller.identity.passwordchange import OwnPassword
from nebula_controller.identity.projects import Projects
from nebula_controller.identity.roles import Roles
from nebula_controller.identity.services import Endpoints, Regions, Services
from nebula_controller.identity.site import PREFIX, Site
from nebula_controller.identity.users import Groups, Users

_PARTS = (
    Login,
    Domains,
    Projects,
    Users,
    OwnPassword,
    Groups,
    Roles,
    Assignments,
    ApplicationCredentials,
    Credentials,
    Regions,
    Services,
    Endpoints,
    RegisteredLimits,
    Limits,
    plain(POLICY),
)


def identity_service(site: Site) -> Service:
    """Everything below ``/identity``."""
    versions = _Versions(site)
    operations = [
        *(Operation("GET", path, versions.all, open=True) for path in ("", "/")),
        *(Operation("GET", path, versions.one, open=True) for path in ("/v3", "/v3/")),
    ]
    for part in _PARTS:
        operations += [site.directories.prepared(operation) for operation in part(site).operations()]
    return Service(PREFIX, operations, keystone_shape, policy.RULES)


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
