"""pga's commands by a process that has imported torch already: short jobs import it for longer than they compute.

For tests of what many jobs make. Those of how jobs start, end and are killed start them as users do.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

CLIENT = """
import sys

if sys.orig_argv[1:3] == ["-m", "pga"]:
    import json, os, socket

    with socket.socket(socket.AF_UNIX) as server:
        server.connect({address!r})
        call = json.dumps([sys.orig_argv[3:], os.getcwd(), dict(os.environ)]).encode()
        socket.send_fds(server, [len(call).to_bytes(4)], [0, 1, 2])
        server.sendall(call)
        status = server.recv(1)
        os._exit(status[0] if status else 99)
"""
"""A sitecustomize.py: `python -m pga` hands its arguments, environment and files over, and ends as the command does."""

SERVER = """
import json, os, signal, socket, sys
import sklearn.datasets
import pga.commands.reconstruct, pga.data.prepare, pga.sampling.density
import pga.sampling.sample, pga.sampling.standing_statistics, pga.training.loop
import pga.evaluation.features.inception, pga.artifacts.figures.figure_registry, pga.artifacts.report.page
from pga.cli import main

def answer(connection):
    size, files, _, _ = socket.recv_fds(connection, 4, 3)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    with connection.makefile("rb") as sent:
        arguments, folder, environment = json.loads(sent.read(int.from_bytes(size)))
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    return main(arguments)

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
with socket.socket(socket.AF_UNIX) as server:
    server.bind(sys.argv[1])
    server.listen()
    print("ready", flush=True)
    while True:
        connection, _ = server.accept()
        if os.fork() == 0:
            status = 99
            try:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                status = answer(connection)
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else 1
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                sys.stdout.flush(), sys.stderr.flush()
                connection.sendall(bytes([status]))
                os._exit(status)
        connection.close()
"""


@contextlib.contextmanager
def warm(project: Path) -> Iterator[str]:
    """A PYTHONPATH by which every `python -m pga` below is one fork away from the project's own code, imported once."""
    with tempfile.TemporaryDirectory(prefix="pga") as folder:  # not pytest's: a socket's path must be short
        address = str(Path(folder, "socket"))
        Path(folder, "sitecustomize.py").write_text(CLIENT.format(address=address))
        environment = {**os.environ, "PYTHONPATH": str(project)}
        with subprocess.Popen([sys.executable, "-c", SERVER, address], cwd=project, env=environment, stdout=subprocess.PIPE) as server:
            try:
                assert server.stdout is not None and server.stdout.readline() == b"ready\n"
                yield os.pathsep.join([folder, str(project)])
            finally:
                server.kill()
