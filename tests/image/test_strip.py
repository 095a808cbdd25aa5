"""What of a picture's metadata is taken over, what is told, what strict refuses, and what strip
leaves out in silence.
"""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

import latentpress.pillow
from helpers.exif_blocks import PLACE, THUMBNAIL, camera_block
from helpers.paths import DATA
from helpers.pictures import read, saved, whole
from latentpress.assessment import assess
from latentpress.errors import ConversionError, UsageError
from latentpress.image.formats import write_image
from latentpress.image.known_profiles import (
    ADOBE_RGB,
    DISPLAY_P3,
    GRAY_GAMMA_22,
    SRGB,
    known_profile,
)
from latentpress.image.picture import read_picture
from latentpress.options import STRIPPABLE, EncodeOptions

RNG = np.random.default_rng(7)
RGB = np.kron(RNG.integers(0, 256, (3, 4, 3), dtype=np.uint8), np.ones((16, 16, 1), np.uint8))
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="r"><rdf:Description %s/>'
    b"</rdf:RDF></x:xmpmeta>"
)
TEXTS = {
    "parameters": "a cat\nSteps: 20, Seed: 1",
    "workflow": '{"nodes": []}',
    "Titel": "Grüße",
    "Author": "名前",
}


def with_texts(image: Image.Image, texts: dict[str, str], **options: Any) -> bytes:
    chunks = PngImagePlugin.PngInfo()
    for i, (key, value) in enumerate(texts.items()):
        chunks.add_text(key, value, zip=i % 2 == 1)
    return bytes(saved(image, "PNG", pnginfo=chunks, **options))


def ultra_hdr(xmp: bytes | None = None, *, iso: bool = False) -> bytes:
    """A JPEG with a gain map behind it, as Android phones write it: MPF index (CIPA DC-007), hdrgm
    XMP, the map's own JPEG.
    """
    tagged = XMP % b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"'
    gain = bytes(saved(Image.new("L", (12, 8), 90), "JPEG", xmp=tagged))
    base = bytes(saved(Image.fromarray(RGB), "JPEG", quality=95))
    if xmp is None:
        xmp = tagged
    segments = b""
    if xmp:
        segments = (
            b"\xff\xe1"
            + struct.pack(">H", 2 + 29 + len(xmp))
            + b"http://ns.adobe.com/xap/1.0/\0"
            + xmp
        )
    if iso:
        segments += (
            b"\xff\xe2" + struct.pack(">H", 2 + 32) + b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4)
        )
    start = 2 + len(segments) + 4 + 4  # of the index, where offsets count from
    size = 8 + 2 + 36 + 4 + 32
    total = len(base) + len(segments) + 8 + size
    index = b"II*\0\x08\0\0\0" + struct.pack("<H", 3)
    index += struct.pack("<HHI4s", 0xB000, 7, 4, b"0100") + struct.pack("<HHII", 0xB001, 4, 1, 2)
    index += struct.pack("<HHIII", 0xB002, 7, 32, 50, 0)
    index += struct.pack("<IIIHH", 0x030000, total, 0, 0, 0) + struct.pack(
        "<IIIHH", 0, len(gain), total - start, 0, 0
    )
    mpf = b"\xff\xe2" + struct.pack(">H", 2 + 4 + len(index)) + b"MPF\0" + index
    assert len(index) == size
    return base[:2] + segments + mpf + base[2:] + gain


# ---- strip


def everything() -> Image.Image:
    image = Image.fromarray(RGB)
    image.info = {
        "exif": b"Exif\0\0" + camera_block(6),
        "xmp": XMP % b'exif:GPSLatitude="1" dc:title="t"',
        "dpi": (300, 150),
        **TEXTS,
    }
    image.info["icc_profile"] = known_profile(SRGB)
    return image


def test_by_default_all_is_kept_but_the_thumbnail() -> None:
    picture = read_picture(everything(), strict=True)
    assert picture.exif is not None
    assert PLACE in picture.exif
    assert THUMBNAIL[:50] not in picture.exif
    assert picture.xmp == everything().info["xmp"]
    assert picture.icc == known_profile(SRGB)
    assert dict(picture.text) == TEXTS
    assert picture.density == (150, 300)  # it was turned
    assert picture.notices == ()


