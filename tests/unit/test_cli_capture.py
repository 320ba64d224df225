"""``nebulactl capture`` against a small cloud over HTTP: streams of several nodes become one, files are whole."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cli_cloud import PROJECT_ID, Cloud, Nebulactl
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet
from scapy.utils import RawPcapNgReader

from nebula.capture.stream import FRAME, Count, Head, pack
from nebula.ids import Host

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs/schemas/capture.json").read_text())
START_NS = 1_800_000_000_000_000_000
MS = 1_000_000
PING = Ether() / IP(src="192.168.50.3", dst="192.168.50.4", id=7) / ICMP(id=3, seq=1)
IN_TUNNEL = Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=5, dport=4789) / VXLAN(vni=7) / PING


def chunk(
    host: str, complete_ms: int, *frames: tuple[int, int, bool, Packet], counts: tuple[Count, ...] = (), **more: Any
) -> bytes:
    """Frames are (point, ms, outgoing, frame)."""
    pieces = []
    for point, ms, outgoing, frame in frames:
        data = bytes(frame)
        pieces += [FRAME.pack(point, int(outgoing), len(data), len(data), START_NS + ms * MS), data]
    return pack(Head(Host(host), START_NS + complete_ms * MS, counts=counts, **more), pieces)


@pytest.fixture
def capturing(cloud: Cloud) -> Cloud:
    """Two nodes with a point each, and a packet that goes from one to the other."""
    points = [
        {"index": 0, "host": "compute1", "name": "compute1: web eth0", "namespace": "instance-1", "device": "eth0"},
        {"index": 1, "host": "compute2", "name": "compute2: underlay", "namespace": "", "device": "underlay0"},
    ]
    cloud.capture = {"id": "c1", "points": points, "notes": []}
    cloud.chunks = [
        chunk("compute2", 1000, (1, 2, False, IN_TUNNEL), counts=(Count(1, 1, 0),)),
        chunk("compute1", 1000, (0, 1, True, PING), counts=(Count(0, 4, 3),)),
    ]
    return cloud


def packets(path: Path) -> list[tuple[bytes, str]]:
    """Interface and comment of each."""
    with path.open("rb") as file:
        return [(meta.ifname, meta.comments[0].decode()) for _data, meta in RawPcapNgReader(file)]


def test_one_line_a_packet_in_order_of_time(nebulactl: Nebulactl, capturing: Cloud) -> None:
    """Also where the later came first; what was lost is said; the capture is ended with the controller."""
    ended = nebulactl("capture", "underlay", "-c", "2", "--filter", "icmp", "-s", "100")
    lines = [line.partition("  ")[2] for line in ended.out.splitlines()]
    assert lines == [
        "compute1: web eth0 -> 192.168.50.3 > 192.168.50.4  ICMP echo request 1  (packet 1, hop 1 of 2)",
        "compute2: underlay <- 192.168.50.3 > 192.168.50.4  ICMP echo request 1  (packet 1, hop 2 of 2, VNI 7)",
    ]
    assert "2 packets captured, 3 dropped by the kernel\n" in ended.err
    assert "compute1: web eth0: 3 of 4 dropped" in ended.err
    assert ended.code == 0
    assert capturing.sent("POST") == [
        (
            "/nebula/v1/captures",
            {
                "what": [{"kind": "underlay", "host": ""}],
                "filter": "icmp",
                "snaplen_bytes": 100,
                "buffer_bytes": 4 * 1024 * 1024,
            },
        )
    ]
    assert capturing.sent("DELETE") == [("/nebula/v1/captures/c1", None)]


def test_json_is_as_its_schema_says(nebulactl: Nebulactl, capturing: Cloud) -> None:
    """A document a packet."""
    found = [json.loads(line) for line in nebulactl("capture", "underlay", "-c", "2", "-f", "json").out.splitlines()]
    for document in found:
        jsonschema.validate(document, SCHEMA)
    assert [(item["point"], item["packet"], item["hop"], item["hops"], item["vni"]) for item in found] == [
        ("compute1: web eth0", 1, 1, 2, None),
        ("compute2: underlay", 1, 2, 2, 7),
    ]


def test_a_clock_that_is_wrong_is_corrected(nebulactl: Nebulactl, capturing: Cloud) -> None:
    """Five seconds behind: its packets find their place. An offset within the error of its measurement is none."""
    capturing.chunks = [
        chunk("compute1", -4000, (0, -4999, True, PING), offset_ns=5000 * MS, error_ns=MS),
        chunk("compute2", 1000, (1, 2, False, IN_TUNNEL), offset_ns=-MS, error_ns=2 * MS),
    ]
    ended = nebulactl("capture", "underlay", "-c", "2")
    assert [line.partition("(")[2] for line in ended.out.splitlines()] == [
        "packet 1, hop 1 of 2)",
        "packet 1, hop 2 of 2, VNI 7)",
    ]
    assert (
        "the clock of compute1 is 5.000000 s behind the controller's (to 1.0 ms): its times are corrected" in ended.err
    )
    assert "the clock of compute2" not in ended.err


def test_a_node_that_goes_leaves_a_named_gap(nebulactl: Nebulactl, capturing: Cloud, tmp_path: Path) -> None:
    """The other's packets are delivered; the file says what is missing; the exit code too."""
    capturing.chunks += [
        pack(Head(Host("compute1"), gone="nothing has come from the node for 3 s")),
        chunk("compute2", 9000, (1, 8000, False, IN_TUNNEL)),
    ]
    file = tmp_path / "x.pcapng"
    ended = nebulactl("capture", "underlay", "-c", "3", "-w", str(file))
    assert "node compute1 is gone: nothing has come from the node for 3 s; what passed there since" in ended.err
    assert ended.code == 1
    assert [name for name, _comment in packets(file)] == [
        b"compute1: web eth0",
        b"compute2: underlay",
        b"compute2: underlay",
    ]
    assert b"node compute1 is gone: nothing has come" in file.read_bytes()


