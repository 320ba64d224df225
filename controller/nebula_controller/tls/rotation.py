"""How far a change of authorities is: who signs what, and which nodes show certificates of which. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from nebula.errors import Conflict
from nebula_controller.nodes.membership import Member
from nebula_controller.tls.authorities import Authorities


def status(authorities: Authorities, members: Iterable[Member]) -> Iterator[str]:
    """For a person, the oldest authority first. ``members`` are all that count."""
    known = list(members)
    for authority in authorities.all():
        does = ["signs the controller's certificate"] * (authority is authorities.shown)
        does += ["signs nodes' certificates"] * (authority is authorities.signing)
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(authority.expires_at_s))
        hosts = [member.host for member in known if member.signed_by == authority.key_id]
        yield f"{authority.pin[:16]}  until {until}  {', '.join(does)}; shown by {', '.join(hosts) or 'no node'}"
    others = {authority.key_id for authority in authorities.all()}
    if unheard := [member.host for member in known if member.signed_by not in others]:
        yield f"not heard yet: {', '.join(unheard)}"


def check_unneeded(authorities: Authorities, members: Iterable[Member]) -> None:
    """Raises Conflict that names the nodes that still need the older one."""
    left = [member.host for member in members if member.signed_by != authorities.signing.key_id]
    if left:
        raise Conflict(
            f"{', '.join(left)} would be shut out: no certificate of the new authority was shown from there. A node "
            "that is on gets one within seconds. Wait, or revoke what does not come back; with --force they join again."
        )
