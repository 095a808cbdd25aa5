"""External programs as codecs: templates, no shell, failures with the program's own words; folders
of decoded pictures.
"""

import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from latentpress.bench.external import External
from latentpress.bench.precomputed import Pictures, find_picture
from latentpress.errors import ImageError, UsageError

CODER = """
import sys
from PIL import Image
source, target, quality = sys.argv[1], sys.argv[2], sys.argv[3:]
if quality and quality[0] == '13':
    sys.exit('no such quality: 13')
form = 'JPEG' if quality else 'PNG'
Image.open(source).save(target, form, **({'quality': int(quality[0])} if quality else {}))
"""


@pytest.fixture
def template(tmp_path: Path) -> Any:
    script = tmp_path / "a coder; touch hacked.py"  # the name would hurt if a shell read it
    script.write_text(CODER)
    command = f"{shlex.quote(sys.executable)} {shlex.quote(str(script))}"
    return f"mine:{command} {{in}} {{out}} {{q}}:{command} {{out}} {{png}}"


def test_a_program_compresses_and_decompresses(
    template: Any, photo: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    codec = External.of(template)
    assert (codec.name, codec.suffix, codec.setting(35.0)) == ("mine", ".bin", "q35")
    small, large = codec.encode(photo, 10), codec.encode(photo, 90)
    assert small[:2] == b"\xff\xd8"
    assert len(small) < len(large)
    assert codec.decode(large).shape == photo.shape
    assert not (tmp_path / "hacked.py").exists()


def test_a_suffix_after_out_is_the_files_own(template: Any, photo: NDArray[np.uint8]) -> None:
    codec = External.of(template.replace("{out}", "{out}.jpg"))
    assert codec.suffix == ".jpg"
    assert codec.decode(codec.encode(photo, 50)).shape == photo.shape


def test_large_qualities_keep_their_digits(photo: NDArray[np.uint8], tmp_path: Path) -> None:
    """A quality may be a size in bytes or a rate in bits."""
    script = tmp_path / "echo.py"
    script.write_text("import sys; open(sys.argv[2], 'w').write(sys.argv[3])")
    command = f"{shlex.quote(sys.executable)} {shlex.quote(str(script))}"
    codec = External.of(f"x:{command} {{in}} {{out}} {{q}}:dec {{out}} {{png}}")
    for quality, text in ((1_000_000.0, b"1000000"), (1_234_567.0, b"1234567"), (0.1, b"0.1")):
        assert codec.encode(photo[:8, :8], quality) == text
        assert codec.setting(quality) == f"q{text.decode()}"


def test_a_template_without_quality_has_one_setting() -> None:
    assert External.of("x:enc {in} {out}:dec {out} {png}").setting(0) == "default"


def test_a_backslash_is_a_letter_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    template = r"x:C:\bin\enc {in} {out} {q}:C:\bin\dec {out} {png}"
    assert External.of(template).encoder[0] == "C:binenc"
    monkeypatch.setattr(sys, "platform", "win32")
    codec = External.of(template)
    assert (codec.encoder[0], codec.decoder[0]) == (r"C:\bin\enc", r"C:\bin\dec")


def test_windows_paths_hold_colons() -> None:
    codec = External.of(r"x:'C:\enc' {in} {out} {q}:'C:\dec' {out} {png}")
    assert (codec.encoder[0], codec.decoder[0]) == (r"C:\enc", r"C:\dec")


@pytest.mark.parametrize(
    "template",
    [
        "x",
        "x:enc {in} {out}",
        "x:enc {in}:dec {out} {png}",
        "x:enc {in} {out}:dec {png}",
        "x:enc {in} {out} {q}:dec {out} {png} {q}",
        "x:enc {in} {out}:dec {in} {out} {png}",
        "a/b:enc {in} {out}:dec {out} {png}",
        ":enc {in} {out}:dec {out} {png}",
        "x:enc '{in} {out}:dec {out} {png}",
    ],
)
def test_a_template_of_another_form_is_told(template: Any) -> None:
    with pytest.raises(UsageError, match="--external"):
        External.of(template)


def test_a_program_that_fails_is_told_in_its_own_words(
    template: Any, photo: NDArray[np.uint8]
) -> None:
    with pytest.raises(ImageError, match="exit code 1: no such quality: 13"):
        External.of(template).encode(photo, 13)
    with pytest.raises(ImageError, match="cannot be started"):
        External.of("x:no-such-program-anywhere {in} {out}:dec {out} {png}").encode(photo, 0)
    quiet = f"x:{shlex.quote(sys.executable)} -c pass {{in}} {{out}}:dec {{out}} {{png}}"
    with pytest.raises(ImageError, match="wrote no out"):
        External.of(quiet).encode(photo, 0)


def test_folders_of_decoded_pictures(tmp_path: Path, small: NDArray[np.uint8]) -> None:
    for name, shift in (("low", 9), ("high", 3)):
        (tmp_path / name).mkdir()
        Image.fromarray(np.minimum(small, 255 - shift) + np.uint8(shift)).save(
            tmp_path / name / "a.png"
        )
        (tmp_path / name / "sizes.csv").write_text(f"file,bytes\na.bin,{1000 // shift}\n")
    codec = Pictures.of("hific", tmp_path)
    assert [codec.setting(quality) for quality in codec.qualities(8)] == ["high", "low"]
    assert [codec.size(quality, "a") for quality in codec.qualities(8)] == [333, 111]
    assert codec.pixels(0, "a").shape == small.shape
    with pytest.raises(ImageError, match="b must be listed once"):
        codec.size(0, "b")
    with pytest.raises(ImageError, match="no decoded picture b"):
        codec.pixels(0, "b")
    single = Pictures.of("one", tmp_path / "low")
    assert [single.setting(quality) for quality in single.qualities(8)] == ["low"]
    assert find_picture(tmp_path / "low", "low", "a").name == "a.png"


def test_a_folder_without_sizes_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"needs sizes\.csv"):
        Pictures.of("x", tmp_path)
    (tmp_path / "sizes.csv").write_text("name,size\na,1\n")
    with pytest.raises(ImageError, match="columns file and bytes"):
        Pictures.of("x", tmp_path).size(0, "a")
