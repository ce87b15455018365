"""requests against the repository's example server."""

from __future__ import annotations

import concurrent.futures
import gc
import pathlib
import socket
import threading
from collections.abc import Iterator

import pytest
import requests

import grantor
from conftest import Message, User, text
from grantor import Browser, Config, FileStore
from grantor.requests import Auth


def post(client: requests.Session, url: str, tool: str) -> requests.Response:
    message = Message(tool)
    return client.post(url, data=message.body, headers=message.headers, timeout=20)


def session_of(auth: Auth) -> requests.Session:
    session = requests.Session()
    session.auth = auth
    return session


def test_from_the_first_401_to_the_step_up(server: str, user: User) -> None:
    with session_of(Auth(server, user_agent=Browser(user))) as client:
        for tool in ("list_notes", "read_note", "write_note", "read_note"):
            assert text(post(client, server, tool).content) == f"{tool} done for planted-user"
    assert len(user.pages) == 2


def test_many_threads_at_once_without_a_token(server: str, user: User) -> None:
    auth = Auth(server, user_agent=Browser(user))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda _: post(session_of(auth), server, "list_notes"), range(24)))
    assert {response.status_code for response in responses} == {200}
    assert len(user.pages) == 1


def test_one_store_for_two_stacks(server: str, user: User, tmp_path: pathlib.Path) -> None:
    httpx = pytest.importorskip("httpx")
    from grantor.httpx import Auth as HttpxAuth

    config = Config(server, "Test")
    with session_of(Auth(config, store=FileStore(tmp_path / "r"), user_agent=Browser(user))) as client:
        assert post(client, server, "list_notes").status_code == 200
    auth = HttpxAuth(config, store=FileStore(tmp_path / "r"), user_agent=Browser(user))
    message = Message("list_notes")
    with httpx.Client(auth=auth) as other:
        assert other.post(server, content=message.body, headers=message.headers).status_code == 200
    assert len(user.pages) == 1


def test_a_request_that_is_never_sent_is_given_up(server: str, user: User) -> None:
    auth = Auth(server, user_agent=Browser(user))
    with session_of(auth) as client:
        for _ in range(10):
            client.prepare_request(requests.Request("POST", server))
        gc.collect()
        with pytest.raises(grantor.MisuseError):
            auth.session.engine.report(0, 200)


def test_a_token_goes_nowhere_else(server: str, user: User) -> None:
    with session_of(Auth(server, user_agent=Browser(user))) as client, pytest.raises(grantor.MisuseError):
        client.get("http://127.0.0.1:9/mcp", timeout=1)


def first_request(url: str) -> grantor.HttpRequest:
    """The first that an engine sends for this server: a GET."""
    engine = grantor.Engine(Config(url))
    engine.log_in()
    while (output := engine.poll_output()) is not None:
        match output:
            case grantor.NeedEntropy(length):
                engine.add_entropy(bytes(length))
            case grantor.Perform(op, _, grantor.Load()):
                engine.complete(op, grantor.Loaded(None))
            case grantor.Perform(_, _, grantor.Http(request)):
                return request
    raise AssertionError("an engine asks for metadata")


def answering(*answers: bytes) -> Iterator[str]:
    """A server that answers each connection with the next of these, and the last with nothing behind it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answer in answers:
                connection, _ = listener.accept()
                connection.recv(65536)
                connection.sendall(answer)
                if answer.endswith(b"stalled"):
                    connections.append(connection)  # open, and silent
                else:
                    connection.close()

        connections: list[socket.socket] = []
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        for connection in connections:
            connection.close()


def test_a_connection_that_was_closed_while_idle_costs_nothing() -> None:
    for url in answering(b"", b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"):
        assert Auth(url)._send(first_request(url), 1000, 5).status == 404


def test_a_body_that_stalls_is_out_of_time() -> None:
    for url in answering(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nstalled"):
        with pytest.raises(grantor.HostError) as caught:
            Auth(url)._send(first_request(url), 1000, 0.3)
        assert caught.value.kind == "timed_out"
