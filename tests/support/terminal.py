"""A terminal of 80 columns that a program is run in."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
from pathlib import Path

WIDTH = 80


def in_a_terminal(command: list[str], folder: Path, environment: dict[str, str], interrupt_at: str = "\0") -> str:
    """What the program prints, as it arrives at the terminal; Ctrl-C is typed there when some text appears."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execvpe(command[0], command, environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, WIDTH, 0, 0))
    shown, typed = b"", False
    while True:
        try:
            found = os.read(terminal, 4096)
        except OSError:  # Linux says so when the program has ended
            break
        if not found:
            break
        shown += found
        if not typed and interrupt_at in shown.decode(errors="replace"):
            typed = os.write(terminal, b"\x03") == 1
    os.waitpid(child, 0)
    os.close(terminal)
    return shown.decode(errors="replace")
