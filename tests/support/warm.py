"""Python programs of the environment by a process that has imported its packages already: short jobs import for longer than they compute.

Each imports the project's own code by itself, from the project that it runs in. For tests of what commands and jobs make. Those of how they
start, end and are killed start them as users do.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

CLIENT = """
import sys

first, *more = [*sys.orig_argv[1:3], ""]
if first.endswith(("/snakemake", "/dvc", "/pull.py")) or (first == "-m" and more[0] in ("pga", "snakemake", "dvc")):
    import json, os, socket

    with socket.socket(socket.AF_UNIX) as server:
        server.connect({address!r})
        call = json.dumps([sys.orig_argv[1:], os.getcwd(), dict(os.environ)]).encode()
        socket.send_fds(server, [len(call).to_bytes(4)], [0, 1, 2])
        server.sendall(call)
        status = server.recv(1)
        os._exit(status[0] if status else 99)
"""
"""A sitecustomize.py: these programs hand their arguments, environment and files over, and end as the server's copy of them does."""

SERVER = """
import gc, json, os, runpy, select, signal, socket, sys, threading
import dvc.cli, dvc.repo, sklearn.datasets, snakemake.cli
import pga.commands.reconstruct, pga.data.prepare, pga.sampling.density
import pga.sampling.sample, pga.sampling.standing_statistics, pga.training.loop
import pga.evaluation.features.inception, pga.artifacts.figures.training_figure, pga.artifacts.report.page

for name in [name for name in sys.modules if name.partition(".")[0] == "pga"]:
    del sys.modules[name]
own = list(sys.path)
gc.collect(), gc.freeze()  # what is there stays there, and shared

def answer(connection):
    size, files, _, _ = socket.recv_fds(connection, 4, 3)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    with connection.makefile("rb") as sent:
        (program, *arguments), folder, environment = json.loads(sent.read(int.from_bytes(size)))
    threading.Thread(target=lambda: connection.recv(1) or os._exit(99), daemon=True).start()  # with whoever asked
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    first = folder if program == "-m" else os.path.dirname(program)
    sys.path[:] = [first, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep)), *own]
    if program == "-m":
        sys.argv[:] = ["-m", *arguments[1:]]
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv[:] = [program, *arguments]
        runpy.run_path(program, run_name="__main__")

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
with socket.socket(socket.AF_UNIX) as server:
    server.bind(sys.argv[1])
    server.listen(100)
    print("ready", flush=True)
    while sys.stdin not in select.select([server, sys.stdin], [], [])[0]:  # which ends with the tests
        connection, _ = server.accept()
        if os.fork() == 0:
            status = 99
            try:
                server.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                answer(connection)
                status = 0
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else int(end.code is not None)
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                sys.stdout.flush(), sys.stderr.flush()
                connection.sendall(bytes([status & 255]))
                os._exit(status)
        connection.close()
"""


@cache
def client() -> str:
    """The folder of the client's sitecustomize.py, with the server running."""
    folder = tempfile.TemporaryDirectory(prefix="pga")  # not pytest's: a socket's path must be short
    address = str(Path(folder.name, "socket"))
    Path(folder.name, "sitecustomize.py").write_text(CLIENT.format(address=address))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SERVER, address]
    server = subprocess.Popen(command, cwd=folder.name, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    atexit.register(folder.cleanup)
    atexit.register(server.kill)
    assert server.stdout is not None and server.stdout.readline() == b"ready\n"
    return folder.name


def warm(project: Path) -> str:
    """A PYTHONPATH by which programs are one fork away from having imported everything but the project's own code."""
    return os.pathsep.join([client(), str(project)])
