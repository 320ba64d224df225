"""What iptables does with a packet, by the rules that ``iptables-save`` prints.

Pure. Matches and targets that a router, a firewall or a lecture uses are known; a rule with something else in it is not
judged, and is handed back as such, for a wrong word is worse than none.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address, ip_network

import msgspec

from nebula.ids import Owner, parse_mark
from nebula.trace.packet import NUMBERS, Packet

HOOKS: Mapping[str, tuple[str, ...]] = {
    "PREROUTING": ("raw", "mangle", "nat"),
    "INPUT": ("mangle", "filter", "security", "nat"),
    "FORWARD": ("mangle", "filter", "security"),
    "OUTPUT": ("raw", "mangle", "nat", "filter", "security"),
    "POSTROUTING": ("mangle", "nat"),
}
"""The tables of each hook in the kernel's order (``nf_ip_hook_priorities``)."""
FINAL = ("ACCEPT", "DROP", "REJECT")
TRANSLATING = ("SNAT", "DNAT", "MASQUERADE", "REDIRECT", "NETMAP")
_PASSING = ("LOG", "NFLOG", "TRACE", "MARK", "CONNMARK", "TCPMSS", "NOTRACK", "CT", "TTL", "TOS", "DSCP", "CHECKSUM")
_DEEPEST = 16


class Rule(msgspec.Struct, frozen=True):
    """``text`` as it is printed; the words after the chain's name, without quotes."""

    text: str
    words: tuple[str, ...]

    @property
    def owner(self) -> Owner | None:
        """Whose mark stands in the comment."""
        if "--comment" not in self.words:
            return None
        return parse_mark(self.words[self.words.index("--comment") + 1])


class Chain(msgspec.Struct):
    """``policy`` is '' for a chain that a user made."""

    policy: str
    rules: list[Rule]


Ruleset = Mapping[str, Mapping[str, Chain]]
"""Chains by table and name."""


class Look(msgspec.Struct, frozen=True):
    """A packet at a hook. ``state`` is conntrack's: NEW, ESTABLISHED, RELATED, INVALID; ``translated``: its DNAT."""

    packet: Packet
    state: str
    in_device: str = ""
    out_device: str = ""
    translated: bool = False


class Verdict(msgspec.Struct, frozen=True):
    """``target``: ACCEPT, DROP, REJECT, or one of TRANSLATING, to ``to`` (``address[:ports]``, '': the device's own).

    ``table`` and ``rule`` say where; no rule: the chain's policy. ``unknown``: rules that were not judged.
    """

    target: str
    table: str = ""
    chain: str = ""
    rule: Rule | None = None
    to: str = ""
    unknown: tuple[str, ...] = ()


def parse(saved: str) -> Ruleset:
    """``iptables-save``'s text. Raises ValueError where it is none."""
    found: dict[str, dict[str, Chain]] = {}
    table: dict[str, Chain] = {}
    for line in saved.splitlines():
        if line.startswith("*"):
            table = found.setdefault(line[1:].strip(), {})
        elif line.startswith(":"):
            name, policy = line[1:].split()[:2]
            table[name] = Chain("" if policy == "-" else policy, [])
        elif line.startswith("-A "):
            words = shlex.split(line)
            table.setdefault(words[1], Chain("", [])).rules.append(Rule(line.strip(), tuple(words[2:])))
    return found


def verdicts(rules: Ruleset, hook: str, look: Look) -> Iterator[Verdict]:
    """What each table at the hook says, until one drops. ``nat`` sees the first packet of a connection alone.

    A table without a rule that matches says its policy with no rule; where that is ACCEPT it is left out.
    """
    for table in HOOKS[hook]:
        chain = rules.get(table, {}).get(hook)
        if chain is None or (table == "nat" and look.state != "NEW"):
            continue
        unknown: list[str] = []
        found = _walk(rules[table], hook, look, unknown, 0)
        verdict = found or Verdict(chain.policy or "ACCEPT", chain=hook)
        verdict = msgspec.structs.replace(verdict, table=table, unknown=tuple(unknown))
        if verdict.rule is not None or verdict.target != "ACCEPT" or unknown:
            yield verdict
        if verdict.target in ("DROP", "REJECT"):
            return


