"""Fetching, from a real HTTP server on loopback that misbehaves as servers do: a file is right and whole, or absent and explained."""

from __future__ import annotations

import base64
import datetime
import email.utils
import gzip
import hashlib
import http.server
import ipaddress
import os
import random
import socket
import ssl
import struct
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from pga.cli import main
from pga.data import download as downloading
from pga.data import verify as verifying
from pga.data.fetch import fetch
from pga.data.idx import read_idx
from pga.params.sources import Checksum, Source, load_sources
from pga.runtime.errors import UserError

CONTENT = random.Random(0).randbytes(300_000)
OTHER = random.Random(1).randbytes(300_000)
CUT = 150_000  # where connections break; what came last before it may be lost, for `download` writes in blocks
Answer = Callable[["Handler"], None]


class Handler(http.server.BaseHTTPRequestHandler):
    """Gives the next of the answers that the test laid out for the path, the last one again and again."""

    server: Server

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers.get("Range")))
        answers = self.server.answers.get(self.path) or [reply(404, b"<html>no such page</html>", content_type="text/html")]
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def log_message(self, format: str, *args: object) -> None:
        """Tests print nothing."""


class Server(http.server.ThreadingHTTPServer):
    """Keeps path and Range of every request in `seen`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, list[Answer]] = {}
        self.seen: list[tuple[str, str | None]] = []
        self.base = f"http://127.0.0.1:{self.server_port}"

    def serve(self, *answers: Answer, at: str = "/file.bin") -> str:
        """Lay out answers; returns the URL."""
        self.answers[at] = list(answers)
        return self.base + at


def reply(status: int = 200, body: bytes = b"", send: int | None = None, **headers: str) -> Answer:
    """An answer with these headers, of whose body only the first `send` bytes are sent before the connection is closed."""

    def answer(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in ({"content_length": str(len(body))} | headers).items():
            if value:
                handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body[:send])

    return answer


def ranged(content: bytes, send: int | None = None, etag: str = '"first"') -> Answer:
    """An answer that honours Range and, as a server should, If-Range."""

    def answer(handler: Handler) -> None:
        wanted = handler.headers.get("Range")
        if wanted is None or handler.headers.get("If-Range") != etag:
            reply(200, content, send, etag=etag)(handler)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(content):
            reply(416, content_range=f"bytes */{len(content)}")(handler)
            return
        reply(206, content[start:], send, etag=etag, content_range=f"bytes {start}-{len(content) - 1}/{len(content)}")(handler)

    return answer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")  # a proxy of the machine must not stand between
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that `download` would have waited; it does not."""
    waited: list[float] = []
    monkeypatch.setattr(downloading, "time", SimpleNamespace(sleep=waited.append, time=time.time))
    return waited


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def a_source(*urls: str, content: bytes = CONTENT, name: str = "file.bin", **changes: Any) -> Source:
    row = {"urls": urls, "mirror": [], "max_size": 400_000, "checksum": {"algorithm": "sha256", "value": sha(content)}}
    return Source.model_validate({"description": "A toy", "licence": "none", "citation": "-", "files": {name: row | changes}})


def get(source: Source, folder: Path, **options: Any) -> Path:
    return fetch("toy", source, "file.bin", folder, **options)


def starts(server: Server) -> list[int | None]:
    """From which byte each request asked to continue, None if it asked for the whole file."""
    return [None if wanted is None else int(wanted.removeprefix("bytes=").removesuffix("-")) for _, wanted in server.seen]


