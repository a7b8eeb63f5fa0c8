"""Locks on files, which the system releases when their process dies, however it dies."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path

NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}
"""What file systems without locks answer: some mounts of NFS and Lustre."""


class Busy(Exception):
    """Another process holds the lock."""


def acquire(path: Path, wait: bool = False) -> tuple[int, bool]:
    """Open and lock the file at `path`, which is made where it is absent.

    Args:
        path: the lock file.
        wait: for the process that holds it, instead of raising.

    Returns:
        The open descriptor, by whose closing the lock ends, and whether it is locked: not on a file system without locks, of which a
        warning is printed.

    Raises:
        Busy: another process holds it.
        OSError: the file cannot be opened.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError as error:
            if error.errno in NO_LOCKS:
                print(
                    f"warning: {path}: its file system has no locks ({error.strerror}); start nothing a second time while it runs",
                    file=sys.stderr, flush=True,
                )  # fmt: skip
                return descriptor, False
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                raise Busy(str(path)) from error
            raise
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(path), os.fstat(descriptor)):
                return descriptor, True
        os.close(descriptor)  # whoever held the lock removed the file: others would find another one


@contextlib.contextmanager
def alone(path: Path, wait: bool = False) -> Iterator[bool]:
    """Hold the lock at `path` within the block; yields whether it is locked. Arguments and errors as of `acquire`."""
    descriptor, locked = acquire(path, wait)
    try:
        yield locked
    finally:
        os.close(descriptor)