def _walk(chains: Mapping[str, Chain], name: str, look: Look, unknown: list[str], depth: int) -> Verdict | None:
    """The first final verdict of a chain, None where it ends or returns."""
    if depth > _DEEPEST or name not in chains:
        return None
    for rule in chains[name].rules:
        matched = matches(rule, look)
        if matched is None:
            unknown.append(rule.text)
            continue
        target, to = _target(rule)
        if not matched or not target or target in _PASSING:
            continue
        if target == "RETURN":
            return None
        if target in FINAL or target in TRANSLATING:
            return Verdict(target, chain=name, rule=rule, to=to)
        if target in chains:
            inner = _walk(chains, target, look, unknown, depth + 1)
            if inner is not None:
                return inner
        else:
            unknown.append(rule.text)
    return None


def _target(rule: Rule) -> tuple[str, str]:
    words = rule.words
    jump = next((index for index, word in enumerate(words) if word in ("-j", "-g")), None)
    if jump is None:
        return "", ""
    given = dict(zip(words[jump + 2 :], words[jump + 3 :], strict=False))
    return words[jump + 1], given.get("--to-source") or given.get("--to-destination") or given.get("--to-ports") or ""


def matches(rule: Rule, look: Look) -> bool | None:
    """Whether the rule's conditions hold; None where one of them is not known here and the others hold."""
    words, index, known = rule.words, 0, True
    while index < len(words) and words[index] not in ("-j", "-g"):
        negated = words[index] == "!"
        index += negated
        option = words[index]
        end = index + 1
        while end < len(words) and not words[end].startswith("-") and words[end] != "!":
            end += 1
        values = words[index + 1 : end]
        index = end
        if option in ("-m", "--comment"):
            continue
        test = _TESTS.get(option)
        if test is None or not values:
            known = False
        elif test(values[0], look) is negated:
            return False
    return True if known else None


def _in(value: str, address: str) -> bool:
    return any(_within(part, address) for part in value.split(","))


def _within(value: str, address: str) -> bool:
    network, parsed = ip_network(value, strict=False), ip_address(address)
    return parsed.version == network.version and parsed in network


def _device(value: str, device: str) -> bool:
    return device.startswith(value[:-1]) if value.endswith("+") else device == value


def _protocol(value: str, look: Look) -> bool:
    word = {"ipv6-icmp": "icmp6", "icmpv6": "icmp6", "all": ""}.get(value, value)
    return word in ("", look.packet.protocol, str(NUMBERS.get(look.packet.protocol)))


def _port(value: str, port: int) -> bool:
    for part in value.split(","):
        low, separator, high = part.partition(":")
        if int(low or "0") <= port <= int((high or "65535") if separator else low):
            return True
    return False


def _with_ports(look: Look) -> bool:
    return look.packet.protocol in ("tcp", "udp")


def _state(value: str, look: Look) -> bool:
    wanted = value.split(",")
    return look.state in wanted or ("DNAT" in wanted and look.translated)


_ICMP_WORDS = {"any": -1, "echo-request": 8, "echo-reply": 0}


def _icmp_type(value: str, look: Look) -> bool:
    word = value.partition("/")[0]
    number = _ICMP_WORDS.get(word, int(word) if word.isdigit() else -2)
    return number in (-1, look.packet.type)


_TESTS: Mapping[str, Callable[[str, Look], bool]] = {
    "-s": lambda value, look: _in(value, look.packet.source),
    "-d": lambda value, look: _in(value, look.packet.destination),
    "-i": lambda value, look: _device(value, look.in_device),
    "-o": lambda value, look: _device(value, look.out_device),
    "-p": _protocol,
    "--dport": lambda value, look: _with_ports(look) and _port(value, look.packet.destination_port),
    "--sport": lambda value, look: _with_ports(look) and _port(value, look.packet.source_port),
    "--dports": lambda value, look: _with_ports(look) and _port(value, look.packet.destination_port),
    "--sports": lambda value, look: _with_ports(look) and _port(value, look.packet.source_port),
    "--ctstate": _state,
    "--state": _state,
    "--icmp-type": _icmp_type,
    "--icmpv6-type": _icmp_type,
    "--limit": lambda _value, _look: True,
    "--limit-burst": lambda _value, _look: True,
}