def left(folder: Path) -> list[str]:
    """What a user sees below `folder`; the lock and the parts are hidden files."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


# What is fetched


def test_redirects_are_followed_but_not_to_elsewhere_or_in_a_circle(server: Server, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(CONTENT)
    elsewhere = f"http://localhost:{server.server_port}/there"  # another name, unencrypted
    server.serve(reply(body=CONTENT), at="/there")
    assert get(a_source(server.serve(reply(302, location="/there"))), tmp_path / "followed").read_bytes() == CONTENT
    server.seen.clear()
    urls = [
        server.serve(reply(302, location=secret.as_uri()), at="/a"),
        server.serve(reply(302, location=elsewhere), at="/b"),
        server.serve(reply(302, location="/c"), at="/c"),
    ]
    with pytest.raises(UserError) as raised:
        get(a_source(*urls), tmp_path / "raw")
    lines = str(raised.value).splitlines()
    assert lines[1:4] == [
        f"  {urls[0]}: it redirects to {secret.as_uri()}, which is not accepted",
        f"  {urls[1]}: it redirects to another host over plain HTTP, {elsewhere}, which is not accepted",
        f"  {urls[2]}: it redirects in a circle",
    ]
    assert left(tmp_path / "raw") == [] and "/there" not in dict(server.seen)


def test_a_content_encoding_of_the_server_does_not_change_the_bytes(server: Server, tmp_path: Path, waits: list[float]) -> None:
    packed = gzip.compress(CONTENT)  # Apache with `AddEncoding x-gzip .gz` sends .gz files so
    url = server.serve(reply(body=packed, content_encoding="gzip"))
    assert get(a_source(url, content=packed), tmp_path).read_bytes() == packed


def test_checksums_of_content_and_of_members_ignore_the_packing(server: Server, tmp_path: Path) -> None:
    url = server.serve(reply(body=gzip.compress(CONTENT, 1)))
    checksum = {"of": "content", "algorithm": "md5", "value": hashlib.md5(CONTENT).hexdigest()}
    assert gzip.decompress(get(a_source(url, checksum=checksum), tmp_path / "1").read_bytes()) == CONTENT
    (tmp_path / "a").write_bytes(CONTENT)
    (tmp_path / "link").symlink_to("a")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "a", "folder/a"), archive.add(tmp_path / "link", "folder/link")
    url = server.serve(reply(body=(tmp_path / "a.tar.gz").read_bytes()))

    def members(**expected: str) -> Source:
        row = {"of": "members", "algorithm": "sha256", "members": {f"folder/{name}": value for name, value in expected.items()}}
        return a_source(url, checksum=row)

    get(members(a=sha(CONTENT)), tmp_path / "2")
    for wrong, message in (
        (members(a=sha(OTHER)), f"sha256 of its member folder/a is {sha(CONTENT)}, expected {sha(OTHER)}"),
        (members(a=sha(CONTENT), link=sha(CONTENT)), "it lacks the members folder/link"),  # no file, whatever it points at
    ):
        with pytest.raises(UserError, match=f"{url}: serves another file: {message}"):
            get(wrong, tmp_path / "3")
        assert left(tmp_path / "3") == []


# Broken connections


def test_a_broken_connection_is_continued_where_it_broke(server: Server, tmp_path: Path, waits: list[float]) -> None:
    part = tmp_path / "toy" / ".file.bin.part"
    sizes: list[int] = []

    def second(handler: Handler) -> None:
        sizes.append(part.stat().st_size)
        ranged(CONTENT)(handler)

    url = server.serve(ranged(CONTENT, CUT), second)
    assert get(a_source(url), tmp_path).read_bytes() == CONTENT
    assert 0 < sizes[0] <= CUT
    assert server.seen == [("/file.bin", None), ("/file.bin", f"bytes={sizes[0]}-")]
    assert waits == [1.0]
    assert left(tmp_path) == ["toy/file.bin"] and not list(tmp_path.rglob("*.part*"))


CONTINUED = {
    "ignores ranges": ([reply(200, CONTENT, CUT, etag='"first"'), reply(200, CONTENT, etag='"first"')], True),
    "no validator": ([reply(200, CONTENT, CUT), reply(200, CONTENT)], False),  # nobody can say whether the rest would belong to it
    "weak validator": ([reply(200, CONTENT, CUT, etag='W/"weak"'), reply(200, CONTENT, etag='W/"weak"')], False),
    "changed file": ([ranged(OTHER, CUT, '"old"'), ranged(CONTENT, None, '"new"')], True),  # not given: If-Range names the old file
}
"""What a server does → its answers, and whether the second request asks for the rest."""


@pytest.mark.parametrize("case", CONTINUED)
def test_a_rest_that_cannot_be_had_is_fetched_anew(case: str, server: Server, tmp_path: Path, waits: list[float]) -> None:
    answers, asks = CONTINUED[case]
    assert get(a_source(server.serve(*answers)), tmp_path).read_bytes() == CONTENT
    first, second = starts(server)
    assert first is None and (0 < second <= CUT if asks else second is None)


def test_another_place_does_not_continue_the_first_ones_bytes(server: Server, tmp_path: Path, waits: list[float]) -> None:
    first, second = server.serve(ranged(OTHER, CUT), reply(404), at="/1"), server.serve(ranged(CONTENT), at="/2")
    assert get(a_source(first, second), tmp_path).read_bytes() == CONTENT
    assert [path for path, _ in server.seen] == ["/1", "/1", "/2"]
    assert starts(server)[1] and starts(server)[2] is None


def test_a_server_that_gives_less_than_the_rest_is_asked_again(server: Server, tmp_path: Path, waits: list[float]) -> None:
    def some(handler: Handler) -> None:  # may be less than was asked for; the connection itself ends well
        start = int(handler.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        end = min(start + 80_000, len(CONTENT))
        reply(206, CONTENT[start:end], etag='"first"', content_range=f"bytes {start}-{end - 1}/{len(CONTENT)}")(handler)

    assert get(a_source(server.serve(ranged(CONTENT, CUT), some)), tmp_path).read_bytes() == CONTENT
    assert len(server.seen) >= 3


RANGES = ["bytes 100-299999/300000", "bytes 0-299999/300000", "bytes */300000", "lines 1-2/3", "", "bytes -1-5/9"]


@pytest.mark.parametrize("range_", RANGES)
@pytest.mark.parametrize("asked", [True, False], ids=["asked for another", "asked for none"])
def test_a_range_that_was_not_asked_for_is_refused(asked: bool, range_: str, server: Server, tmp_path: Path, waits: list[float]) -> None:
    wrong = reply(206, CONTENT[100:], etag='"first"', content_range=range_)
    url = server.serve(*[ranged(CONTENT, CUT)] * asked, wrong)
    with pytest.raises(UserError, match=f"{url}: the server answers with a range that was not asked for"):
        get(a_source(url), tmp_path)
    assert left(tmp_path) == []


NOTES = '{{"url": "{url}", "validator": "\\"first\\""}}'
PARTS = {
    "whole": (CONTENT, NOTES, None),  # a kill between the last byte and the renaming; the server has nothing more and answers 416
    "longer than the file": (OTHER + OTHER[:10], NOTES, None),
    "notes cut": (CONTENT[:1000], '{{"url": "http', [None]),  # a kill while they are written leaves them so
    "notes empty": (CONTENT[:1000], "", [None]),
    "zeros": (CONTENT[:1000] + bytes(1000), NOTES, [2000, None]),  # a power cut: the length reached the disk, the bytes did not
}
"""What an earlier attempt has left → the part, its notes, from where is fetched."""


@pytest.mark.parametrize("case", PARTS)
def test_what_an_earlier_attempt_left_is_completed_or_fetched_anew(case: str, server: Server, tmp_path: Path, waits: list[float]) -> None:
    content, notes, expected = PARTS[case]
    url = server.serve(ranged(CONTENT))
    part = tmp_path / "toy" / ".file.bin.part"
    part.parent.mkdir()
    part.write_bytes(content)
    part.with_name(".file.bin.part.json").write_text(notes.format(url=url))
    assert get(a_source(url), tmp_path).read_bytes() == CONTENT
    assert expected is None or starts(server) == expected


@pytest.mark.parametrize("sent", [0, CUT])
def test_a_connection_reset_is_continued(sent: int, server: Server, tmp_path: Path, waits: list[float]) -> None:
    def resets(handler: Handler) -> None:
        ranged(CONTENT, sent)(handler)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST instead of FIN
        handler.connection.close()

    assert get(a_source(server.serve(resets, ranged(CONTENT))), tmp_path).read_bytes() == CONTENT
    assert len(server.seen) == 2 and waits == [1.0]


def test_a_slow_drip_is_waited_for_and_silence_is_a_break(
    server: Server, tmp_path: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "TIMEOUT_S", (1, 0.3))
    silent = threading.Event()

    def drips(handler: Handler) -> None:
        reply(200, CONTENT, 0, etag='"first"')(handler)
        for start in range(0, 200_000, 20_000):  # together longer than the time-out, which is of silence
            handler.wfile.write(CONTENT[start : start + 20_000])
            time.sleep(0.05)
        silent.wait(10)

    url = server.serve(drips, ranged(CONTENT))
    assert get(a_source(url), tmp_path).read_bytes() == CONTENT
    silent.set()
    assert waits == [1.0] and 100_000 < starts(server)[1] <= 200_000


def test_a_part_that_changes_between_two_attempts_is_never_mixed(server: Server, tmp_path: Path, waits: list[float]) -> None:
    # even where the server continues the new file under the old one's name: the checksum tells, and it is fetched once more
    url = server.serve(ranged(OTHER, CUT), ranged(CONTENT), ranged(CONTENT))
    with pytest.raises(UserError, match="serves another file"):
        get(a_source(url), tmp_path)
    assert left(tmp_path) == [] and starts(server)[1]
    assert get(a_source(url), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("of", ["content", "members"])
def test_an_archive_bomb_is_not_unpacked(of: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "hash_stream", partial(verifying.hash_stream, limit=1 << 20))
    zeros = bytes(4 << 20)
    (tmp_path / "zeros").write_bytes(zeros)
    with tarfile.open(tmp_path / "bomb.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "zeros", "a")
    body = gzip.compress(zeros) if of == "content" else (tmp_path / "bomb.tar.gz").read_bytes()
    expected = {"value": sha(zeros)} if of == "content" else {"members": {"a": sha(zeros)}}
    with pytest.raises(UserError, match="serves another file: its content exceeds 1048576 bytes"):
        get(a_source(server.serve(reply(body=body)), checksum={"of": of, "algorithm": "sha256", **expected}), tmp_path / "raw")
    assert left(tmp_path / "raw") == []


def test_a_content_length_that_is_too_long_is_a_break_and_one_too_short_another_file(
    server: Server, tmp_path: Path, waits: list[float]
) -> None:
    url = server.serve(reply(200, CONTENT, content_length="300100"))
    with pytest.raises(UserError, match=f"{url}: 5 attempts failed, the last with: .*300000 bytes read, 100 more expected"):
        get(a_source(url), tmp_path)
    assert len(server.seen) == 5 and waits == [1.0, 2.0, 4.0, 8.0] and left(tmp_path) == []
    url = server.serve(reply(200, CONTENT, content_length="299900"))
    with pytest.raises(UserError, match=f"serves another file: sha256 of its file is {sha(CONTENT[:299_900])}, expected {sha(CONTENT)}"):
        get(a_source(url), tmp_path)
    assert left(tmp_path) == []


def test_a_missing_content_length_is_fine_and_a_cut_is_noticed_all_the_same(server: Server, tmp_path: Path) -> None:
    # the end of the connection is then the end of the file, so that only the checksum can tell
    url = server.serve(reply(200, CONTENT, CUT, content_length=""), reply(200, CONTENT, content_length=""))
    with pytest.raises(UserError, match=f"{url}: serves another file: sha256 of its file is {sha(CONTENT[:CUT])}"):
        get(a_source(url), tmp_path)
    assert get(a_source(url), tmp_path).read_bytes() == CONTENT


def test_a_server_that_is_not_there_is_tried_five_times(tmp_path: Path, server: Server, waits: list[float]) -> None:
    with Server() as closed:  # its port is free again behind this block
        url = closed.base + "/file.bin"
    second = server.serve(reply(body=CONTENT))
    assert get(a_source(url, second), tmp_path).read_bytes() == CONTENT
    assert waits == [1.0, 2.0, 4.0, 8.0]


ODD = {
    "location": ["http://[", "http://a b/", "//", "http://", "x" * 9000, "http://127.0.0.1:99999/", "http://127.0.0.1:x/", "http://\xff/"],
    "content_length": ["9" * 5000, "\xb2", "-1", "1e3", "300000, 300000", "0x10"],
    "retry_after": ["\xb2", "9" * 5000, "nan", "Fri, 99 Foo 0", "Mon, 01 Jan 0001 00:00:00 GMT", "Mon, 01 Jan 9999 00:00:00 +2400"],
    "content_range": ["bytes 0-9/" + "9" * 5000, f"bytes {'9' * 5000}-1/5", "bytes 5-3/10", "\xb2"],
    "etag": ['"' + "x" * 9000 + '"', "\xff", '"a\tb"'],
    "content_encoding": ["br", "nonsense"],
    "transfer_encoding": ["nonsense", "chunked"],
}
"""Headers as no server should send them."""


@pytest.mark.parametrize("header", ODD)
def test_no_header_ends_in_a_traceback_or_a_wrong_file(header: str, server: Server, tmp_path: Path, waits: list[float]) -> None:
    status = {"location": 302, "retry_after": 503, "content_range": 206}.get(header, 200)
    for number, value in enumerate(ODD[header]):
        for cut in (0, 1):  # as the first answer, and where a download is continued
            folder = tmp_path / f"{number}-{cut}"
            url = server.serve(*[ranged(CONTENT, CUT)] * cut, reply(status, CONTENT, **{header: value}))
            refused, whole = "", False
            try:
                whole = get(a_source(url), folder).read_bytes() == CONTENT
            except UserError as error:
                refused = str(error)
            assert whole or (f"{url}: " in refused and left(folder) == [])


# Encryption


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1, with its key, that nobody vouches for."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (tmp_path / "pem").write_bytes(key.private_bytes(*form) + signed.public_bytes(serialization.Encoding.PEM))
    return tmp_path / "pem"


def test_encryption_is_never_given_up_and_a_server_that_nobody_vouches_for_is_refused(
    server: Server, tmp_path: Path, certificate: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    plain = server.serve(reply(body=CONTENT), at="/plain")
    with Server() as encrypted:
        encrypted.socket = context.wrap_socket(encrypted.socket, server_side=True)
        thread = threading.Thread(target=encrypted.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        base = encrypted.base.replace("http:", "https:")
        encrypted.serve(reply(302, location=plain), at="/down")
        encrypted.serve(reply(body=CONTENT), at="/file")
        with pytest.raises(UserError, match="5 attempts failed, the last with: .*certificate verify failed"):
            get(a_source(f"{base}/file"), tmp_path / "raw")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with pytest.raises(UserError, match=f"{base}/down: it redirects to {plain}, which is not accepted"):
            get(a_source(f"{base}/down"), tmp_path / "raw")
        assert left(tmp_path / "raw") == [] and server.seen == []
        assert get(a_source(f"{base}/file"), tmp_path / "raw").read_bytes() == CONTENT
        encrypted.shutdown()
        thread.join()


def test_a_mirrors_password_is_used_and_in_no_message(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str | None] = []

    def answer(handler: Handler) -> None:
        asked.append(handler.headers.get("Authorization"))
        reply(404 if len(asked) == 1 else 302, location="//evil/file")(handler)

    server.serve(answer, at="/mirror/file.bin")
    monkeypatch.setenv("PGA_MIRROR", server.base.replace("//", "//somebody:hunter2@") + "/mirror")
    for said in ("the server answers 404 Not Found", "it redirects to another host over plain HTTP, http://evil/file"):
        with pytest.raises(UserError) as raised:
            get(a_source(server.serve(reply(404)), mirror=["file.bin"]), tmp_path)
        assert f"{server.base}/mirror/file.bin: {said}" in str(raised.value)
        assert "hunter2" not in str(raised.value) + "".join(capsys.readouterr())
    assert asked == ["Basic " + base64.b64encode(b"somebody:hunter2").decode()] * 2


# Busy servers


RETRY_AFTER = {
    "7": 7, "0": 0, "86400": 60, "": 1, "soon": 1, "-5": 1, "Sun, 06 Nov 1994 08:49:37 GMT": 0, "in 30 s": 30,
}  # fmt: skip


@pytest.mark.parametrize("value", RETRY_AFTER)
def test_every_retry_after_has_its_wait(value: str, server: Server, tmp_path: Path, waits: list[float]) -> None:
    header = email.utils.formatdate(time.time() + 30, usegmt=True) if value == "in 30 s" else value
    url = server.serve(reply(503, retry_after=header), reply(body=CONTENT))  # "" leaves the header away
    assert get(a_source(url), tmp_path).read_bytes() == CONTENT
    assert waits == [pytest.approx(RETRY_AFTER[value], abs=5 * header.endswith("GMT"))]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_trouble_is_retried(status: int, server: Server, tmp_path: Path, waits: list[float]) -> None:
    url = server.serve(*[reply(status)] * 4, reply(body=CONTENT))
    assert get(a_source(url), tmp_path).read_bytes() == CONTENT
    assert waits == [1.0, 2.0, 4.0, 8.0]


# Files that are refused


def test_every_place_that_failed_is_listed_with_its_reason_and_the_advice(server: Server, tmp_path: Path) -> None:
    places = {
        "/wrong": (reply(body=OTHER), f"serves another file: sha256 of its file is {sha(OTHER)}, expected {sha(CONTENT)}"),
        "/no": (reply(403), "the server answers 403 Forbidden"),
        "/page": (
            reply(200, b"<!DOCTYPE html>", content_type="text/html; charset=utf-8"),
            "the server sends a web page instead of the file (a quota, a login or an error page)",
        ),
        "/offered": (reply(body=bytes(400_001)), "it offers 400001 bytes, at most 400000 are accepted"),
        "/sent": (reply(body=bytes(400_001), content_length=""), "it sends more than the 400000 bytes that are accepted"),
        "/other": (reply(body=OTHER), f"serves another file: sha256 of its file is {sha(OTHER)}, expected {sha(CONTENT)}"),
    }
    urls = [server.serve(answer, at=path) for path, (answer, _) in places.items()]
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "neighbour.bin").write_bytes(b"was here before")
    with pytest.raises(UserError) as raised:
        get(a_source(*urls, by_hand="Ask the authors."), tmp_path)
    assert str(raised.value).splitlines() == [
        "toy/file.bin: no place serves it.",
        *(f"  {url}: {reason}" for url, (_, reason) in zip(urls, places.values(), strict=True)),
        "Ask the authors.",
        f"Its place is {tmp_path / 'toy' / 'file.bin'}",
    ]
    assert [path for path, _ in server.seen] == list(places)  # no second attempt where the server said no, or sent another file
    assert left(tmp_path) == ["toy/neighbour.bin"]
    assert not sum(path.stat().st_size for path in tmp_path.rglob("*.part"))  # or the next command would continue it


# What is there already


def test_a_right_file_that_is_there_needs_no_request(server: Server, tmp_path: Path) -> None:
    source = a_source(server.serve(reply(body=CONTENT)))
    path = get(source, tmp_path)
    before = path.stat()
    assert get(source, tmp_path) == path
    assert len(server.seen) == 1
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_wrong_file_that_is_there_is_named_and_left_alone(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "toy" / "file.bin"
    target.parent.mkdir()
    target.write_bytes(OTHER)
    source = a_source(server.serve(reply(body=CONTENT)))
    message = f"not the file that is meant: sha256 of its file is {sha(OTHER)}, expected {sha(CONTENT)}; delete it and fetch again"
    with pytest.raises(UserError, match=f"^{target}: {message}$"):
        get(source, tmp_path)
    with pytest.raises(UserError, match=f"^{target}: {message}\nAsk the authors.$"):
        get(a_source(by_hand="Ask the authors."), tmp_path)
    assert target.read_bytes() == OTHER and server.seen == []
    target.unlink()
    assert get(source, tmp_path).read_bytes() == CONTENT  # the advice helps


def test_of_two_processes_one_fetches_and_the_other_goes_on_where_it_is_killed(server: Server, tmp_path: Path, root: Path) -> None:
    go_on = threading.Event()

    def stalls(handler: Handler) -> None:
        reply(200, CONTENT, CUT, etag='"first"')(handler)
        go_on.wait(20)

    command = [sys.executable, "-m", "pga", *command_line(tmp_path, a_source(server.serve(stalls, ranged(CONTENT))))]
    part = tmp_path / "raw" / "toy" / ".file.bin.part"
    both = [subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    deadline = time.monotonic() + 30
    while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.3)  # the other has come to the lock by now, or comes later: either way it waits
    assert len(server.seen) == 1
    [at_work] = [process for process in both if str(part) in {os.path.realpath(link) for link in Path(f"/proc/{process.pid}/fd").iterdir()}]
    at_work.kill()
    at_work.communicate()
    assert left(tmp_path / "raw") == []
    go_on.set()
    [waiting] = [process for process in both if process is not at_work]
    said, errors = waiting.communicate(timeout=30)
    assert waiting.returncode == 0 and said == f"{tmp_path}/raw/toy/file.bin\n", errors
    assert "toy/file.bin: A toy. Licence: none" in errors
    assert (tmp_path / "raw/toy/file.bin").read_bytes() == CONTENT and not list(tmp_path.rglob("*.part*"))
    first, second = starts(server)
    assert first is None and second and second > 0  # continued, not begun again


# Mirrors


def test_a_mirror_comes_first_and_the_addresses_after_it(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = server.serve(reply(body=CONTENT))
    source = a_source(url, mirror=["a/file.bin", "b/file.bin"])
    folder = tmp_path / "mirror"
    (folder / "b").mkdir(parents=True)
    (folder / "b" / "file.bin").write_bytes(CONTENT)
    monkeypatch.setenv("PGA_MIRROR", str(folder) + "/")
    assert get(source, tmp_path / "1").read_bytes() == CONTENT and server.seen == []
    (folder / "b" / "file.bin").write_bytes(OTHER)
    assert get(source, tmp_path / "2").read_bytes() == CONTENT and [path for path, _ in server.seen] == ["/file.bin"]
    server.serve(reply(body=CONTENT), at="/below/b/file.bin")
    server.seen.clear()
    monkeypatch.setenv("PGA_MIRROR", f"{server.base}/below/")
    assert get(source, tmp_path / "3").read_bytes() == CONTENT
    assert [path for path, _ in server.seen] == ["/below/a/file.bin", "/below/b/file.bin"]
    assert (folder / "b" / "file.bin").read_bytes() == OTHER  # a mirror is only read


def test_a_mirror_that_fails_is_listed_with_the_rest(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "mirror"
    folder.mkdir()
    (folder / "wrong").write_bytes(OTHER)
    (folder / "large").write_bytes(bytes(400_001))
    with pytest.raises(UserError) as raised:
        get(a_source(f"{server.base}/gone", mirror=["absent", "wrong", "large"]), tmp_path / "raw", mirror=str(folder))
    assert str(raised.value).splitlines()[1:5] == [
        f"  {folder}/absent: No such file or directory",
        f"  {folder}/wrong: serves another file: sha256 of its file is {sha(OTHER)}, expected {sha(CONTENT)}",
        f"  {folder}/large: it has 400001 bytes, at most 400000 are accepted",
        f"  {server.base}/gone: the server answers 404 Not Found",
    ]
    assert left(tmp_path / "raw") == []


def test_a_mirror_after_a_broken_download_leaves_nothing_of_it(server: Server, tmp_path: Path, waits: list[float]) -> None:
    url = server.serve(ranged(CONTENT, CUT), reply(404))
    with pytest.raises(UserError):
        get(a_source(url), tmp_path / "raw")
    folder = tmp_path / "mirror"
    folder.mkdir()
    (folder / "file.bin").write_bytes(CONTENT)
    assert get(a_source(url, mirror=["file.bin"]), tmp_path / "raw", mirror=str(folder)).read_bytes() == CONTENT
    assert not list((tmp_path / "raw").rglob("*.part*"))


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("place", ["", "MNIST", "MNIST/raw"])
def test_a_folder_that_torchvision_filled_is_a_mirror(
    place: str, packed: bool, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mnist = load_sources(root / "params" / "sources.yaml")["mnist"]
    name = "t10k-labels-idx1-ubyte.gz"
    content = struct.pack(">HBBI", 0, 8, 1, 3) + bytes(3)
    checksum = {"of": "content", "algorithm": "md5", "value": hashlib.md5(content).hexdigest()}
    row = mnist.files[name].model_copy(update={"urls": (), "checksum": Checksum.model_validate(checksum)})
    path = tmp_path / "home" / "torch" / "MNIST" / "raw" / (name if packed else name.removesuffix(".gz"))
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(content) if packed else content)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PGA_MIRROR", f"~/torch/{place}")
    fetched = fetch("mnist", mnist.model_copy(update={"files": {name: row}}), name, tmp_path / "raw")
    assert read_idx(fetched).tolist() == [0, 0, 0]


@pytest.mark.parametrize("file", ["Img/img_align_celeba.zip", "Eval/list_eval_partition.txt"])
def test_celebas_folders_as_google_drive_has_them_are_a_mirror(file: str, root: Path, tmp_path: Path) -> None:
    celeba, name = load_sources(root / "params" / "sources.yaml")["celeba"], file.partition("/")[2]
    row = celeba.files[name].model_copy(update={"urls": (), "checksum": Checksum(value=sha(CONTENT), algorithm="sha256")})
    (tmp_path / "CelebA" / file).parent.mkdir(parents=True)
    (tmp_path / "CelebA" / file).write_bytes(CONTENT)
    found = fetch("celeba", celeba.model_copy(update={"files": {name: row}}), name, tmp_path / "raw", str(tmp_path / "CelebA"))
    assert found.read_bytes() == CONTENT


@pytest.mark.parametrize("place", ["", "cifar-10-batches-py"])
def test_an_unpacked_archive_in_a_mirror_is_packed_the_same_every_time(place: str, tmp_path: Path) -> None:
    members = {f"cifar-10-batches-py/{name}": random.Random(name).randbytes(999) for name in ("data_batch_1", "test_batch")}
    checksum = {"of": "members", "algorithm": "sha256", "members": {name: sha(content) for name, content in members.items()}}
    source = a_source(mirror=["cifar10/a.tar.gz", "cifar10/cifar-10-batches-py"], checksum=checksum)
    folder = tmp_path / "mirror"
    for name, content in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    found = [get(source, tmp_path / number, mirror=str(folder / place)).read_bytes() for number in "12"]
    assert found[0] == found[1]
    (folder / "cifar-10-batches-py" / "test_batch").unlink()
    with pytest.raises(UserError, match=f"{folder}/cifar-10-batches-py: it lacks test_batch"):
        get(source, tmp_path / "3", mirror=str(folder / place))


@pytest.mark.parametrize("kind", ["folder", "URL"])
def test_mnist_comes_from_a_mirror_alone(
    kind: str, mirror: Path, mirror_url: str, root: Path, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGA_MIRROR", str(mirror) if kind == "folder" else mirror_url)
    mnist = load_sources(root / "params" / "sources.yaml")["mnist"]
    assert len(mnist.files) == 4
    for name, row in mnist.files.items():
        here = row.model_copy(update={"urls": (f"{server.base}/{name}",)})  # for the official addresses, to see whether they are asked
        path = fetch("mnist", mnist.model_copy(update={"files": {name: here}}), name, tmp_path)
        assert path.read_bytes() == (mirror / "mnist" / name).read_bytes()
    assert server.seen == []
    assert left(tmp_path) == sorted(f"mnist/{name}" for name in mnist.files)


# The command


def command_line(folder: Path, source: Source) -> list[str]:
    table = folder / "sources.yaml"
    table.write_text(yaml.safe_dump({"sources": {"toy": source.model_dump(mode="json")}}))
    return ["fetch", "toy", "--sources", str(table), "--out", str(folder / "raw")]


def test_the_command_fetches_every_file_or_the_one_asked_for_or_says_why_not(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = a_source(server.serve(reply(404), reply(body=CONTENT), at="/1"), name="one.bin").files
    two = a_source(server.serve(reply(body=OTHER), at="/2"), name="two.bin", content=OTHER).files
    command = command_line(tmp_path, a_source("http://unused").model_copy(update={"files": one | two}))
    for wrong, message in (
        (["fetch", "toys", *command[2:]], "no source 'toys'; there are toy"),
        ([*command, "--file", "file.txt"], "toy has no file 'file.txt'; it has one.bin, two.bin"),
        (command, "pga fetch: error: toy/one.bin: no place serves it."),
    ):
        assert main(wrong) == 1
        said = capsys.readouterr()
        assert message in said.err and said.out == "" and left(tmp_path / "raw") == []
    assert main([*command, "--file", "two.bin"]) == 0
    assert left(tmp_path / "raw") == ["toy/two.bin"] and capsys.readouterr().out == f"{tmp_path}/raw/toy/two.bin\n"
    assert main(command) == 0
    assert left(tmp_path / "raw") == ["toy/one.bin", "toy/two.bin"] and (tmp_path / "raw/toy/one.bin").read_bytes() == CONTENT


def test_a_folder_that_cannot_be_written_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("a file where a folder should be")
    with pytest.raises(UserError, match=f"{tmp_path}/raw/toy/file.bin: cannot be written: "):
        get(a_source(server.serve(reply(body=CONTENT))), tmp_path / "raw")
    assert server.seen == []
