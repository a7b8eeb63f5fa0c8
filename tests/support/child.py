"""A part of a test in a process of its own: with other rights, or with a kernel that refuses one system call."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import struct
import sys
import traceback
from collections.abc import Callable

import pytest

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""Machine → its name for the kernel's filters."""
SYSCALLS = {"fsync": {"x86_64": 74, "aarch64": 82}, "flock": {"x86_64": 73, "aarch64": 32}}


def forked(act: Callable[[], int | None], user: int | None = None) -> tuple[int, str]:
    """Exit status and stderr of `act` in a process of its own, with the rights of `user`; a traceback is status 99."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        status = 99
        try:
            os.dup2(writes, 2)
            sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
            if user is not None:
                os.setgroups([]), os.setgid(user), os.setuid(user)
            status = act() or 0
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError):
                sys.stderr.flush()
            os._exit(status)
    os.close(writes)
    with open(reads, errors="replace") as file:
        said = file.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said


def refuse(call: str, error: int) -> None:
    """Let the kernel answer every call of `call` by this process, and by those that it starts, with `error`, as some file systems do."""
    machine = platform.machine()
    answer = 0x00050000 | error  # SECCOMP_RET_ERRNO
    rows = [
        (0x20, 0, 0, 4), (0x15, 0, 3, ARCHITECTURES[machine]), (0x20, 0, 0, 0), (0x15, 0, 1, SYSCALLS[call][machine]),
        (0x06, 0, 0, answer), (0x06, 0, 0, 0x7FFF0000),
    ]  # fmt: skip
    filters = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *row) for row in rows))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(rows), ctypes.addressof(filters)))
    system = ctypes.CDLL(None, use_errno=True)
    assert system.prctl(38, 1, 0, 0, 0) == 0  # no new rights: what a filter needs
    assert system.prctl(22, 2, program, 0, 0) == 0


def skip_without_filters() -> None:
    """Skip a test where `refuse` does not work."""
    if sys.platform != "linux" or platform.machine() not in ARCHITECTURES:
        pytest.skip("child: no filter of system calls on this machine")
