"""A place's links to the segments, when it is built again while its old links are still on their way out."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

from nebula_lab import fabric

from nebula.errors import CommandFailed


class _Fabric:
    """A fabric whose stale link goes between the look and its deletion."""

    def __init__(self) -> None:
        self.batches: list[str] = []

    def run(self, argv: Sequence[str], *, stdin: str = "", network_only: bool = False) -> str:
        if argv[0] == "ls":
            return "lo\nunderlay\nu-compute2@if2\n"
        self.batches.append(stdin)
        if "-force" in argv:
            raise CommandFailed(argv, 1, 'Cannot find device "u-compute2"')
        return ""


def test_a_stale_link_that_goes_by_itself_is_no_failure() -> None:
    """The new links are made all the same."""
    place = SimpleNamespace(init=SimpleNamespace(pid=42))
    found = _Fabric()
    fabric._connect(found, "compute2", {"underlay": "underlay0"}, place)  # type: ignore[arg-type]
    assert found.batches[0] == "link delete dev u-compute2\n"
    assert "link add name u-compute2 mtu 1500 type veth peer name underlay0 netns 42" in found.batches[1]
