"""Many image files → rows of one raw file, on all cores, in bounded memory, continued where it was interrupted."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from pga.runtime.errors import UserError
from pga.runtime.progress import Progress

Array = npt.NDArray[np.uint8]
T = TypeVar("T")
Items = Sequence[tuple[str, bytes]]
"""File names and contents."""

CHUNK = 256
"""Images that one process decodes at a time; a few chunks per process are in memory at once."""
SHOWN = 20
"""Bad files that an error lists."""


class BadImage(Exception):
    """A file that is no image, or not one that is wanted; the text says why."""


@dataclass(frozen=True)
class Rows:
    """Images (N, H, W, C) in a raw file of uint8, of which `index` are meant (all if None), read in blocks."""

    path: Path
    image_shape: tuple[int, int, int]
    total: int
    index: npt.NDArray[np.int64] | None = None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """As of an array."""
        return (len(self), *self.image_shape)

    def __len__(self) -> int:
        return self.total if self.index is None else len(self.index)

    def take(self, index: npt.NDArray[np.int64]) -> Rows:
        """The images at `index`."""
        return Rows(self.path, self.image_shape, self.total, index)

    def blocks(self) -> Iterator[Array]:
        """Up to `CHUNK` images at a time."""
        size = int(np.prod(self.image_shape))
        index = np.arange(self.total) if self.index is None else self.index
        with open(self.path, "rb") as file:
            for start in range(0, len(index), CHUNK):
                some = index[start : start + CHUNK]
                file.seek(int(some[0]) * size)  # one read that spans the block, of which the wanted rows are kept
                span = np.fromfile(file, np.uint8, int(some[-1] - some[0] + 1) * size).reshape(-1, *self.image_shape)
                yield span[some - some[0]]


def end_with_parent() -> None:
    """The worker that calls this ends when the process that started it does, however that one ended.

    The pool's own queues cannot tell it: each worker holds both ends of them, so that a killed parent never reads as their end.
    """

    def watch() -> None:
        if (parent := multiprocessing.parent_process()) is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def decode_chunk(decode: Callable[[bytes], Array], items: Items) -> tuple[Array | None, list[tuple[str, str]]]:
    """Images of a chunk (None if there are none), and the bad files with their reasons. Runs in a worker."""
    images, bad = [], []
    for name, content in items:
        try:
            images.append(decode(content))
        except BadImage as error:
            bad.append((name, str(error)))
    return (np.stack(images) if images else None), bad


def decode_all(
    names: Sequence[str],
    contents: Callable[[Sequence[str]], Iterable[tuple[str, bytes]]],
    decode: Callable[[bytes], Array],
    image_shape: tuple[int, int, int],
    part: Path,
    key: str,
    processes: int = 0,
    title: str = "images",
) -> tuple[Rows, list[tuple[str, str]]]:
    """Decode every file in the order of `names`.

    Finished chunks stand in `part`, beside a journal of them; a later call with the same `key` goes on after the last.

    Args:
        names: all files.
        contents: yields (name, bytes) of some of them, in order; runs here, one chunk ahead of the workers.
        decode: content → (H, W, C) uint8; raises BadImage. Must be importable by name, with arguments bound by functools.partial.
        image_shape: (H, W, C) of what `decode` returns.
        part: raw file to write or continue.
        key: identity of everything that the result depends on.
        processes: workers; 0 for all cores.
        title: shown with the progress.

    Returns:
        The images, and (name, reason) of each bad file.

    Raises:
        UserError: the disk is full, or a worker was killed.
    """
    size = int(np.prod(image_shape))
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        done, good, bad = resume(part, key, size)
    except OSError as error:  # a write's has no name of a file
        raise UserError(f"{part}: cannot be written: {error.strerror or error}") from error
    chunks = [names[i : i + CHUNK] for i in range(done * CHUNK, len(names), CHUNK)]
    workers = min(processes or os.cpu_count() or 1, max(len(chunks), 1))
    waiting: deque[tuple[int, Future[tuple[Array | None, list[tuple[str, str]]]]]] = deque()
    try:
        with (
            one_thread_each(),
            open(part, "ab") as file,
            open(journal_of(part), "a", encoding="utf-8") as journal,
            Progress(len(names), title, "image", min(done * CHUNK, len(names))) as progress,
            executor(workers, len(chunks)) as pool,
        ):
            ahead = iter(chunks)
            while True:
                for chunk in islice(ahead, 2 * workers - len(waiting)):
                    waiting.append((len(chunk), pool.submit(decode_chunk, decode, list(contents(chunk)))))
                if not waiting:
                    break
                count, future = waiting.popleft()
                images, wrong = future.result()
                rows = b"" if images is None else images.tobytes()
                file.write(rows)
                file.flush()
                good += len(rows) // size
                journal.write(json.dumps(Finished(good, wrong, zlib.crc32(rows))._asdict()) + "\n")
                journal.flush()
                bad += wrong
                progress.advance(count)
    except BrokenProcessPool as error:
        raise UserError(
            f"{title}: a worker was killed (out of memory?); start again with fewer --processes, it goes on from here"
        ) from error
    except OSError as error:
        raise UserError(f"{part}: cannot be written: {error.strerror or error}") from error
    return Rows(part, image_shape, good), bad


class Here(Executor):
    """Runs what is submitted in this process, at once."""

    def submit(self, function: Callable[..., T], /, *arguments: Any, **named: Any) -> Future[T]:
        """Run it; an exception is raised here."""
        done = Future[T]()
        done.set_result(function(*arguments, **named))
        return done


def executor(workers: int, chunks: int) -> Executor:
    """Processes to decode in; this one where there is no more than one chunk, because it takes longer to start another."""
    if chunks <= 1:
        return Here()
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=end_with_parent)


@contextlib.contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes that start within the block do linear algebra in one thread: there is one of them per core (measured: 5 times faster)."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def journal_of(part: Path) -> Path:
    """The record of finished chunks beside `part`."""
    return part.with_name(part.name + ".journal")


def resume(part: Path, key: str, size: int) -> tuple[int, int, list[tuple[str, str]]]:
    """(finished chunks, images in them, bad files in them); everything else is removed from `part` and its journal."""
    records = journal_records(part, key, size)
    if records is None:
        records = []
        part.write_bytes(b"")
    good = records[-1].good if records else 0
    lines = [{"key": key}, *(record._asdict() for record in records)]
    journal_of(part).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    os.truncate(part, good * size)
    return len(records), good, [(name, reason) for record in records for name, reason in record.bad]


class Finished(NamedTuple):
    """What the journal says of a finished chunk: images in the part after it, and its bad files with their reasons."""

    good: int
    bad: list[tuple[str, str]]
    crc: int
    """Of the chunk's images."""