@pytest.mark.parametrize("name", [*STRIPPABLE, "all"])
def test_each_name_strips_its_own(name: str) -> None:
    picture = read_picture(everything(), strict=True, strip=[name])
    gone = {*STRIPPABLE} if name == "all" else {name}
    assert (picture.exif is None) == ("exif" in gone)
    assert (picture.xmp is None) == ("xmp" in gone)
    assert (picture.icc is None) == ("icc" in gone)
    assert (picture.text == ()) == ("text" in gone)
    assert (picture.density is None) == ("dpi" in gone)
    if "exif" not in gone:
        assert (PLACE in (picture.exif or b"")) == ("gps" not in gone)
        assert (b"GPS" in (picture.xmp or b"GPS")) == ("gps" not in gone)
    # the orientation is applied whatever is stripped
    assert (picture.width, picture.height) == (48, 64)
    assert picture.notices == ()


def test_strip_is_an_option_everywhere(tmp_path: Path) -> None:
    from latentpress import targets

    assert (
        EncodeOptions(strip="gps, exif").strip
        == EncodeOptions(strip=["exif", "gps"]).strip
        == EncodeOptions(strip=(name for name in ("gps", "exif"))).strip  # type: ignore[arg-type]
        == ("exif", "gps")
    )
    assert EncodeOptions(strip="all").strip == STRIPPABLE
    assert EncodeOptions(strip="").strip == ()
    for wrong in ("exfi", ["exif", "nothing"], None):
        with pytest.raises(UsageError, match="exif, xmp, icc"):
            EncodeOptions(strip=wrong)
    plain = latentpress.compress(RGB.transpose(1, 0, 2)[:, ::-1], quality=20)
    assert latentpress.compress(everything(), quality=20, strip="all") == plain
    everything().save(tmp_path / "a.ltp", quality=20, strip=["all"])
    assert (tmp_path / "a.ltp").read_bytes() == plain
    assert not latentpress.read_header(
        targets.to_size(everything(), 3000, options=EncodeOptions(strip="all"))
    ).metadata


def test_a_profile_that_is_stripped_is_used_up() -> None:
    for number in (DISPLAY_P3, ADOBE_RGB):
        image = Image.fromarray(RGB)
        image.info["icc_profile"] = known_profile(number)
        picture = read_picture(image, strip="icc", strict=True)
        assert picture.icc is None
        assert picture.notices == (
            "colors were converted to sRGB, for the ICC profile is left out",
        )
        profile = ImageCms.ImageCmsProfile(io.BytesIO(known_profile(number)))
        expected = ImageCms.profileToProfile(
            Image.fromarray(RGB), profile, ImageCms.createProfile("sRGB"), renderingIntent=1
        )
        assert np.abs(whole(picture).astype(int) - np.asarray(expected)).max() <= 1
    gray = Image.fromarray(RGB[..., 0])
    gray.putalpha(Image.fromarray(RGB[..., 1]))
    gray.info["icc_profile"] = known_profile(GRAY_GAMMA_22)
    picture = read_picture(gray, strip="icc")
    assert picture.gray
    assert np.array_equal(picture.alpha, RGB[..., 1])
    assert len(picture.notices) == 1
    for harmless in (known_profile(SRGB), b"not a real profile"):
        image = Image.fromarray(RGB)
        image.info["icc_profile"] = harmless
        picture = read_picture(image, strip="icc")
        assert np.array_equal(whole(picture), RGB)
        assert picture.notices == ()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("turns", [False, True])
def test_exif_that_was_taken_out_of_info_stays_out(form: str, turns: bool) -> None:
    data = saved(Image.fromarray(RGB), form, exif=b"Exif\0\0" + camera_block(6))
    with Image.open(io.BytesIO(data)) as image:
        if turns:
            image = ImageOps.exif_transpose(image)  # which reads all of it
        assert PLACE in (read_picture(image).exif or b"")
        del image.info["exif"]
        picture = read_picture(image)
    assert picture.exif is None
    assert picture.stored.size == image.size
    assert picture.orientation == 1


