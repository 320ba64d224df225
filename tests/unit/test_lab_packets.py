"""The demo's reading of captures, against frames written by scapy."""

import io

import pytest
from nebula_lab.demo.pcap import read_capture
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet as Frame
from scapy.packet import Raw
from scapy.utils import PcapWriter

from nebula.capture.text import read_frame


def capture(*frames: Frame) -> bytes:
    file = io.BytesIO()
    writer = PcapWriter(file, linktype=1, sync=True)
    for frame in frames:
        writer.write(frame)
    return file.getvalue()


INNER = Ether() / IP(src="192.168.50.3", dst="192.168.50.4") / ICMP(type=8, seq=7)


@pytest.mark.parametrize(
    ("frame", "line"),
    [
        (Ether() / ARP(psrc="10.0.0.1", pdst="10.0.0.2"), "10.0.0.1 > 10.0.0.2  ARP who has 10.0.0.2?"),
        (
            Ether() / ARP(op=2, psrc="10.0.0.2", hwsrc="fa:16:3e:00:00:01", pdst="10.0.0.1"),
            "10.0.0.2 > 10.0.0.1  ARP 10.0.0.2 is at fa:16:3e:00:00:01",
        ),
        (INNER, "192.168.50.3 > 192.168.50.4  ICMP echo request 7"),
        (
            Ether() / IP(src="1.2.3.4", dst="5.6.7.8") / TCP(sport=40000, dport=80, flags="SA"),
            "1.2.3.4 > 5.6.7.8  TCP 40000 > 80 SYN ACK",
        ),
        (
            Ether() / IP(src="1.2.3.4", dst="5.6.7.8") / TCP(sport=9, dport=80, flags="PA") / Raw(b"abc"),
            "1.2.3.4 > 5.6.7.8  TCP 9 > 80 ACK PSH, 3 bytes",
        ),
        (
            Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=5, dport=4789) / VXLAN(vni=7527) / INNER,
            "10.0.0.1 > 10.0.0.2  VXLAN VNI 7527 [ 192.168.50.3 > 192.168.50.4  ICMP echo request 7 ]",
        ),
        (Ether() / IP(src="1.2.3.4", dst="5.6.7.8") / UDP(sport=68, dport=67), "1.2.3.4 > 5.6.7.8  BOOTP"),
        (Ether() / IPv6(src="fe80::1", dst="ff02::2", nh=59), "fe80::1 > ff02::2  IP protocol 59"),
    ],
)
def test_each_kind_of_packet_is_one_line(frame: Frame, line: str) -> None:
    """What stands in the frame stands in the line."""
    assert [packet.line for packet in read_capture(capture(frame))] == [line]


def test_padding_is_not_content() -> None:
    """Ethernet fills short frames up to 60 bytes: the IP header says how long the packet is."""
    frame = bytes(Ether() / IP(src="1.2.3.4", dst="5.6.7.8") / TCP(sport=1, dport=2, flags="A")).ljust(60, b"\0")
    assert read_frame(frame).text == "TCP 1 > 2 ACK"


def test_cut_off_captures_and_frames_are_read_as_far_as_they_go() -> None:
    """A capture that ends in the middle of a packet loses that one only; broken frames do not stop the reading."""
    content = capture(INNER, INNER)
    assert len(read_capture(content[:-5])) == 1
    assert read_capture(b"") == []
    for length in range(len(bytes(INNER))):
        assert read_frame(bytes(INNER)[:length]).vni is None
    with pytest.raises(ValueError, match="no pcap"):
        read_capture(b"x" * 30)