def journal_records(part: Path, key: str, size: int) -> list[Finished] | None:
    """The finished chunks whose images stand in `part`; None where the journal is absent, damaged or of another key."""
    try:
        text = journal_of(part).read_text(encoding="utf-8")
        first, *rest = (json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines())  # a line without its end was being written
        records = [
            Finished(int(record["good"]), [(str(name), str(reason)) for name, reason in record["bad"]], int(record["crc"]))
            for record in rest
        ]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    if first != {"key": key} or not part.exists():
        return None
    return list(takewhile(standing(part, size), records))


def standing(part: Path, size: int) -> Callable[[Finished], bool]:
    """Whether the images of the next chunk stand in `part`: after a power cut the journal can be on the disk and they cut, or zeros."""
    read = 0

    def stands(record: Finished) -> bool:
        nonlocal read
        wanted = (record.good - read) * size
        if not 0 <= wanted <= CHUNK * size:
            return False
        with open(part, "rb") as file:
            file.seek(read * size)
            images = file.read(wanted)
        read = record.good
        return len(images) == wanted and zlib.crc32(images) == record.crc

    return stands


def remove(part: Path) -> None:
    """Delete `part` and its journal."""
    part.unlink(missing_ok=True)
    journal_of(part).unlink(missing_ok=True)


def listing(bad: Sequence[tuple[str, str]]) -> str:
    """The first bad files, one per line."""
    lines = [f"  {name}: {reason}" for name, reason in bad[:SHOWN]]
    return "\n".join(lines + ([f"  … and {len(bad) - SHOWN} more"] if len(bad) > SHOWN else []))
