"""A small server on loopback that speaks as much of the Hugging Face Hub's protocol as pushing and loading a model need."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0" * 40


class HubHandler(http.server.BaseHTTPRequestHandler):
    files: dict[str, dict[str, bytes]]

    def answer(self, content: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), "X-Repo-Commit": COMMIT, **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_POST(self) -> None:
        path, body = urlsplit(self.path).path, self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if path == "/api/repos/create":
            assert self.headers["Authorization"] == "Bearer hf_test"
            name = "/".join(filter(None, (json.loads(body).get("organization") or "user", json.loads(body)["name"])))
            self.files.setdefault(name, {})
            self.answer({"url": f"http://127.0.0.1/{name}", "name": name, "id": name})
        elif path == "/api/validate-yaml":
            self.answer({"errors": [], "warnings": []})
        elif path.endswith("/preupload/main"):
            named = [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False} for file in json.loads(body)["files"]]
            self.answer({"files": named})
        elif found := re.fullmatch(r"/api/models/(.+)/commit/main", path):
            for line in filter(None, body.splitlines()):
                row = json.loads(line)
                if row["key"] == "file":
                    self.files[found[1]][row["value"]["path"]] = base64.b64decode(row["value"]["content"])
            self.answer({"commitUrl": f"http://127.0.0.1/{found[1]}/commit/{COMMIT}", "commitOid": COMMIT})
        else:
            self.answer({"error": path}, 404)

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        info = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(?:revision|tree)/[^/]+)?", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path)
        if path == "/api/whoami-v2":
            self.answer({"name": "user", "type": "user"})
        elif info and info[1] in self.files:
            rows = [{"type": "file", "rfilename": n, "path": n, "size": len(c), "oid": "0"} for n, c in self.files[info[1]].items()]
            self.answer(rows if "/tree/" in path else {"id": info[1], "modelId": info[1], "sha": COMMIT, "siblings": rows})
        elif file and file[2] in self.files.get(file[1], {}):
            content = self.files[file[1]][file[2]]
            self.answer(content, headers={"ETag": f'"{hashlib.sha256(content).hexdigest()}"'})
        else:
            self.answer({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Tests print nothing."""


@contextmanager
def hub() -> Iterator[tuple[str, dict[str, dict[str, bytes]]]]:
    """(address, {user/name: {path: content}})."""
    files: dict[str, dict[str, bytes]] = {}
    handler = type("Handler", (HubHandler,), {"files": files})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", files
        server.shutdown()
        thread.join()
