"""httpx and httpx2 against the repository's example server: all that a user writes is `auth=`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib
import itertools
import logging
import pathlib
from typing import Any

import pytest

import grantor
from conftest import Message, User, text
from grantor import Browser, Config, FileStore


@pytest.fixture(params=["httpx", "httpx2"])
def stack(request: pytest.FixtureRequest) -> Any:
    return pytest.importorskip(request.param)


def auth_of(stack: Any, config: Config | str, user: User, **options: Any) -> Any:
    return importlib.import_module(f"grantor.{stack.__name__}").Auth(config, user_agent=Browser(user), **options)


def post(client: Any, url: str, tool: str, **arguments: Any) -> Any:
    message = Message(tool, **arguments)
    return client.post(url, content=message.body, headers=message.headers)


def test_from_the_first_401_to_the_step_up(stack: Any, server: str, user: User) -> None:
    with stack.Client(auth=auth_of(stack, server, user)) as client:
        for tool in ("list_notes", "read_note", "write_note", "read_note"):
            response = post(client, server, tool)
            assert response.status_code == 200
            assert text(response.content) == f"{tool} done for planted-user"
    assert len(user.pages) == 2
    assert set(user.scopes()[0]) < set(user.scopes()[1]), "a step-up keeps what there was"


def test_the_same_for_asyncio(stack: Any, server: str, user: User) -> None:
    async def run() -> None:
        async with stack.AsyncClient(auth=auth_of(stack, server, user)) as client:
            for tool in ("list_notes", "write_note"):
                response = await post(client, server, tool)
                assert text(response.content) == f"{tool} done for planted-user"

    asyncio.run(run())
    assert len(user.pages) == 2


def test_one_object_for_threads_tasks_and_loops(stack: Any, server: str, user: User) -> None:
    auth = auth_of(stack, server, user)

    async def many() -> None:
        async with stack.AsyncClient(auth=auth) as client:
            responses = await asyncio.gather(*(post(client, server, "list_notes") for _ in range(30)))
            assert {response.status_code for response in responses} == {200}

    asyncio.run(many())
    asyncio.run(many())
    with stack.Client(auth=auth) as client, concurrent.futures.ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda _: post(client, server, "list_notes"), range(30)))
    assert {response.status_code for response in responses} == {200}
    assert len(user.pages) == 1, "one authorization for all"


def test_many_threads_at_once_without_a_token(stack: Any, server: str, user: User) -> None:
    with stack.Client(auth=auth_of(stack, server, user)) as client, concurrent.futures.ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda _: post(client, server, "list_notes"), range(24)))
    assert {response.status_code for response in responses} == {200}
    assert len(user.pages) == 1


def test_tokens_survive_in_a_file_store(stack: Any, server: str, user: User, tmp_path: pathlib.Path) -> None:
    for _ in range(2):
        auth = auth_of(stack, Config(server, "Test"), user, store=FileStore(tmp_path / "records"))
        with stack.Client(auth=auth) as client:
            assert post(client, server, "list_notes").status_code == 200
    assert len(user.pages) == 1


def test_a_user_who_declines(stack: Any, server: str) -> None:
    class Declining:
        def listen(self, preferred: str | None) -> str:
            return "http://127.0.0.1:7000/"

        def approve(self, summary: grantor.Summary) -> bool:
            return True

        async def authorize(self, prompt: grantor.AuthorizationPrompt, wait: grantor.Wait) -> grantor.Declined:
            return grantor.Declined()

    module = importlib.import_module(f"grantor.{stack.__name__}")

    async def run() -> None:
        async with stack.AsyncClient(auth=module.Auth(server, user_agent=Declining())) as client:
            await post(client, server, "list_notes")

    with pytest.raises(grantor.UserError, match="declined"):
        asyncio.run(run())


def test_a_cancelled_request_stops_nothing_that_others_wait_for(stack: Any, server: str, user: User) -> None:
    async def run() -> None:
        async with stack.AsyncClient(auth=auth_of(stack, server, user)) as client:
            first = asyncio.create_task(post(client, server, "list_notes"))
            others = [asyncio.create_task(post(client, server, "list_notes")) for _ in range(5)]
            while not user.pages:
                await asyncio.sleep(0.001)
            first.cancel()
            responses = await asyncio.gather(*others)
            assert {response.status_code for response in responses} == {200}
            with pytest.raises(asyncio.CancelledError):
                await first

    asyncio.run(run())
    assert len(user.pages) == 1


class CancelledAt:
    """Awaits something, and cancels its task when it has to wait for the n-th time."""

    def __init__(self, made: Any, turn: int) -> None:
        self.made, self.turn, self.cancels = made, turn, False

    def __await__(self) -> Any:
        steps, thrown, task = self.made.__await__(), None, asyncio.current_task()
        assert task is not None
        for turn in itertools.count():
            try:
                waits_for = next(steps) if thrown is None else steps.throw(thrown)
            except StopIteration as end:
                return end.value
            if turn == self.turn:
                self.cancels = task.cancel()
            thrown = None
            try:
                yield waits_for
            except BaseException as error:
                thrown = error


def test_cancelled_at_every_await(stack: Any, server: str, user: User) -> None:
    """Whatever it waits for when it is cancelled, the next request with the same `Auth` gets through."""

    async def cancel(turn: int) -> bool:
        async with stack.AsyncClient(auth=auth_of(stack, server, user)) as client:
            cut = CancelledAt(post(client, server, "list_notes"), turn)

            async def request() -> None:
                await cut

            (ended,) = await asyncio.gather(asyncio.ensure_future(request()), return_exceptions=True)
            assert isinstance(ended, asyncio.CancelledError) if cut.cancels else ended is None, (turn, ended)
            assert (await post(client, server, "list_notes")).status_code == 200
            return cut.cancels

    async def run() -> int:
        turn = 0
        while await cancel(turn):
            turn += 1
        return turn

    assert asyncio.run(run()) > 10, "a log-in waits many times"


def test_a_token_goes_nowhere_else(stack: Any, server: str, user: User) -> None:
    with stack.Client(auth=auth_of(stack, server, user)) as client:
        with pytest.raises(grantor.MisuseError):
            client.get("http://127.0.0.1:9/mcp")


def test_a_server_that_is_not_there(stack: Any, user: User) -> None:
    """The caller's own request fails as it always does; Grantor's own with blame and without its URL's query."""
    with stack.Client(auth=auth_of(stack, "http://127.0.0.1:9/mcp", user)) as client:
        with pytest.raises(stack.ConnectError):
            post(client, "http://127.0.0.1:9/mcp", "list_notes")

    def answer(request: Any) -> Any:
        if request.method == "POST":
            metadata = 'Bearer resource_metadata="http://127.0.0.1:9/.well-known/oauth-protected-resource/mcp"'
            return stack.Response(401, headers={"www-authenticate": metadata})
        raise stack.ConnectError("planted")

    transport = stack.MockTransport(answer)
    with stack.Client(auth=auth_of(stack, "http://127.0.0.1:9/mcp", user), transport=transport) as client:
        with pytest.raises(grantor.HostError, match="not reachable") as caught:
            post(client, "http://127.0.0.1:9/mcp", "list_notes")
    assert caught.value.kind == "unreachable" and "planted" not in str(caught.value)


