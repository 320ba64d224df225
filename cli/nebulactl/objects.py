"""Objects that kernel objects exist for: from a noun and a name to an id, and back to a name.

Effects: HTTP through Api.
"""

from __future__ import annotations

from nebula.errors import BadRequest, NebulaError, NotFound
from nebulactl.api import Api, JsonObject, as_object
from nebulactl.find import find_id, item_path, looks_like_id
from nebulactl.nouns import INSTANCE, NETWORK_NOUN, PORT, ROUTER, SUBNET, Noun
from nebulactl.security_nouns import ADDRESS_GROUP, FLOATING_IP, SECURITY_GROUP

NOUNS: dict[str, Noun] = {
    "network": NETWORK_NOUN,
    "subnet": SUBNET,
    "port": PORT,
    "router": ROUTER,
    "instance": INSTANCE,
    "security group": SECURITY_GROUP,
    "address group": ADDRESS_GROUP,
    "floating ip": FLOATING_IP,
}
"""By the kind of owner, with a space for an underscore."""


def completions(typed: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[Noun, ...]]:
    """What may follow these words of a noun: the rest of it, or names."""
    if (noun := NOUNS.get(" ".join(typed))) is not None:
        return (), (noun,)
    following = [words.split()[len(typed)] for words in NOUNS if tuple(words.split()[: len(typed)]) == typed]
    return tuple(dict.fromkeys(following)), ()


def object_id(cloud: Api, what: tuple[str, ...]) -> str:
    """The id of ``network nebula_net``, or of what an id alone names; an id may be of something that is gone.

    Raises NotFound, BadRequest for a noun that there is not.
    """
    name = what[-1]
    noun = NOUNS.get(" ".join(what[:-1]).replace("-", " "))
    if len(what) == 1 and looks_like_id(name):
        return name
    if noun is None:
        known = ", ".join(f"'{noun}'" for noun in sorted(NOUNS))
        raise BadRequest(f"{' '.join(what)!r} is neither an id nor a noun and a name; the nouns: {known}.")
    try:
        return find_id(cloud, noun, name)
    except NotFound:
        if looks_like_id(name):
            return name
        raise


class Names:
    """Names of owners, each looked up once."""

    def __init__(self, cloud: Api) -> None:
        self._cloud = cloud
        self._known: dict[tuple[str, str], str] = {}

    def of(self, owner: JsonObject) -> str:
        """``network nebula_net (76cd31a0-...)``; the id alone of what has no name, or is gone."""
        kind, identity = str(owner.get("kind")).replace("_", " "), str(owner.get("id"))
        if (kind, identity) not in self._known:
            self._known[kind, identity] = self._look_up(kind, identity)
        name = self._known[kind, identity]
        return f"{kind} {name} ({identity})" if name else f"{kind} {identity}"

    def _look_up(self, kind: str, identity: str) -> str:
        noun = NOUNS.get(kind)
        if noun is None:
            return ""
        try:
            found = as_object(self._cloud.get(noun.service, item_path(noun, identity)).get(noun.item_key))
        except NebulaError:
            return ""
        return str(found.get(noun.known_by) or "")
