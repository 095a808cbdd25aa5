"""Processes of this machine, as /proc tells of them."""

from pathlib import Path

HAS_PROC = Path("/proc/self/cmdline").exists()


def command_lines() -> dict[int, str]:
    """The command line of each process."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found[int(folder.name)] = (
                (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            )
        except OSError:
            continue
    return found


def processes_with(word: str) -> list[str]:
    """Command lines that hold a word."""
    return [line for line in command_lines().values() if word in line]


def ray_workers(folder: str) -> list[int]:
    """Workers in the middle of a task, of the Ray cluster that keeps its files in a folder."""
    lines = command_lines()
    raylets = {process for process, line in lines.items() if folder in line and "raylet" in line}
    return [
        process
        for process, line in lines.items()
        if line.startswith("ray::work") and _parent(process) in raylets
    ]


def _parent(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
