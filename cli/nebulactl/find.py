"""Resources by name or id.

Effects: HTTP through Api.
"""

from __future__ import annotations

import string
from urllib.parse import parse_qs, quote, urlsplit

from nebula.errors import BadRequest, NotFound
from nebulactl.api import COMPUTE, Api, JsonObject, Query, as_object, as_objects
from nebulactl.nouns import DOMAIN, Noun

_ID_LENGTHS = {32, 36}
_ID_CHARACTERS = frozenset(string.hexdigits + "-")


def item_path(noun: Noun, identifier: str) -> str:
    """``/networks/<id>``, whatever characters the id has."""
    return f"{noun.route}/{quote(identifier, safe='')}"


def list_resources(api: Api, noun: Noun, query: Query | None = None, *, most: int | None = None) -> list[JsonObject]:
    """All (or the first ``most``) that the caller may see and the query (the API's filters) lets through, by pages."""
    path = f"{noun.route}/detail" if noun.service == COMPUTE else noun.route
    asked: Query | None = dict(query or {})
    found: list[JsonObject] = []
    while asked is not None and (most is None or len(found) < most):
        answer = api.get(noun.service, path, asked)
        found += as_objects(answer.get(noun.list_key))
        asked = _next_page(answer, noun, asked)
    return found[:most]


def _next_page(answer: JsonObject, noun: Noun, asked: Query) -> Query | None:
    for link in as_objects(answer.get(f"{noun.list_key}_links")):
        if link.get("rel") == "next":
            return {**asked, **parse_qs(urlsplit(str(link.get("href"))).query)}
    return None


def looks_like_id(text: str) -> bool:
    """True for what has the form of a UUID, with hyphens or without."""
    return len(text) in _ID_LENGTHS and _ID_CHARACTERS.issuperset(text)


def find(api: Api, noun: Noun, name_or_id: str, *, domain: str | None = None) -> JsonObject:
    """The one resource with this id, or else with this name, in this domain (name or id) where one is given.

    Raises NotFound, or BadRequest where several bear the name.
    """
    if looks_like_id(name_or_id) or (noun.route, name_or_id) == ("/domains", "default"):  # the one id that is a word
        try:
            return as_object(api.get(noun.service, item_path(noun, name_or_id)).get(noun.item_key))
        except NotFound:
            pass
    found: list[JsonObject] = []
    if name_or_id:
        # Nova reads ?name= as a pattern, so equality is checked here too.
        query = {noun.known_by: [name_or_id]}
        if domain is not None:
            query["domain_id"] = [find_id(api, DOMAIN, domain)]
        found = list_resources(api, noun, query)
        found = [resource for resource in found if resource.get(noun.known_by) == name_or_id]
    if not found:
        raise NotFound(f"No {noun.words} has the name or id {name_or_id!r}.")
    if len(found) > 1:
        ids = ", ".join(str(resource.get("id")) for resource in found)
        raise BadRequest(f"{len(found)} {noun.plural} are called {name_or_id!r}; give the id of the one: {ids}.")
    return found[0]


def find_id(api: Api, noun: Noun, name_or_id: str, *, domain: str | None = None) -> str:
    """The id of the one resource with this id or name; raises as ``find``."""
    return str(find(api, noun, name_or_id, domain=domain).get("id"))