def test_when_all_nodes_have_gone_it_ends(nebulactl: Nebulactl, capturing: Cloud) -> None:
    """With what there was."""
    capturing.chunks += [pack(Head(Host(host), gone="x")) for host in ("compute1", "compute2")]
    ended = nebulactl("capture", "underlay")
    assert (ended.code, len(ended.out.splitlines())) == (1, 2)


@pytest.mark.parametrize("words", [("nebula_net", "tcp port 80"), ("nebula_net", "tcp", "port", "80")])
def test_a_filter_that_is_no_option(nebulactl: Nebulactl, words: tuple[str, ...]) -> None:
    """As tcpdump takes it, in one word or in several: it is said how it is given; of a mistyped name nothing is."""
    ended = nebulactl("capture", *words)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.endswith(f" has the name or id '{words[1]}'. A filter is an option: --filter 'tcp port 80'\n")
    assert "--filter" not in nebulactl("capture", "nebula_nett").err


def test_a_refused_filter_leaves_no_file(nebulactl: Nebulactl, cloud: Cloud, tmp_path: Path) -> None:
    """tcpdump's words; a file that was there stays as it was."""
    new, old = tmp_path / "new.pcapng", tmp_path / "old.pcapng"
    old.write_bytes(b"dear")
    for path in (new, old):
        ended = nebulactl("capture", "underlay", "--filter", "hots", "-w", str(path))
        assert ended.code == 1
        assert "can't parse filter expression: syntax error" in ended.err
    assert (new.exists(), old.read_bytes()) == (False, b"dear")


def test_a_file_that_cannot_be_written(nebulactl: Nebulactl, capturing: Cloud, tmp_path: Path) -> None:
    """Known before anything begins."""
    for path in (tmp_path, tmp_path / "no" / "x.pcapng"):
        ended = nebulactl("capture", "underlay", "-w", str(path))
        assert (ended.code, ended.err.startswith(f"nebulactl: {path}: ")) == (1, True)
    assert capturing.sent("POST") == []


def test_a_longer_file_is_written_over(nebulactl: Nebulactl, capturing: Cloud, tmp_path: Path) -> None:
    """Nothing of it stays behind the new end."""
    file = tmp_path / "x.pcapng"
    file.write_bytes(b"x" * 100_000)
    assert nebulactl("capture", "underlay", "-c", "2", "-w", str(file)).code == 0
    assert [comment for _name, comment in packets(file)] == ["packet 1, hop 1 of 2", "packet 1, hop 2 of 2, VNI 7"]


