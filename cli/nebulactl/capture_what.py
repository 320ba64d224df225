"""What a person wants captured: from the words of a command line to what the controller is asked for.

Effects: looks names up through Api.
"""

from __future__ import annotations

import shlex
from ipaddress import ip_address

from nebula.errors import BadRequest, NotFound
from nebulactl.api import Api, Json, JsonObject
from nebulactl.find import find, find_id
from nebulactl.nouns import INSTANCE, NETWORK_NOUN, PORT, ROUTER, Noun

_NOUNS: dict[str, Noun] = {"instance": INSTANCE, "network": NETWORK_NOUN, "router": ROUTER, "port": PORT}
_UNDERLAY, _PATH = "underlay", "path"
_OF_A_FILTER = ("arp", "dst", "ether", "host", "icmp", "icmp6", "ip", "ip6", "net", "not", "src", "tcp", "udp", "vlan")
"""What pcap-filter(7)'s expressions begin with."""


def completions(typed: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[Noun, ...]]:
    """What may follow these words: words, and names of nouns."""
    if typed[-1:] and typed[-1] in _NOUNS:
        return (), (_NOUNS[typed[-1]],)
    if _PATH in typed[-2:]:
        return (), (INSTANCE, PORT)
    return (_UNDERLAY, _PATH, *_NOUNS), tuple(_NOUNS.values())


def wanted(cloud: Api, words: tuple[str, ...]) -> list[Json]:
    """``web nebula_router``, ``network nebula_net``, ``underlay@compute1``, ``path web 198.51.100.10``.

    A noun before a name says what kind of thing is meant. Raises NotFound, BadRequest.
    """
    found: list[Json] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if word == _UNDERLAY or word.startswith(f"{_UNDERLAY}@"):
            found.append({"kind": _UNDERLAY, "host": word.partition("@")[2]})
        elif word == _PATH and len(left) >= 2:
            found.append({"kind": _PATH, "id": _end(cloud, left.pop(0)), "to": _end(cloud, left.pop(0))})
        elif word in _NOUNS and left:
            found.append({"kind": word, "id": find_id(cloud, _NOUNS[word], left.pop(0))})
        else:
            try:
                found.append(_any(cloud, word, _NOUNS))
            except NotFound as error:
                raise _perhaps_a_filter(error, [word, *left]) from None
    return found


def _perhaps_a_filter(error: NotFound, words: list[str]) -> NotFound:
    """Who gives the filter as tcpdump takes it hears how it is given here."""
    expression = " ".join(words)
    if expression.split(" ")[0] not in _OF_A_FILTER and " " not in words[0]:
        return error
    return NotFound(f"{error.message} A filter is an option: --filter {shlex.quote(expression)}")


def _end(cloud: Api, word: str) -> str:
    """Of a path: an address as it is, or the id of an instance or a port."""
    try:
        return str(ip_address(word))
    except ValueError:
        chosen = _any(cloud, word, {"instance": INSTANCE, "port": PORT})
        return str(chosen["id"])


def _any(cloud: Api, word: str, nouns: dict[str, Noun]) -> JsonObject:
    """The one thing with this name or id, whatever it is."""
    found: list[tuple[str, str]] = []
    for name, noun in nouns.items():
        try:
            found.append((name, str(find(cloud, noun, word).get("id"))))
        except NotFound:
            continue
    if not found:
        kinds = ", ".join(nouns)
        hint = " A path has two ends: path FROM TO." if word == _PATH else ""
        raise NotFound(f"No {' or '.join(kinds.rsplit(', ', 1))} has the name or id {word!r}.{hint}")
    if len(found) > 1:
        things = ", ".join(f"{name} {identity}" for name, identity in found)
        raise BadRequest(f"{len(found)} things are called {word!r}: {things}; say which, as in '{found[0][0]} {word}'.")
    return {"kind": found[0][0], "id": found[0][1]}