# ---- text and density


def test_texts_of_info_count_before_those_of_the_file(tmp_path: Path) -> None:
    chunks = PngImagePlugin.PngInfo()
    for key in ("Title", "parameters", "quality"):
        chunks.add_text(key, "before")
    chunks.add_itxt("XML:com.adobe.xmp", (XMP % b"").decode())
    Image.fromarray(RGB).save(tmp_path / "a.png", pnginfo=chunks)
    with Image.open(tmp_path / "a.png") as image:
        image.save(tmp_path / "a.ltp")
    for name in ("a.png", "a.ltp"):
        with Image.open(tmp_path / name) as image:
            image.load()
            image.info["Title"] = "now"
            del image.info["parameters"], image.info["xmp"]
            picture = read_picture(image)
        assert dict(picture.text) == {"Title": "now", "quality": "before"}
        assert picture.xmp is None


def test_texts_and_density_go_through_a_file_and_back_into_png(tmp_path: Path) -> None:
    tools = {
        "date:create": "2026-01-01",
        "Raw profile type xmp": "x",
        "Thumb::URI": "file:///a",
        "exif:Make": "b",
    }
    (tmp_path / "a.png").write_bytes(
        with_texts(Image.fromarray(RGB), TEXTS | tools, dpi=(300, 150))
    )
    data = latentpress.compress(tmp_path / "a.png", quality=30, strict=True)
    assert latentpress.read_header(data).metadata.keys() == {"text", "dpi"}
    decoded = latentpress.decompress(data)
    assert {key: decoded.info[key] for key in TEXTS} == TEXTS
    assert not {*tools} & {*decoded.info}
    assert write_image(decoded, tmp_path / "b.png") == ()
    with Image.open(tmp_path / "b.png") as back:
        assert back.info["dpi"] == pytest.approx((300, 150), abs=0.02)
        assert back.text == TEXTS
    assert read_picture(tmp_path / "b.png").text == read_picture(tmp_path / "a.png").text
    (tmp_path / "a.ltp").write_bytes(data)
    with Image.open(tmp_path / "a.ltp") as opened:
        assert {key: opened.info[key] for key in TEXTS} == TEXTS
        assert opened.info["dpi"] == pytest.approx((300, 150), abs=0.02)
    [notice] = write_image(decoded, tmp_path / "b.webp")
    assert notice.startswith("text left out (parameters, workflow, Titel, Author)")


def test_a_keyword_in_lower_case_is_another_keyword(tmp_path: Path) -> None:
    """PNG's are compared with regard to case, so that "comment" is not "Comment"."""
    lower = {"comment": "by ffmpeg"}
    for texts in (lower, {"Comment": "by hand", **lower}):
        (tmp_path / "a.png").write_bytes(with_texts(Image.fromarray(RGB), texts))
        decoded = latentpress.decompress(latentpress.compress(tmp_path / "a.png"))
        assert write_image(decoded, tmp_path / "b.png", overwrite=True) == ()
        with Image.open(tmp_path / "b.png") as back:
            assert back.text == texts
    left = write_image(decoded, tmp_path / "b.jpg")
    assert left == ("text left out (comment): only .png files hold it",)
    assert read_picture(tmp_path / "b.jpg").text == (("Comment", "by hand"),)
    del decoded.info["Comment"]
    assert write_image(decoded, tmp_path / "b.jpg", overwrite=True) == ()
    assert read_picture(tmp_path / "b.jpg").text == (("Comment", "by ffmpeg"),)
    decoded.info["comment"] = "a" * 65534
    left = write_image(decoded, tmp_path / "b.jpg", overwrite=True)
    assert left == ("text left out (comment): only .png files hold it",)
    assert read_picture(tmp_path / "b.jpg").text == ()


@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".bmp", ".png"])
def test_density_is_written(tmp_path: Path, suffix: str) -> None:
    image = Image.fromarray(RGB)
    image.info["dpi"] = (300, 150)
    assert write_image(image, tmp_path / f"a{suffix}") == ()
    assert read_picture(tmp_path / f"a{suffix}").density == pytest.approx((300, 150), abs=0.02)


