"""One file over HTTP: resumed where it broke off, retried with back-off, never larger than it may be.

`requests` and urllib3 do the protocol; resuming is ours, because pooch and its like start over.
"""

from __future__ import annotations

import email.utils
import json
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from pga.runtime.errors import UserError
from pga.runtime.progress import Progress

ATTEMPTS = 5
TIMEOUT_S = (10, 60)
LONGEST_WAIT_S = 60.0
RETRIED = {408, 425, 429, 500, 502, 503, 504}


class Refused(Exception):
    """This place does not serve the file, and trying again will not help; the text says why."""


class Broken(Exception):
    """The transfer failed in a way that another attempt may mend."""

    def __init__(self, reason: str, wait_s: float | None = None):
        super().__init__(reason)
        self.wait_s = wait_s


def download(url: str, part: Path, max_size: int) -> None:
    """Download `url` into `part`, continuing what an earlier attempt or process left there.

    Raises:
        Refused: the server says no, redirects to where it must not, or sends what cannot be the file; or every attempt broke.
    """
    for attempt in range(ATTEMPTS):
        try:
            transfer(url, part, max_size)
            return
        except Refused:
            raise
        except (requests.RequestException, urllib3.exceptions.HTTPError, Broken) as error:
            if attempt == ATTEMPTS - 1:
                raise Refused(f"{ATTEMPTS} attempts failed, the last with: {error}") from error
            asked = error.wait_s if isinstance(error, Broken) else None
            time.sleep(min(asked if asked is not None else 2.0**attempt, LONGEST_WAIT_S))
        except ValueError as error:  # numbers that are none, addresses that nobody can read
            raise Refused(f"the server's answer makes no sense: {error}") from error
        except OSError as error:  # the disk, not the network (requests' own errors are above)
            raise UserError(f"{part}: cannot be written: {error.strerror or error}") from error


def transfer(url: str, part: Path, max_size: int) -> None:
    """One attempt."""
    notes = part.with_name(part.name + ".json")
    have = part.stat().st_size if part.exists() else 0
    known = read_notes(notes) if have else {}
    validator = known.get("validator") if known.get("url") == url else None
    headers = {"Accept-Encoding": "identity"}
    if have and validator:  # without a validator nobody can say that the rest belongs to what is here
        headers |= {"Range": f"bytes={have}-", "If-Range": validator}
    else:
        have = 0
    with requests.Session() as session:
        session.max_redirects = 10
        with get(session, url, headers) as response:
            if response.status_code == 416:  # what is here is whole already, or more than whole: nobody can say, so it is fetched anew
                part.unlink(missing_ok=True)
            start, total = opening(response, have)
            if total is not None and total > max_size:
                raise Refused(f"it offers {total} bytes, at most {max_size} are accepted")
            etag = response.headers.get("ETag", "")
            mark = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")
            notes.write_text(json.dumps({"url": url, "validator": mark}))
            size = start
            with open(part, "r+b" if start else "wb") as file, Progress(total or max_size, url.rsplit("/", 1)[-1], "B", start) as progress:
                file.seek(start)
                file.truncate()
                for block in response.raw.stream(1 << 16, decode_content=False):  # the file as it is, whatever encoding a server claims
                    size += len(block)
                    if size > max_size:
                        file.truncate(0)
                        raise Refused(f"it sends more than the {max_size} bytes that are accepted")
                    file.write(block)
                    progress.advance(len(block))
    if total is not None and size != total:
        raise Broken(f"the connection ended after {size} of {total} bytes")
    notes.unlink(missing_ok=True)


def read_notes(path: Path) -> dict[str, Any]:
    """What an earlier attempt noted of its part; nothing if the notes are absent or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def get(session: requests.Session, url: str, headers: dict[str, str]) -> requests.Response:
    """GET with redirects followed by hand: never to another scheme than http(s), never from https to http."""
    for _ in range(10):
        response = session.get(url, headers=headers, stream=True, timeout=TIMEOUT_S, allow_redirects=False)
        if not response.is_redirect:
            return response
        target = requests.compat.urljoin(url, response.headers["Location"])
        response.close()
        before, after = urlsplit(url), urlsplit(target)
        if after.scheme not in ("http", "https") or (before.scheme == "https" and after.scheme == "http"):
            raise Refused(f"it redirects to {target}, which is not accepted")
        if after.scheme == "http" and after.hostname != before.hostname:
            raise Refused(f"it redirects to another host over plain HTTP, {target}, which is not accepted")
        url = target
    raise Refused("it redirects in a circle")


def opening(response: requests.Response, have: int) -> tuple[int, int | None]:
    """(where the body starts, size of the whole file if known) of a response; raises if it cannot be the file."""
    if response.status_code in RETRIED:
        raise Broken(f"the server answers {response.status_code}", retry_after(response.headers.get("Retry-After")))
    if response.status_code == 416:
        raise Broken("the server has less than what is here", 0.0)
    if response.status_code not in (200, 206):
        raise Refused(f"the server answers {response.status_code} {response.reason}")
    if "text/html" in response.headers.get("Content-Type", ""):
        raise Refused("the server sends a web page instead of the file (a quota, a login or an error page)")
    length = response.headers.get("Content-Length")
    if response.status_code == 200:
        return 0, int(length) if length and length.isdecimal() else None
    range_ = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("Content-Range", ""))
    if not range_ or int(range_[1]) != have:
        raise Refused(f"the server answers with a range that was not asked for ({response.headers.get('Content-Range')})")
    return have, int(range_[3])


def retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header, a number or a date."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
