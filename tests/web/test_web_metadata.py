"""The browser's encoder reads the metadata of JPEG, PNG and WebP files as Python does."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from latentpress.container import METADATA_TYPES
from latentpress.image.known_profiles import known_profile
from latentpress.image.metadata_chunks import decode_metadata
from latentpress.image.picture import read_picture
from latentpress.image.profiles import make_profile
from web.node_jobs import needs_node, run_jobs

# Pillow warns of damaged EXIF
pytestmark = [needs_node, pytest.mark.filterwarnings("ignore:Truncated File Read")]

XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about=""'
    b' xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    b' xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
    b' xmlns:GCamera="http://ns.google.com/photos/1.0/camera/"'
    b' tiff:Orientation="6" tiff:ImageWidth="9999" GCamera:MotionPhoto="1"'
    b' dc:title="a pier in the rain"><xmp:Thumbnails><rdf:Alt><rdf:li>AAAA</rdf:li></rdf:Alt>'
    b"</xmp:Thumbnails></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"
)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
WIDE = make_profile(
    "wide",
    (0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001, 0.3127, 0.329),
    (1.8, 1.0, 0.0, 0.0, 0.0),
)
GRAY = known_profile(4)


def exif(orientation: int, *, order: str = "<", thumbnail: bool = False) -> bytes:
    """An EXIF block with sizes, a camera and a place."""
    tags = Image.Exif()
    tags.endian = order
    tags[0x0112] = orientation
    tags[0x010F] = "a camera"
    tags[0x0100] = 4000
    tags.get_ifd(0x8769).update({0xA002: 4000, 0xA003: 3000, 0x9286: b"ASCII\0\0\0a comment"})
    tags.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 0.5)})
    block = tags.tobytes().removeprefix(b"Exif\0\0")
    if not thumbnail:
        return block
    # a second IFD with a JPEG thumbnail, behind the block
    little = block[:2] == b"II"
    byteorder = "little" if little else "big"
    first = int.from_bytes(block[4:8], byteorder)
    count = int.from_bytes(block[first : first + 2], byteorder)
    link = first + 2 + 12 * count
    start = len(block)
    rows = [(0x0201, 4, 1, start + 30), (0x0202, 4, 1, 50)]
    ifd = len(rows).to_bytes(2, byteorder)
    for tag, kind, amount, value in rows:
        ifd += tag.to_bytes(2, byteorder) + kind.to_bytes(2, byteorder)
        ifd += amount.to_bytes(4, byteorder) + value.to_bytes(4, byteorder)
    ifd += bytes(4)
    assert len(ifd) == 30
    return block[:link] + start.to_bytes(4, byteorder) + block[link + 4 :] + ifd + b"\xff" * 50


def cut_within_rows(block: bytes) -> bytes:
    """An EXIF block, little-endian, that ends within the last row of its first IFD."""
    first = int.from_bytes(block[4:8], "little")
    count = int.from_bytes(block[first : first + 2], "little")
    return block[: first + 2 + 12 * count - 1]


def as_text(block: bytes) -> PngImagePlugin.PngInfo:
    """EXIF as ImageMagick wrote it into PNG files before these had a chunk for it."""
    digits = (b"Exif\0\0" + block).hex()
    lines = [digits[i : i + 72] for i in range(0, len(digits), 72)]
    text = PngImagePlugin.PngInfo()
    head = ["", "exif", f"{len(digits) // 2:8}"]
    text.add_text("Raw profile type exif", "\n".join([*head, *lines, ""]), zip=True)
    return text


def with_segments(jpeg: bytes, *segments: tuple[int, bytes]) -> bytes:
    """A JPEG file with further segments in front: of each the marker's second byte, and the
    body.
    """
    added = b"".join(
        bytes([0xFF, marker]) + (2 + len(body)).to_bytes(2, "big") + body
        for marker, body in segments
    )
    return jpeg[:2] + added + jpeg[2:]


def cases(pixels: np.ndarray) -> dict[str, bytes]:
    """Picture files by their names."""
    rgb = Image.fromarray(pixels)
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "Grüße")
    text.add_text("parameters", "a pier, 50 steps", zip=True)
    text.add_itxt("Author", "何か", zip=True)
    text.add_text("Comment", "by hand")
    text.add_text("comment", "by a program")
    text.add_text("date:create", "2020")
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())

    def saved(image: Image.Image, form: str, **options: Any) -> bytes:
        out = io.BytesIO()
        image.save(out, form, **options)
        return out.getvalue()

    block = b"Exif\0\0"
    jpeg = saved(rgb, "JPEG")
    signed = PngImagePlugin.PngInfo()
    signed.add_text("Comment", "Created with GIMP")
    described = Image.Exif()
    described.update({0x0112: 6, 0x010E: "a pier" + " " * 70000 + "in the rain"})
    long = described.tobytes().removeprefix(block)
    inch, centimeter, square = Image.Exif(), Image.Exif(), Image.Exif()
    inch.update({0x011A: 240.0, 0x011B: 240.0, 0x0128: 2})
    centimeter.update({0x011A: 90.5, 0x011B: 90.5, 0x0128: 3})
    square.update({0x011A: 1.0, 0x011B: 1.0, 0x0128: 1})
    xmp = b"http://ns.adobe.com/xap/1.0/\0" + XMP
    return {
        "plain.jpg": saved(rgb, "JPEG"),
        "turned.jpg": saved(rgb, "JPEG", exif=block + exif(6), icc_profile=WIDE, dpi=(300, 200)),
        "big-endian.jpg": saved(rgb, "JPEG", exif=block + exif(3, order=">"), comment=b"a comment"),
        "comment.jpg": saved(rgb, "JPEG", comment="ein Gruß".encode()),
        "latin-comment.jpg": saved(rgb, "JPEG", comment="ein Gruß".encode("latin-1")),
        "thumbnail.jpg": saved(rgb, "JPEG", exif=block + exif(1, thumbnail=True), xmp=XMP),
        "by-xmp.jpg": saved(rgb, "JPEG", xmp=XMP, icc_profile=SRGB),
        "gray.jpg": saved(rgb.convert("L"), "JPEG", icc_profile=GRAY),
        "long-profile.jpg": saved(rgb, "JPEG", icc_profile=WIDE + bytes(range(256)) * 400),
        "all.png": saved(rgb, "PNG", exif=exif(8), icc_profile=WIDE, pnginfo=text, dpi=(144, 144)),
        "p3.png": saved(rgb, "PNG", icc_profile=known_profile(2)),
        "gray.png": saved(rgb.convert("L"), "PNG"),
        "all.webp": saved(
            rgb, "WEBP", lossless=True, exif=block + exif(5), icc_profile=WIDE, xmp=XMP
        ),
        "plain.webp": saved(rgb, "WEBP", lossless=True),
        "textual-exif.png": saved(rgb, "PNG", pnginfo=as_text(exif(6))),
        "both-exif.png": saved(rgb, "PNG", pnginfo=as_text(exif(6)), exif=exif(8)),
        "signed.png": saved(rgb, "PNG", pnginfo=signed),
        "signed.jpg": with_segments(jpeg, (0xFE, b"a pier"), (0xFE, b"Created with GIMP")),
        "two-exif.jpg": with_segments(
            jpeg, (0xE1, block + long[:65000]), (0xE1, block + long[65000:])
        ),
        "prefix-twice.jpg": with_segments(jpeg, (0xE1, 2 * block + exif(6))),
        "cut-exif.jpg": with_segments(jpeg, (0xE1, block + cut_within_rows(exif(6)))),
        "inch.jpg": saved(rgb, "JPEG", exif=inch),
        "centimeter.jpg": saved(rgb, "JPEG", exif=centimeter),
        "jfif-and-exif.jpg": saved(rgb, "JPEG", exif=inch, dpi=(150, 150)),
        "square.jpg": saved(rgb, "JPEG", exif=square),
        "usual-jfif-and-exif.jpg": saved(rgb, "JPEG", exif=inch, dpi=(72, 72)),
        "two-xmp.jpg": with_segments(jpeg, (0xE1, xmp), (0xE1, xmp.replace(b"a pier", b"fog"))),
    }


def plain(text: str | None) -> bytes | None:
    """The bytes of base64, None of nothing."""
    return None if text is None else base64.b64decode(text)


@pytest.fixture(scope="module")
def found(
    tmp_path_factory: pytest.TempPathFactory, photo: np.ndarray
) -> dict[str, tuple[bytes, dict[str, Any]]]:
    """Each file, and what Node found in it."""
    folder: Path = tmp_path_factory.mktemp("sources")
    files = cases(photo[:61, :83])
    jobs = []
    for name, data in files.items():
        (folder / name).write_bytes(data)
        picture = read_picture(data)
        size = {"width": picture.width, "height": picture.height}
        jobs.append({"file": str(folder / name), **size})
    answers = run_jobs("metadata_jobs.mjs", jobs)
    return {name: (files[name], answer) for name, answer in zip(files, answers, strict=True)}


NAMES = list(cases(np.zeros((8, 8, 3), np.uint8)))


@pytest.mark.parametrize("name", NAMES)
def test_metadata_is_what_python_takes_over(
    found: dict[str, tuple[bytes, dict[str, Any]]], name: str
) -> None:
    data, answer = found[name]
    picture = read_picture(data)
    assert plain(answer.get("icc")) == Image.open(io.BytesIO(data)).info.get("icc_profile")
    assert plain(answer.get("exif")) == picture.exif
    assert plain(answer.get("xmp")) == picture.xmp
    assert answer["orientation"] == picture.orientation


@pytest.mark.parametrize("name", NAMES)
def test_chunks_hold_what_pythons_hold(
    found: dict[str, tuple[bytes, dict[str, Any]]], name: str
) -> None:
    data, answer = found[name]
    picture = read_picture(data)
    names = {number: name for name, number in METADATA_TYPES.items()}
    bodies = {names[number]: base64.b64decode(body) for number, body in answer["chunks"]}
    chunks = decode_metadata(bodies)
    profiles = {"by-xmp.jpg": known_profile(1), "p3.png": known_profile(2), "gray.jpg": GRAY}
    assert chunks.icc == profiles.get(name, Image.open(io.BytesIO(data)).info.get("icc_profile"))
    assert dict(chunks.text) == dict(picture.text)
    stored = (
        picture.density if picture.orientation < 5 else picture.density and picture.density[::-1]
    )
    assert chunks.density == (stored and pytest.approx(stored, abs=0.001))


@pytest.mark.parametrize("name", NAMES)
def test_the_bare_file_has_the_same_samples_and_nothing_else(
    found: dict[str, tuple[bytes, dict[str, Any]]], name: str
) -> None:
    data, answer = found[name]
    bare = Image.open(io.BytesIO(base64.b64decode(answer["bare"])))
    stored = Image.open(io.BytesIO(data))
    assert bare.mode == stored.mode
    assert np.array_equal(np.asarray(bare), np.asarray(stored))
    assert not {"icc_profile", "exif", "xmp"} & set(bare.info)
    assert bare.getexif().get(0x0112, 1) == 1