@pytest.mark.parametrize("suffix", [".tif", ".jpg"])
def test_a_file_that_tells_no_density_has_none(tmp_path: Path, suffix: str) -> None:
    square = Image.Exif()
    square.update({0x011A: 1.0, 0x011B: 1.0, 0x0128: 1, 0x010F: "a camera"})  # no unit
    Image.fromarray(RGB).save(tmp_path / f"a{suffix}", **{".jpg": {"exif": square}}.get(suffix, {}))
    assert read_picture(tmp_path / f"a{suffix}").density is None


def test_comments_are_kept_and_signatures_of_encoders_dropped_and_neither_is_told(
    tmp_path: Path,
) -> None:
    for comment, text in (
        (b"our cat", (("Comment", "our cat"),)),
        ("Grüße".encode(), (("Comment", "Grüße"),)),
        ("Grüße".encode("latin-1"), (("Comment", "Grüße"),)),
        (b"CREATOR: gd-jpeg v1.0", ()),
        (b"Lavc58.54.100", ()),
    ):
        picture = read(tmp_path, saved(Image.fromarray(RGB), "JPEG", comment=comment), strict=True)
        assert (picture.text, picture.notices) == (text, ())
    image = Image.fromarray(RGB)
    image.info["Comment"] = "unsere Grüße"
    assert write_image(image, tmp_path / "a.jpg") == ()
    assert read_picture(tmp_path / "a.jpg").text == (("Comment", "unsere Grüße"),)
    image.info["Comment"] = "a" * 65534
    assert write_image(image, tmp_path / "a.jpg", overwrite=True) == (
        "text left out (Comment): only .png files hold it",
    )
    image.info["Comment"] = "a" * 65533
    assert write_image(image, tmp_path / "a.jpg", overwrite=True) == ()
    assert write_image(image, tmp_path / "a.tif") == (
        "text left out (Comment): .png and .jpg files hold it",
    )
    gif = read(
        tmp_path, saved(Image.fromarray(RGB).quantize(9), "GIF", comment=b"GIF's"), strict=True
    )
    assert gif.text == (("Comment", "GIF's"),)
    picture = read(
        tmp_path,
        saved(Image.fromarray(RGB), "JPEG2000", comment="Created by OpenJPEG version 2.5.4"),
        strict=True,
    )
    assert picture.text == picture.notices == ()


def test_no_text_takes_the_place_of_what_pillow_means_by_a_name() -> None:
    from latentpress import container
    from latentpress.image.deflated import deflate
    from latentpress.image.text import pack_text

    header, chunks = container.unpack(latentpress.compress(RGB, quality=10))
    texts = tuple(
        (key, "x") for key in ("exif", "icc_profile", "transparency", "gamma", "dpi", "Title")
    )
    chunks[container.TEXT] = deflate(pack_text(texts))
    data = container.pack(
        header.latent_space,
        bytes.fromhex(header.model_hash),
        header.width,
        header.height,
        header.quality,
        chunks,
    )
    assert latentpress.decompress(data).info == {"Title": "x"}


def test_texts_beyond_the_limit_are_told(tmp_path: Path) -> None:
    image = Image.fromarray(RGB)
    image.info["prompt"] = "a" * (1 << 22)
    assert read_picture(image).notices == ("texts of more than 4,194,304 bytes was dropped",)
    assert read_picture(image, strip="text", strict=True).notices == ()


# ---- gain maps, videos, long XMP


@pytest.mark.parametrize("iso", [False, True])
def test_a_gain_map_is_told_and_its_names_go(tmp_path: Path, iso: bool) -> None:
    data = ultra_hdr(b"" if iso else None, iso=iso)
    picture = read(tmp_path, data)
    assert picture.notices == ("the HDR gain map was dropped",)
    assert picture.xmp is None
    with pytest.raises(
        ConversionError, match=r"the HDR gain map was dropped, which strict forbids"
    ):
        read_picture(tmp_path / "a.img", strict=True)
    picture = read_picture(tmp_path / "a.img", strict=True, strip="gainmap")
    assert (picture.notices, picture.xmp) == ((), None)
    assert assess(data, data, "mse") == {"mse": 0.0}


