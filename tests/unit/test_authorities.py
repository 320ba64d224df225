"""Certificate authorities: made once, and one that takes over from another while nodes go on, over real TLS sockets."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from nebula_agent.access import Access
from nebula_agent.report import Reporter
from nebula_controller.nodes import membership
from nebula_controller.nodes.membership import Member
from nebula_controller.tls import authorities as module
from nebula_controller.tls.authorities import Authorities
from nebula_controller.tls.authority import Authority
from nebula_controller.tls.rotation import check_unneeded, status
from southbound_world import node_report
from tls_controller import TlsController, ask

from nebula.errors import ConfigError, Conflict, Untrusted
from nebula.view.joining import parse_token


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[TlsController]:
    made = TlsController(tmp_path / "controller")
    yield made
    made.stop()


class Node:
    """One that has joined, with what it has on its disk."""

    def __init__(self, controller: TlsController, folder: Path, token: str = "") -> None:
        self.folder = folder
        self.access: Access = controller.joined(folder.name, folder, token)

    @contextmanager
    def reporting(self, number: int) -> Iterator[None]:
        """It is on."""
        reporter = Reporter(self.access, self.folder.name, lambda: None)
        report = node_report(self.folder.name, number)
        reporter.start()
        reporter.report(report)
        try:
            self.again = lambda: reporter.report(msgspec.structs.replace(report, version=str(time.monotonic_ns())))
            yield
        finally:
            reporter.stop()

    def questions(self) -> int:
        """The status of a request of its own."""
        return ask(self.access, "GET", f"/nebula/v1/nodes/{self.folder.name}/questions").status

    @property
    def own(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate((self.folder / "node.pem").read_bytes())

    @property
    def trusts(self) -> int:
        return len(x509.load_pem_x509_certificates((self.folder / "authority.pem").read_bytes()))


def _of(authority: Authority, certificate: x509.Certificate) -> bool:
    return certificate.issuer == x509.load_pem_x509_certificate(authority.pem.encode()).subject


def _served(controller: TlsController) -> x509.Certificate:
    port = int(controller.url.rpartition(":")[2])
    return x509.load_pem_x509_certificate(ssl.get_server_certificate(("127.0.0.1", port)).encode())


def _members(controller: TlsController) -> list[Member]:
    def read() -> list[Member]:
        with controller.database.read() as tx:
            return list(membership.members(tx).values())

    found: list[Member] = controller.in_loop(read)
    return found


def test_another_authority_takes_over(controller: TlsController, tmp_path: Path) -> None:
    """Nodes that are on notice nothing; one that was off keeps the old one from being retired, and then joins again."""
    on, off = Node(controller, tmp_path / "on"), Node(controller, tmp_path / "off")
    held = off.access.client(10)
    assert held.request("GET", "/nebula/v1/nodes/off/questions").status == 200
    token = controller.token()
    command = Authorities(controller.folder / "tls", lifetime_s=3600)  # as another process has it
    old = command.shown
    with on.reporting(1):
        first = on.own
        new = command.rotate()
        on.again()
        _until(lambda: _of(new, on.own))
        assert (on.trusts, on.own.public_key() != first.public_key()) == (2, True)
        on.again()
        _until(lambda: {m.host: m.signed_by for m in _members(controller)}["on"] == new.key_id)
        assert _of(old, _served(controller))  # which every node trusts
        late = Node(controller, tmp_path / "late", token)
        assert (late.trusts, _of(new, late.own), parse_token(controller.token()).pin) == (2, True, old.pin)
        assert [line.rpartition(" by ")[2] for line in status(command, _members(controller))] == ["off", "late, on"]
        with pytest.raises(Conflict, match=r"^off would be shut out"):
            check_unneeded(command, _members(controller))
        command.retire()
        refused = held.request("GET", "/nebula/v1/nodes/off/questions")
        assert (refused.status, b"is retired" in refused.body) == (403, True)
        on.again()
        _until(lambda: on.trusts == 1)
        assert (_of(new, _served(controller)), on.questions(), late.questions()) == (True, 200, 200)
        with pytest.raises(Untrusted):
            off.questions()
    held.close()
    assert "authority was changed while this node was off" in off.access.trouble(Untrusted("x"))
    assert [line.rpartition(" by ")[2] for line in status(command, _members(controller))][-1] == "not heard yet: off"


def test_a_renewal_that_cannot_be_kept_leaves_the_old_one(controller: TlsController, tmp_path: Path) -> None:
    """A certificate of another key, or rubbish for authorities: refused, and the node goes on with what it has."""
    node, other = Node(controller, tmp_path / "a"), Node(controller, tmp_path / "b")
    identity = node.access.identity
    assert identity is not None
    key = (node.folder / "node.pem").read_text().partition("-----BEGIN CERTIFICATE")[0]
    trusted = (node.folder / "authority.pem").read_text()
    kept = {path.name: path.read_bytes() for path in node.folder.iterdir()}
    foreign = "-----BEGIN CERTIFICATE" + (other.folder / "node.pem").read_text().partition("-----BEGIN CERTIFICATE")[2]
    for certificate, authorities in ((foreign, trusted), (kept["node.pem"].decode(), "rubbish")):
        with pytest.raises(ConfigError, match="do not fit together"):
            identity.renewed(key, certificate, authorities, time.time() + 60)
        assert {path.name: path.read_bytes() for path in node.folder.iterdir()} == kept
    assert node.questions() == 200


@pytest.mark.parametrize("change", ["rotate", "retire"])
def test_a_change_that_dies_half_way_leaves_usable_authorities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """Between its two files: what is there is whole, before or after the change, and may be changed again."""
    authorities = Authorities(tmp_path / "tls", lifetime_s=60)
    if change == "retire":
        authorities.rotate()
    written: list[Path] = []
    write = module.write_private

    def dies(path: Path, content: bytes) -> None:
        written.append(path)
        if len(written) == 2:
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(module, "write_private", dies)
    with pytest.raises(KeyboardInterrupt):
        getattr(authorities, change)()
    monkeypatch.setattr(module, "write_private", write)
    again = Authorities(tmp_path / "tls", lifetime_s=60)
    assert len(again.all()) == 1
    assert (again.rotate().pin, again.retire().pin) == (again.signing.pin, again.shown.pin)


def test_one_rotation_at_a_time(tmp_path: Path) -> None:
    """A second one, and a retirement of the only one, are refused."""
    authorities = Authorities(tmp_path / "tls", lifetime_s=60)
    with pytest.raises(Conflict, match="none to retire"):
        authorities.retire()
    authorities.rotate()
    with pytest.raises(Conflict, match="is taking over"):
        authorities.rotate()


def test_a_running_controller_goes_on_when_the_files_are_damaged(tmp_path: Path) -> None:
    """With what it had; the next good files count."""
    authorities = Authorities(tmp_path / "tls", lifetime_s=60)
    known, path = authorities.all(), tmp_path / "tls/authority.pem"
    good = path.read_bytes()
    path.write_text("rubbish")
    assert authorities.all() == known
    path.unlink()
    assert authorities.all() == known
    path.write_bytes(good)
    assert authorities.shown.pin == known[0].pin


def test_an_authority_stays_and_is_private(tmp_path: Path) -> None:
    """Made once, its key 0600; without the key, or with another one, the controller does not start."""
    first = Authorities(tmp_path / "tls", lifetime_s=60)
    assert (tmp_path / "tls/authority.key").stat().st_mode & 0o777 == 0o600
    assert Authorities(tmp_path / "tls", lifetime_s=60).shown.pin == first.shown.pin
    Authorities(tmp_path / "other", lifetime_s=60)
    (tmp_path / "other/authority.key").rename(tmp_path / "tls/authority.key")
    with pytest.raises(ConfigError, match="has no key of"):
        Authorities(tmp_path / "tls", lifetime_s=60)
    (tmp_path / "tls/authority.key").unlink()
    with pytest.raises(ConfigError, match="cannot be used"):
        Authorities(tmp_path / "tls", lifetime_s=60)


def _until(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.005)
