"""requests against the repository's example server."""

from __future__ import annotations

import concurrent.futures
import gc
import pathlib

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