def test_a_container_of_other_pictures_is_told_and_its_directory_goes(tmp_path: Path) -> None:
    names = b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"'
    names += b' xmlns:Container="http://ns.google.com/photos/1.0/container/"'
    names += b' xmlns:Item="http://ns.google.com/photos/1.0/container/item/"'
    names += b' dc:title="kept" hdrgm:Version="1.0">'
    semantics = (b"Primary", b"GainMap", b"Depth")
    items = b"".join(
        b'<rdf:li><Container:Item Item:Semantic="%s" Item:Length="9"/></rdf:li>' % s
        for s in semantics
    )
    body = (
        names
        + b"<Container:Directory><rdf:Seq>"
        + items
        + b"</rdf:Seq></Container:Directory></rdf:Description"
    )
    xmp = (XMP % b"@").replace(b"@/", body)
    picture = read(tmp_path, ultra_hdr(xmp))
    assert picture.notices == ("the HDR gain map and the pictures beside this one were dropped",)
    assert picture.xmp == (XMP % b'dc:title="kept"').replace(
        b"/></rdf:RDF", b"></rdf:Description></rdf:RDF"
    )
    assert read(tmp_path, ultra_hdr(xmp), strip="gainmap", strict=True).notices == ()


def test_a_motion_video_and_a_long_xmp_are_told_and_their_names_go(tmp_path: Path) -> None:
    motion = (
        XMP % b'xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" GCamera:MotionPhoto="1" '
        b'GCamera:BurstID="b"'
    )
    picture = read(tmp_path, saved(Image.fromarray(RGB), "JPEG", xmp=motion))
    assert picture.notices == ("the motion photo's video was dropped",)
    assert picture.xmp == motion.replace(b' GCamera:MotionPhoto="1"', b"")
    with pytest.raises(ConversionError, match="video"):
        read_picture(tmp_path / "a.img", strict=True)
    long = XMP % b'xmlns:xmpNote="n" xmpNote:HasExtendedXMP="0123" dc:title="t"'
    picture = read(tmp_path, saved(Image.fromarray(RGB), "JPEG", xmp=long))
    assert picture.notices == ("the extended part of XMP was dropped",)
    assert b"HasExtended" not in (picture.xmp or b"")
    assert read_picture(tmp_path / "a.img", strict=True, strip="xmp").notices == ()


def test_what_speaks_of_a_gain_map_in_a_file_without_one_goes_in_silence(tmp_path: Path) -> None:
    tagged = XMP % b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"'
    picture = read(tmp_path, saved(Image.fromarray(RGB), "WEBP", xmp=tagged), strict=True)
    assert (picture.xmp, picture.notices) == (None, ())


def test_a_gain_map_of_an_avif_or_heic_file_is_told(tmp_path: Path) -> None:
    avif = bytes(saved(Image.fromarray(RGB), "AVIF"))
    assert read(tmp_path, avif, strict=True).notices == ()
    assert avif[24:28] == b"miaf"  # a brand
    branded = avif[:24] + b"tmap" + avif[28:]  # libavif opens no file with the brand alone
    for start, notices in ((branded, ("the HDR gain map was dropped",)), (avif[:3], ())):
        with Image.open(io.BytesIO(avif)) as image:
            image.fp = io.BytesIO(start)
            assert read_picture(image).notices == notices
    with Image.open(tmp_path / "a.img") as image:
        image.load()
        (tmp_path / "a.img").write_bytes(branded)
        with pytest.raises(ConversionError, match="gain map"):
            read_picture(image, strict=True)
    heic = Image.fromarray(RGB)  # as pillow-heif gives it
    heic.info["aux"] = {"urn:com:apple:photo:2020:aux:hdrgainmap": [7]}
    assert read_picture(heic).notices == ("the HDR gain map was dropped",)
    assert read_picture(heic, strip="gainmap", strict=True).notices == ()


