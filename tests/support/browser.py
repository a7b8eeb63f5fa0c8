"""A page in a real headless Chromium, driven by its DevTools protocol: what it asks for, what it logs, what scripts see in it."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest


@contextmanager
def chromium(profile: Path) -> Iterator[str]:
    """A running Chromium; gives the address of its DevTools."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("chromium: not installed (Debian: chromium)")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-port=0"]
    command = [program, *flags, f"--user-data-dir={profile}", "about:blank"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if found := re.search(r"ws://([\d.]+:\d+)/", line):
                    yield f"http://{found[1]}"
                    return
            pytest.fail("chromium ended without telling the address of its DevTools")
        finally:
            process.kill()


class Page:
    """What was seen of a page: requests, errors, and the answers of scripts."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.answers: list[Any] = []


def visit(
    address: str, url: str, width: int, scripts: list[str], keys: Sequence[str] = (), dark: bool = False, medium: str = "screen"
) -> Page:
    """Open `url` in a window of `width` pixels and evaluate scripts in turn; `keys` are pressed before the last of them."""
    return asyncio.run(_visit(address, url, width, scripts, keys, dark, medium))


async def _visit(address: str, url: str, width: int, scripts: list[str], keys: Sequence[str], dark: bool, medium: str) -> Page:
    page = Page()
    async with aiohttp.ClientSession() as session:
        async with session.put(f"{address}/json/new?about:blank") as answer:
            target = await answer.json(content_type=None)
        async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
            number = 0
            loaded = False

            async def receive() -> dict[str, Any]:
                nonlocal loaded
                message: dict[str, Any] = json.loads((await asyncio.wait_for(socket.receive(), 60)).data)
                method, said = message.get("method"), message.get("params", {})
                if method == "Network.requestWillBeSent":
                    page.requests.append(said["request"]["url"])
                elif method == "Runtime.exceptionThrown":
                    page.errors.append(str(said["exceptionDetails"]))
                elif method == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning"):
                    page.errors.append(said["entry"]["text"])
                elif method == "Runtime.consoleAPICalled" and said["type"] in ("error", "warning"):
                    page.errors.append(str(said["args"]))
                elif method == "Page.loadEventFired":
                    loaded = True
                return message

            async def call(method: str, **parameters: Any) -> Any:
                nonlocal number
                number += 1
                own = number
                await socket.send_json({"id": own, "method": method, "params": parameters})
                while (message := await receive()).get("id") != own:
                    pass
                assert "error" not in message, message
                return message["result"]

            for domain in ("Network", "Runtime", "Log", "Page"):
                await call(f"{domain}.enable")
            await call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
            scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
            await call("Emulation.setEmulatedMedia", media=medium, features=[scheme])
            await call("Page.navigate", url=url)
            while not loaded:
                await receive()
            for script in scripts:
                if script is scripts[-1]:
                    for key in keys:
                        text = {"Enter": "\r"}.get(key, "")
                        await call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, text=text, windowsVirtualKeyCode=13)
                        await call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key)
                result = await call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
                assert "exceptionDetails" not in result, result
                page.answers.append(result["result"].get("value"))
    return page
