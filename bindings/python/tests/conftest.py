"""The repository's example server, started by the tests on free ports of 127.0.0.1, and its user."""

from __future__ import annotations

import importlib
import json
import pathlib
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "authorization_server"))

REVISION = "2026-07-28"


class Message:
    """A call of a tool, as every request of revision 2026-07-28 has to be."""

    def __init__(self, tool: str, **arguments: Any) -> None:
        meta = {"io.modelcontextprotocol/protocolVersion": REVISION, "io.modelcontextprotocol/clientCapabilities": {}}
        params = {"name": tool, "arguments": arguments, "_meta": meta}
        self.body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
        self.headers = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": REVISION,
            "mcp-method": "tools/call",
            "mcp-name": tool,
        }


def text(body: bytes) -> str:
    """What the tool said, from JSON or from the events of a stream."""
    for line in body.decode().splitlines():
        line = line.removeprefix("data:").strip()
        if line.startswith("{"):
            answer = json.loads(line)
            if "result" in answer:
                return str(answer["result"]["content"][0]["text"])
    raise AssertionError(body)


class User:
    """Agrees on every page, as a person would in a browser; on a thread, as a browser is another program."""

    def __init__(self) -> None:
        self.pages: list[str] = []

    def __call__(self, url: str) -> None:
        self.pages.append(url)
        threading.Thread(target=self.agree, args=(url,), daemon=True).start()

    @staticmethod
    def agree(url: str) -> None:
        urllib.request.urlopen(url, timeout=10).read()
        agreed = urllib.request.Request(url, b"decision=agree", method="POST")
        urllib.request.urlopen(agreed, timeout=10).read()

    def scopes(self) -> list[list[str]]:
        """The scopes that each page asked for."""
        queries = [urllib.parse.parse_qs(urllib.parse.urlsplit(page).query) for page in self.pages]
        return [sorted(query.get("scope", [""])[0].split()) for query in queries]


@pytest.fixture
def user() -> User:
    return User()


@pytest.fixture
def server() -> Iterator[str]:
    """The URL of a protected MCP server, with an authorization server beside it; it ends with the test."""
    with importlib.import_module("server").example() as url:
        yield url


@pytest.fixture
def message() -> Callable[..., Message]:
    return Message


@pytest.fixture
def serving() -> Iterator[Callable[[Callable[[str], Any]], str]]:
    """Serves the application that is made for a URL, at that URL."""
    servers: list[tuple[uvicorn.Server, threading.Thread]] = []

    def serve(make: Callable[[str], Any]) -> str:
        config = uvicorn.Config(lambda *_: None, port=0, log_level="error", lifespan="off")
        listener = config.bind_socket()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        config = uvicorn.Config(make(url), log_level="error")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        servers.append((server, thread))
        return url

    yield serve
    for server, thread in servers:
        server.should_exit = True
        thread.join(10)
