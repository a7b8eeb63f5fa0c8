"""Files that are either complete or absent under their final name, and their checksums."""

from __future__ import annotations

import contextlib
import fcntl
import filecmp
import glob
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from pga.runtime.errors import UserError


@contextlib.contextmanager
def atomic(path: str | os.PathLike[str], mode: str = "wb") -> Iterator[IO[Any]]:
    """Open a temporary file beside `path`; flush, fsync and rename it onto `path` when the block ends well.

    A file that holds the same bytes already is left alone, its time of change too: what depends on it is not made again.
    When the block raises, the temporary file is removed and whatever stood at `path` stays untouched. What killed processes left of earlier
    attempts at `path` is removed as well.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path)
        handle, temporary = locked(path)
        with os.fdopen(handle, mode, encoding=None if "b" in mode else "utf-8", newline=None if "b" in mode else "") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path.is_file() and filecmp.cmp(temporary, path, shallow=False):
            return
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp makes files that only their owner can read
        os.replace(temporary, path)
        temporary = None
        sync_folder(path.parent)
    except OSError as error:  # numpy's, on a full disk, have no number
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def locked(path: Path) -> tuple[int, str]:
    """A new temporary file beside `path`, locked for as long as it is open, so that `sweep` knows it from what was left behind."""
    while True:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        with contextlib.suppress(OSError):  # some network file systems know no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.path.exists(temporary):  # no other process swept it away before it was locked
            return handle, temporary
        os.close(handle)


def sweep(path: Path) -> None:
    """Remove temporary files beside `path` whose lock nobody holds: their processes are dead."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        with contextlib.suppress(OSError), open(left, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Write `content` as sorted, indented JSON, atomically; NaN and infinities are refused (`ValueError`)."""
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    with atomic(path, "w") as file:
        file.write(text + "\n")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read JSON; raises UserError if the file is absent, cannot be read or is not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON ({error}); delete it and run the command that makes it again") from error


def write_record(path: str | os.PathLike[str], content: dict[str, Any]) -> None:
    """Write a JSON object with a checksum of itself, which `read_record` checks."""
    write_json(path, {**content, "checksum": digest(content)})


def read_record(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What `write_record` wrote, without the checksum; raises UserError if the file is absent, or is not what this program wrote."""
    content = read_json(path)
    if not isinstance(content, dict) or "checksum" not in content:
        raise UserError(
            f"{path}: not a record with a checksum, or written by another version; delete it and run the command that makes it again"
        )
    expected = content.pop("checksum")
    if digest(content) != expected:
        raise UserError(f"{path}: changed since it was written: its content does not match its checksum; delete it and make it again")
    return content


def sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes, in hexadecimal; raises UserError if the file is absent or cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: str | os.PathLike[str], error: OSError) -> UserError:
    """What to tell a person of a file that the system does not give."""
    return UserError(
        f"{path}: no such file" if isinstance(error, FileNotFoundError) else f"{path}: cannot be read: {error.strerror or error}"
    )


def digest(content: Any) -> str:
    """SHA-256 of the canonical JSON of `content`: the same for equal parameters, whatever their order."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