def psd(resources: dict[int, bytes]) -> bytes:
    """A flat PSD file of 4 x 3 pixels with image resources of even length."""
    blocks = b"".join(
        struct.pack(">4sHHI", b"8BIM", number, 0, len(body)) + body
        for number, body in resources.items()
    )
    head = struct.pack(">4sH6xHIIHHII", b"8BPS", 1, 3, 3, 4, 8, 3, 0, len(blocks))
    return head + blocks + bytes(6) + bytes(36)


def test_exif_and_xmp_of_photoshop_are_kept(tmp_path: Path) -> None:
    block, xmp = camera_block(1), XMP % b'dc:title="ti"'
    even = {0x0422: block + bytes(len(block) % 2), 0x0424: xmp + b" " * (len(xmp) % 2)}
    picture = read(tmp_path, psd(even))
    assert PLACE in (picture.exif or b"")
    assert THUMBNAIL[:50] not in (picture.exif or b"")
    assert (picture.xmp or b"").rstrip() == xmp


def test_exif_that_cannot_be_read_is_told_and_the_picture_taken(tmp_path: Path) -> None:
    """A text chunk of ImageMagick's that holds no numbers; a TIFF tag of another type than its."""
    image = Image.fromarray(RGB)
    tiff = saved(image, "TIFF", tiffinfo={0x8825: {1: "N"}})
    other_type = tiff.replace(struct.pack("<HHI", 1, 2, 2), struct.pack("<HHI", 1, 3, 2))
    for data in (with_texts(image, {"Raw profile type exif": "\nexif\n 1\nnone"}), other_type):
        picture = read(tmp_path, data)
        assert (picture.exif, picture.notices) == (None, ("EXIF that cannot be read was dropped",))
        with pytest.raises(ConversionError, match="EXIF that cannot be read"):
            read_picture(tmp_path / "a.img", strict=True)
        assert read_picture(tmp_path / "a.img", strict=True, strip="exif").notices == ()


def test_iptc_data_is_told(tmp_path: Path) -> None:
    block = b"8BIM\x04\x04\0\0" + struct.pack(">I", 12) + b"\x1c\x02\x05\0\x07a title"
    data = bytes(saved(Image.fromarray(RGB), "JPEG"))
    segment = b"Photoshop 3.0\0" + block
    picture = read(
        tmp_path, data[:2] + b"\xff\xed" + struct.pack(">H", 2 + len(segment)) + segment + data[2:]
    )
    assert picture.notices == ("IPTC data was dropped",)
    with pytest.raises(ConversionError, match="IPTC"):
        read_picture(tmp_path / "a.img", strict=True)
    assert read_picture(tmp_path / "a.img", strict=True, strip="iptc").notices == ()
    image = Image.fromarray(RGB)
    for other in (
        saved(image, "TIFF", tiffinfo={0x83BB: block}),
        saved(image, "TIFF", tiffinfo={0x8649: block}),
        psd({0x0404: block[12:]}),
        with_texts(image, {"Raw profile type iptc": "\niptc\n 2\n00"}),
    ):
        assert read(tmp_path, other).notices == ("IPTC data was dropped",)


# ---- the reported files


CASES = DATA.parent / "cases"
needs_cases = pytest.mark.skipif(
    not (CASES / "camera.jpg").exists(), reason=f"no reported files in {CASES}"
)


@needs_cases
def test_the_reported_photograph_is_a_third_of_what_it_was() -> None:
    data = latentpress.compress(CASES / "camera.jpg", quality=15, strict=True)
    assert len(data) < 7000  # 20.8 kB with its thumbnail
    assert sum(latentpress.read_header(data).metadata.values()) < 100


@needs_cases
def test_the_reported_files_are_refused_for_what_is_lost_alone() -> None:
    assert read_picture(CASES / "jp2.jp2", strict=True).notices == ()
    assert read_picture(CASES / "ultrahdr.jpg").notices == ("the HDR gain map was dropped",)
    assert read_picture(CASES / "ultrahdr.jpg").xmp is None
    with pytest.raises(ConversionError, match="gain map"):
        read_picture(CASES / "ultrahdr.jpg", strict=True)