def test_own_requests_are_without_what_is_the_callers(stack: Any, user: User) -> None:
    """No cookie, default header, or redirect of the client's is used for them."""
    seen: list[Any] = []

    def answer(request: Any) -> Any:
        seen.append(request)
        if request.url.path == "/mcp":
            return stack.Response(401, headers={"www-authenticate": "Bearer"})
        return stack.Response(302, headers={"location": "http://127.0.0.1:9/elsewhere"})

    client = stack.Client(
        auth=auth_of(stack, "http://127.0.0.1:9/mcp", user),
        transport=stack.MockTransport(answer),
        headers={"x-api-key": "planted"},
        cookies={"session": "planted"},
        follow_redirects=True,
    )
    with client, pytest.raises(grantor.GrantorError):
        post(client, "http://127.0.0.1:9/mcp", "list_notes")
    own = [request for request in seen if request.url.path != "/mcp"]
    assert own and not any("planted" in str(request.headers.raw) for request in own)


def test_answers_are_bounded(stack: Any, user: User) -> None:
    read: list[int] = []

    class Endless(stack.SyncByteStream):  # type: ignore[misc]
        def __iter__(self) -> Any:
            for n in range(100_000):
                read.append(n)
                yield b" " * 65536

    def answer(request: Any) -> Any:
        if request.url.path == "/mcp":
            return stack.Response(401, headers={"www-authenticate": "Bearer"})
        return stack.Response(200, headers={"content-type": "application/json"}, stream=Endless())

    transport = stack.MockTransport(answer)
    with stack.Client(auth=auth_of(stack, "http://127.0.0.1:9/mcp", user), transport=transport) as client:
        with pytest.raises(grantor.GrantorError):
            post(client, "http://127.0.0.1:9/mcp", "list_notes")
    assert len(read) < 1000


def test_notices_are_logged_without_secrets(
    stack: Any, server: str, user: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="grantor")
    with stack.Client(auth=auth_of(stack, server, user)) as client:
        token = post(client, server, "list_notes").request.headers["authorization"].removeprefix("Bearer ")
    own = [record.getMessage() for record in caplog.records if record.name == "grantor"]
    assert any(line.startswith("token issued") for line in own)
    assert any("client registration" in line for line in own)
    assert not any(token in line or "code=" in line for line in own)


def test_log_in_and_out_without_a_request(stack: Any, server: str, user: User) -> None:
    auth = auth_of(stack, server, user)
    auth.log_in()
    assert len(user.pages) == 1
    auth.log_in()
    assert len(user.pages) == 1, "there is a token"
    with stack.Client(auth=auth) as client:
        assert post(client, server, "list_notes").status_code == 200
        auth.log_out()
        pages = len(user.pages)
        assert post(client, server, "list_notes").status_code == 200
        assert len(user.pages) == pages + 1
