"""One .tar shard -> another, its pictures changed and all else kept, a member at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from latentpress.collection.members import KEPT, LEFT_OUT, Change, pressed
from latentpress.collection.unit import Row
from latentpress.errors import ImageError
from latentpress.system.members import check_size, leads_out
from latentpress.system.tars import BLOCK, END, TarReader, header
from latentpress.system.tars import Member as TarMember


def change_shard(source: BinaryIO, output: BinaryIO, change: Change) -> Iterator[Row]:
    """Write the shard that `source` becomes, and tell of each picture in it, and of each member
    that is not taken over, as they come.

    Order, owners, permissions and times stay, so that the members of a sample stay together and
    the same shard gives the same bytes. A picture that fails is kept as it is. Left out are links,
    devices and pipes, names that lead out of a folder, and a second member of one name.

    Args:
        source: a .tar file at its beginning.
        output: where to write; only written to.
        change: what is done.

    Raises:
        FormatError: the shard is damaged or cut off; then `output` is not whole.
        ImageError: it cannot be read.
    """
    reader = TarReader(source)
    taken: set[str] = set()
    for member in reader:
        problem = _problem(member, taken)
        if problem:
            yield change.failed(member.name, member.size, f"{problem}; {LEFT_OUT}")
            continue
        name = change.renamed(member.name) if member.is_file else None
        if name is not None:
            yield _picture(reader, member, name, output, change, taken)
        else:
            taken.add(member.name)
            _copy(reader, member, output)
    output.write(END)


def _problem(member: TarMember, taken: set[str]) -> str:
    """Why a member is left out, "" where it is not."""
    if not member.name and not member.is_file:  # attributes for all
        return ""
    if leads_out(member.name):
        return "the name leads out of the archive"
    if member.is_special:
        return "a link, a device or a pipe"
    if member.is_file and member.name in taken:
        return "another member of this name, or one that took it, comes before"
    return ""


def _picture(
    reader: TarReader,
    member: TarMember,
    name: str,
    output: BinaryIO,
    change: Change,
    taken: set[str],
) -> Row:
    """Write a picture under its new name, or as it is where that cannot be."""
    data = new = None
    if name in taken:
        row = change.failed(member.name, member.size, f"{name} is another member's name; {KEPT}")
    else:
        try:
            check_size(member.size)
        except ImageError as error:
            row = change.failed(member.name, member.size, f"{error}; {KEPT}")
        else:
            data = reader.read(member)  # where it cannot be read, nor can the shard
            new, row = pressed(change, member.name, name, data)
    if new is None:
        taken.add(member.name)
        _copy(reader, member, output, data)
    else:
        taken.add(name)
        output.write(header(member, name, len(new)) + new + bytes(-len(new) % BLOCK))
    return row


def _copy(
    reader: TarReader, member: TarMember, output: BinaryIO, data: bytes | None = None
) -> None:
    output.write(member.head)
    if data is not None:
        output.write(data)
    else:
        for block in reader.blocks():
            output.write(block)
    output.write(bytes(member.padding))
