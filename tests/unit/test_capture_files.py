"""pcapng files, read back by scapy; and the chunks that frames travel in."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.utils import RawPcapNgReader

from nebula.capture import pcapng
from nebula.capture.stream import FRAME, Count, Head, frames_of, head_of, pack, unpack
from nebula.ids import Host


def test_a_file_is_read_back() -> None:
    """Two interfaces; nanoseconds, cut lengths, direction and comment of each packet."""
    content = pcapng.section("nebulactl", "a comment")
    content += pcapng.interface("compute1: web eth0", "eth0 in instance-1", 262144, "icmp")
    content += pcapng.interface("net1: r qg ü", "", 96)
    time_ns = 1_800_000_000_123_456_789
    content += pcapng.packet(1, time_ns, b"abcde", 99, outgoing=True, packet_id=7, comment="packet 7, hop 1 of 2")
    content += pcapng.packet(0, time_ns + 1, b"", 0, outgoing=False, packet_id=7, comment="x")
    content += pcapng.statistics(0, start_ns=time_ns, end_ns=time_ns + 5, received=2, dropped=1, comment="gone")
    reader = RawPcapNgReader(io.BytesIO(content))
    found = list(reader)
    assert [data for data, _meta in found] == [b"abcde", b""]
    meta = found[0][1]
    assert (meta.tshigh << 32 | meta.tslow, meta.tsresol, meta.wirelen) == (time_ns, 10**9, 99)
    assert (meta.comments if hasattr(meta, "comments") else [meta.comment]) == [b"packet 7, hop 1 of 2"]
    assert meta.ifname == "net1: r qg ü".encode()
    assert found[1][1].ifname == b"compute1: web eth0"


@given(st.lists(st.tuples(st.integers(0, 65535), st.booleans(), st.binary(max_size=40)), max_size=5))
def test_frames_come_out_as_they_went_in(frames: list[tuple[int, bool, bytes]]) -> None:
    """Also when several chunks stand one behind the other."""
    head = Head(Host("n1"), complete_ns=5, offset_ns=-3, error_ns=2, counts=(Count(0, 7, 1, "down"),))
    pieces: list[bytes] = []
    for index, outgoing, data in frames:
        pieces += [FRAME.pack(index, int(outgoing), len(data), len(data) + 1, 1_800_000_000_000_000_000 + index), data]
    chunks = list(unpack(pack(head, pieces) + pack(Head(Host("n2"), gone="silent"))))
    assert [chunk.head for chunk in chunks] == [head, Head(Host("n2"), gone="silent")]
    assert list(frames_of(chunks[0])) == [
        (index, int(outgoing), len(data) + 1, 1_800_000_000_000_000_000 + index, data)
        for index, outgoing, data in frames
    ]
    assert list(frames_of(chunks[1])) == []


def test_what_is_cut_off_is_an_error() -> None:
    """Not half a frame."""
    whole = pack(Head(Host("n1")), [FRAME.pack(0, 0, 4, 4, 0), b"abcd"])
    assert head_of(whole).host == "n1"
    for length in range(1, len(whole)):
        with pytest.raises(ValueError, match="cut off"):
            list(unpack(whole[:length]))
    chunk = next(unpack(pack(Head(Host("n1")), [FRAME.pack(0, 0, 5, 5, 0), b"abcd"])))
    with pytest.raises(ValueError, match="cut off"):
        list(frames_of(chunk))