def test_a_full_disk_keeps_what_is_whole(
    nebulactl: Nebulactl, capturing: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block that found only half its room is cut off; the controller hears of the end."""
    file, chunks, real = tmp_path / "x.pcapng", list(capturing.chunks), os.write
    nebulactl("capture", "underlay", "-c", "2", "-w", str(file))
    size = file.read_bytes().index(b"packet 1, hop 2 of 2")  # the disk's end is within the second packet
    capturing.chunks = chunks

    def write(fd: int, data: Any) -> int:
        room = size - os.fstat(fd).st_size
        if room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(fd, bytes(data)[:room])

    monkeypatch.setattr(os, "write", write)
    ended = nebulactl("capture", "underlay", "-c", "2", "-w", str(file))
    assert (ended.code, f"nebulactl: {file}: No space left on device" in ended.err) == (1, True)
    assert [comment for _name, comment in packets(file)] == ["packet 1, hop 1 of 2"]
    assert capturing.sent("DELETE") == [("/nebula/v1/captures/c1", None)] * 2


def test_a_ring_of_files(nebulactl: Nebulactl, capturing: Cloud, tmp_path: Path) -> None:
    """A new one for each packet; of five the newest two stay, each a whole file with its interfaces."""
    frames = [(0, 10 * number, True, Ether() / IP(id=number)) for number in range(1, 6)]
    capturing.chunks = [chunk("compute2", 1000), chunk("compute1", 1000, *frames)]
    ring = ("-b", "packets:1", "-b", "files:2")
    assert nebulactl("capture", "underlay", "-c", "5", "-w", str(tmp_path / "r.pcapng"), *ring).code == 0
    files = sorted(tmp_path.glob("r_*.pcapng"))
    assert [path.name[:8] for path in files] == ["r_00004_", "r_00005_"]
    assert [[comment for _name, comment in packets(path)] for path in files] == [
        ["packet 4, hop 1 of 1"],
        ["packet 5, hop 1 of 1"],
    ]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ((), "Missing argument"),
        (("web", "-a", "fortnight:1"), "none of duration:SECONDS"),
        (("web", "-a", "packets:-1"), "none of duration:SECONDS"),
        (("web", "-b", "filesize:10"), "needs -w FILE"),
        (("web", "-w", "x", "-b", "files:2"), "no file is ever full"),
        (("web", "-w", "-", "--print"), "lines cannot go there too"),
        (("web", "-s", "0"), "range"),
    ],
)
def test_called_wrongly(nebulactl: Nebulactl, cloud: Cloud, words: tuple[str, ...], hint: str) -> None:
    """Exit code 2 and what is wrong, before anything is asked for."""
    ended = nebulactl("capture", *words)
    assert (ended.code, hint in ended.err) == (2, True), ended.err
    assert cloud.requests == []


def test_names(nebulactl: Nebulactl, capturing: Cloud) -> None:
    """A bare name is looked for among all kinds; a noun says which; a path has two ends."""
    web = capturing.add("servers", name="web1", tenant_id=PROJECT_ID)
    router = capturing.add("routers", name="same", project_id=PROJECT_ID)
    network = capturing.add("networks", name="same", project_id=PROJECT_ID)
    words = ("web1", "router", "same", "path", "web1", "198.51.100.10", "underlay@compute1")
    assert nebulactl("capture", *words, "-c", "2").code == 0
    assert capturing.sent("POST")[0][1]["what"] == [
        {"kind": "instance", "id": web["id"]},
        {"kind": "router", "id": router["id"]},
        {"kind": "path", "id": web["id"], "to": "198.51.100.10"},
        {"kind": "underlay", "host": "compute1"},
    ]
    several = nebulactl("capture", "same").err
    assert f"2 things are called 'same': network {network['id']}, router {router['id']}; say which" in several
    assert "No instance, network, router or port has the name or id 'nobody'" in nebulactl("capture", "nobody").err
    assert "A path has two ends" in nebulactl("capture", "path", "web1").err


def test_it_is_not_the_last_call(nebulactl: Nebulactl, capturing: Cloud) -> None:
    """Captures and questions change nothing: ``explain --last`` is about the call before."""
    nebulactl("network", "create", "x")
    last = capturing.sent("POST")[-1]
    assert nebulactl("capture", "underlay", "-c", "2").code == 0
    assert "No request req-" in nebulactl("explain", "--last").err
    assert last[0] == "/network/v2.0/networks"
    asked = [path for path, _body in capturing.sent("GET") if "/receipts/" in path]
    posts = [number for number, (_m, path, _b) in enumerate(capturing.requests, 1) if path == last[0]]
    assert asked[0] == f"/nebula/v1/receipts/req-{posts[0]:04d}"


def test_a_token_that_expires_meanwhile(
    nebulactl: Nebulactl, capturing: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A capture goes on with another, as often as that happens."""
    monkeypatch.setattr("nebulactl.api._NEW_S", 0.0)
    served = capturing._capture

    def expiring(method: str) -> tuple[int, dict[str, str], Any]:
        capturing.tokens.clear()
        return served(method)

    monkeypatch.setattr(capturing, "_capture", expiring)
    ended = nebulactl("capture", "underlay", "-c", "2")
    assert (ended.code, len(ended.out.splitlines())) == (0, 2), ended.err
    assert capturing.logins >= 4
