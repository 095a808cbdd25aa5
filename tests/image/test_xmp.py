"""XMP made true: sizes, thumbnails, places, and names of what is no longer there."""

import time
from typing import Any

import pytest

from latentpress.image import xmp as packets
from latentpress.image.xmp import true_xmp, without_namespaces

HEAD = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>'
HEAD += b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="r"><rdf:Description rdf:about=""'
TAIL = b"</rdf:Description></rdf:RDF></x:xmpmeta>   <?xpacket end='w'?>"


def packet(attributes: bytes = b"", elements: bytes = b"") -> bytes:
    return HEAD + attributes + b">" + elements + TAIL


def test_sizes_become_those_of_the_picture() -> None:
    attributes = b" exif:PixelXDimension=\"%d\" tiff:ImageLength = '%d'"
    assert true_xmp(packet(attributes % (4000, 3)), 640, 427) == packet(attributes % (640, 427))
    element = b"<exif:PixelYDimension>%d</exif:PixelYDimension>"
    assert true_xmp(packet(b"", element % 3000), 640, 427) == packet(b"", element % 427)


def test_thumbnails_go_with_all_that_is_in_them() -> None:
    thumbs = (
        b"<xmp:Thumbnails><rdf:Alt><rdf:li><xmpGImg:image>/9j/4AAQ</xmpGImg:image>"
        b"</rdf:li></rdf:Alt></xmp:Thumbnails>"
    )
    rest = b"<dc:title>A title</dc:title>"
    assert true_xmp(packet(b"", thumbs + rest), 9, 7) == packet(b"", rest)
    assert true_xmp(packet(b"", thumbs), 9, 7) is None  # nothing is left


def test_places_go_where_they_are_not_wanted() -> None:
    given = packet(
        b' exif:GPSLatitude="52,30N" dc:x="1"',
        b"<exif:GPSLongitude>13,24E</exif:GPSLongitude><exif:GPSAltitude/>t",
    )
    assert true_xmp(given, 9, 7) == given
    assert true_xmp(given, 9, 7, keeps_gps=False) == packet(b' dc:x="1"', b"t")
    assert true_xmp(given.decode().encode("utf-16"), 9, 7, keeps_gps=False) is None
    assert true_xmp(packet(b"", b"<exif:GPSLatitude>1"), 9, 7, keeps_gps=False) is None
    for place in (b'exif:GPSLatitude="52,30N"', b'photoshop:City="Berlin"'):
        hidden = packet(b' dc:title="a > b" ' + place)
        assert true_xmp(hidden, 9, 7, keeps_gps=False) is None


@pytest.mark.parametrize(
    "place",
    [
        b' drone-dji:GpsLatitude="+52.5" drone-dji:GpsLongtitude="+13.4"',
        b' drone-skydio:Longitude="13.4"',
        b' e:GPSLatitude="52,30N"',
        b' photoshop:City="Berlin" photoshop:Country="Germany" Iptc4xmpCore:Location="Mitte"',
    ],
)
def test_places_go_under_whatever_name(place: bytes) -> None:
    shown = b"<Iptc4xmpExt:LocationShown><rdf:Bag><rdf:li/></rdf:Bag></Iptc4xmpExt:LocationShown>"
    given = packet(place + b' dc:x="1" Iptc4xmpCore:CiAdrCity="K"', shown)
    kept = packet(b' dc:x="1" Iptc4xmpCore:CiAdrCity="K"')
    assert true_xmp(given, 9, 7) == given
    assert true_xmp(given, 9, 7, keeps_gps=False) == kept


def test_a_namespace_goes_under_any_prefix() -> None:
    given = packet(
        b' xmlns:q="' + packets.GAIN_MAP + b'" q:Version="1.0" dc:a="b"',
        b"<q:GainMapMax><rdf:Seq><rdf:li>1</rdf:li></rdf:Seq></q:GainMapMax>"
        b"<q:Gamma>1</q:Gamma><q:E/><qq:F/>",
    )
    assert without_namespaces(given, packets.GAIN_MAP) == packet(b' dc:a="b"', b"<qq:F/>")
    assert without_namespaces(packet(b' dc:a="b"'), packets.GAIN_MAP) == packet(b' dc:a="b"')
    alone = packet(b' xmlns:q="' + packets.GAIN_MAP + b'" q:Version="1.0"')
    assert without_namespaces(alone, packets.GAIN_MAP) is None


PIECES = [b"<", b"<a ", b">", b" ", b"a='b ", b'a="', b"<a a= ", b"xmlns:", b"tiff:ImageWidth= "]
PIECES += [b"<exif:GPSa>", b"<xmp:Thumbnails>", b"</xmp:Thumbnails>"]


@pytest.mark.parametrize("start", [b"<a", b"</a", b"<a:b", b"<a.-"])
def test_a_name_that_does_not_end_costs_little(start: bytes) -> None:
    begin = time.process_time()
    given = start + b"a" * 60_000
    assert true_xmp(given, 9, 7) == given
    true_xmp(given + b":" + given, 9, 7, keeps_gps=False)
    packets.is_empty(given)
    assert time.process_time() - begin < 2


@pytest.mark.parametrize("piece", PIECES)
def test_hostile_packets_cost_little(piece: Any) -> None:
    start = time.process_time()
    for given in (piece * 60_000, packet(piece * 60_000), packet(b"", piece * 60_000)):
        true_xmp(given, 9, 7, keeps_gps=False)
        packets.is_empty(given)
        without_namespaces(packet(b' xmlns:q="' + packets.GAIN_MAP + b'"', given), packets.GAIN_MAP)
    assert time.process_time() - start < 10
