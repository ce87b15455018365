"""`grantor.mcp.OAuthClientProvider` in the MCP SDK's own client, where the SDK has the class of this name."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import httpx2
import pytest
from mcp.client.auth import AuthorizationCodeResult, OAuthFlowError
from mcp.client.auth import OAuthClientProvider as SdkProvider
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

import grantor
from grantor._mcp_records import Records
from grantor.mcp import OAuthClientProvider

REDIRECT_URI = "http://127.0.0.1:3030/callback"


class InMemory:
    """The storage of the SDK's examples."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class AsJson:
    """The models as JSON, as applications keep them in files and keyrings."""

    def __init__(self, **dump: Any) -> None:
        self.texts: dict[str, str] = {}
        self.dump = dump

    async def get_tokens(self) -> OAuthToken | None:
        text = self.texts.get("tokens")
        return None if text is None else OAuthToken.model_validate_json(text)

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.texts["tokens"] = tokens.model_dump_json(**self.dump)

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        text = self.texts.get("client")
        return None if text is None else OAuthClientInformationFull.model_validate_json(text)

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.texts["client"] = client_info.model_dump_json(**self.dump)


@pytest.fixture(params=["memory", "json", "short-json"])
def storage(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return InMemory()
    return AsJson(exclude_none=True) if request.param == "short-json" else AsJson()


class Person:
    """The user behind the SDK's two handlers: agrees on each page, and brings what the redirect says."""

    def __init__(self) -> None:
        self.pages: list[str] = []

    async def redirect(self, url: str) -> None:
        self.pages.append(url)

    async def callback(self) -> AuthorizationCodeResult:
        location = await asyncio.to_thread(self._agree, self.pages[-1])
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(location).query)
        given = {name: query[name][0] for name in ("code", "state", "iss") if name in query}
        return AuthorizationCodeResult.model_validate(given)

    @staticmethod
    def _agree(url: str) -> str:
        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_: Any) -> None:
                return None

        opener = urllib.request.build_opener(Stay)
        opener.open(url, timeout=10).read()
        try:
            opener.open(urllib.request.Request(url, b"decision=agree", method="POST"), timeout=10)
        except urllib.error.HTTPError as answer:
            return str(answer.headers["location"])
        raise AssertionError("the page does not redirect")


def metadata() -> OAuthClientMetadata:
    return OAuthClientMetadata.model_validate({"client_name": "Test", "redirect_uris": [REDIRECT_URI]})


def provider(server: str, storage: Any, person: Person, **settings: Any) -> OAuthClientProvider:
    return OAuthClientProvider(server, metadata(), storage, person.redirect, person.callback, **settings)


async def said(server: str, auth: httpx2.Auth, *tools: str, **options: Any) -> list[str]:
    """What tools say to the SDK's client."""
    answers = []
    async with httpx2.AsyncClient(auth=auth) as http:
        transport = streamable_http_client(server, http_client=http)
        async with Client(transport, **options) as client:
            for tool in tools:
                result: Any = await client.call_tool(tool, {})
                answers.append(result.content[0].text)
    return answers


def done(*tools: str) -> list[str]:
    return [f"{tool} done for planted-user" for tool in tools]


def cause(error: BaseException) -> BaseException:
    """What is in the groups that the SDK's client raises."""
    while inner := getattr(error, "exceptions", ()):
        error = inner[0]
    return error


def test_log_in_step_up_and_restart(server: str, storage: Any) -> None:
    person = Person()
    assert asyncio.run(said(server, provider(server, storage, person), "list_notes", "write_note", "list_notes")) == done(
        "list_notes", "write_note", "list_notes"
    )
    assert len(person.pages) == 3, "for the discovery, for reading, for writing"
    # A new process has nothing but the storage.
    assert asyncio.run(said(server, provider(server, storage, person), "write_note")) == done("write_note")
    assert len(person.pages) == 3


def held(storage: Any) -> tuple[OAuthToken, OAuthClientInformationFull]:
    tokens, client = asyncio.run(storage.get_tokens()), asyncio.run(storage.get_client_info())
    assert tokens is not None and client is not None
    return tokens, client


def test_the_storage_has_what_the_sdks_provider_needs(server: str, storage: Any) -> None:
    person = Person()
    asyncio.run(said(server, provider(server, storage, person), "list_notes"))
    tokens, client = held(storage)
    assert tokens.access_token and tokens.refresh_token and tokens.token_type == "Bearer"
    assert set((tokens.scope or "").split()) >= {"notes:use", "notes:read"} and (tokens.expires_in or 0) > 0
    page = urllib.parse.parse_qs(urllib.parse.urlsplit(person.pages[0]).query)
    assert client.client_id == page["client_id"][0] and client.issuer == person.pages[0].split("/authorize")[0]
    assert [str(uri) for uri in client.redirect_uris or []] == [REDIRECT_URI]
    told = client.model_dump_json()
    assert tokens.access_token not in told and tokens.refresh_token not in told, "tokens are in one place"

    async def refuse(*_: Any) -> None:
        raise AssertionError("no page is needed")

    theirs = SdkProvider(server, metadata(), storage, refuse, refuse)  # type: ignore[arg-type]
    assert asyncio.run(said(server, theirs, "list_notes")) == done("list_notes")


def test_tokens_that_another_has_stored_are_not_used(server: str, storage: Any) -> None:
    person = Person()
    asyncio.run(said(server, provider(server, storage, person), "list_notes"))
    pages = len(person.pages)
    asyncio.run(storage.set_tokens(OAuthToken(access_token="planted", refresh_token="planted")))
    assert asyncio.run(said(server, provider(server, storage, person), "list_notes")) == done("list_notes")
    assert len(person.pages) > pages
    assert held(storage)[0].access_token != "planted"


def test_log_out_leaves_no_token(server: str, storage: Any) -> None:
    person = Person()
    auth = provider(server, storage, person)

    async def run() -> None:
        await auth.log_in_async()
        assert await said(server, auth, "list_notes") == done("list_notes")
        await auth.log_out_async()

    asyncio.run(run())
    tokens, _ = held(storage)
    assert (tokens.access_token, tokens.refresh_token) == ("", None)
    pages = len(person.pages)
    assert asyncio.run(said(server, auth, "list_notes")) == done("list_notes")
    assert len(person.pages) > pages


def test_a_client_that_was_forgotten_is_registered_anew(server: str, storage: Any) -> None:
    person = Person()

    async def forgotten() -> None:
        auth = provider(server, storage, person)
        await auth.log_in_async()
        await auth.forget_async()

    asyncio.run(forgotten())
    before = held(storage)[1].client_id
    assert asyncio.run(said(server, provider(server, storage, person), "list_notes")) == done("list_notes")
    assert held(storage)[1].client_id != before


def test_many_calls_at_once_wait_for_one_log_in(server: str, storage: Any) -> None:
    person = Person()
    auth = provider(server, storage, person)

    async def run() -> None:
        async with httpx2.AsyncClient(auth=auth) as http, Client(streamable_http_client(server, http_client=http)) as client:
            results: list[Any] = await asyncio.gather(*(client.call_tool("list_notes", {}) for _ in range(10)))
        assert [result.content[0].text for result in results] == done("list_notes") * 10

    asyncio.run(run())
    assert len(person.pages) == 2, "for the discovery, and for all the calls"


def test_a_client_that_the_application_has_registered(storage: Any) -> None:
    """It is used as it is, its secret stays, and so does what its JWK Set holds."""
    seen: list[httpx2.Request] = []
    issuer = "http://127.0.0.1:9"

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        match request.url.path:
            case "/mcp" if "authorization" in request.headers:
                return httpx2.Response(200)
            case "/mcp":
                return httpx2.Response(401, headers={"www-authenticate": "Bearer"})
            case "/.well-known/oauth-protected-resource/mcp":
                return httpx2.Response(200, json={"resource": f"{issuer}/mcp", "authorization_servers": [issuer]})
            case "/.well-known/oauth-authorization-server":
                ends = {"authorization_endpoint": f"{issuer}/authorize", "token_endpoint": f"{issuer}/token"}
                pkce = {"code_challenge_methods_supported": ["S256"], "response_types_supported": ["code"]}
                return httpx2.Response(200, json={"issuer": issuer, **ends, **pkce})
            case "/token":
                return httpx2.Response(200, json={"access_token": "planted-token", "token_type": "Bearer", "expires_in": 60})
        raise AssertionError(request.url)

    pages: list[str] = []

    async def redirect(url: str) -> None:
        pages.append(url)

    async def callback() -> AuthorizationCodeResult:
        state = urllib.parse.parse_qs(urllib.parse.urlsplit(pages[-1]).query)["state"][0]
        return AuthorizationCodeResult(code="planted-code", state=state)

    known = {"client_id": "by-hand", "client_secret": "s3cret", "token_endpoint_auth_method": "client_secret_post"}
    keys = {"keys": [{"kty": "oct", "k": "AAAA"}]}
    asyncio.run(storage.set_client_info(OAuthClientInformationFull.model_validate({**known, "jwks": keys})))

    async def run() -> int:
        auth = OAuthClientProvider(f"{issuer}/mcp", metadata(), storage, redirect, callback)
        async with httpx2.AsyncClient(auth=auth, transport=httpx2.MockTransport(answer)) as http:
            return (await http.post(f"{issuer}/mcp")).status_code

    for _ in range(2):
        assert asyncio.run(run()) == 200
    assert len(pages) == 1 and "client_id=by-hand" in pages[0]
    (exchange,) = [request for request in seen if request.url.path == "/token"]
    form = urllib.parse.parse_qs(exchange.content.decode())
    assert form["client_id"] == ["by-hand"] and form["client_secret"] == ["s3cret"]
    tokens, client = held(storage)
    assert tokens.access_token == "planted-token"
    assert (client.client_id, client.client_secret, (client.jwks or {})["keys"]) == ("by-hand", "s3cret", keys["keys"])


def test_tokens_that_are_bound_to_a_key_are_not_where_the_sdk_would_send_them(storage: Any) -> None:
    """Without the key nobody can use them."""

    async def run() -> None:
        records = Records(storage)
        key = grantor.StoreKey("grant", "https://h/mcp", "default", "https://as.example.com")
        bearer = json.dumps({"v": 2, "record": {"client": {"id": "c"}, "access_token": "one"}}, separators=(",", ":"))
        bound = bearer.replace('"one"', '"two","dpop":{"thumbprint":"t"}')
        first = await records.save(key, bearer.encode(), None)
        assert storage_tokens(await storage.get_tokens()) == "one"
        second = await records.save(key, bound.encode(), first)
        assert storage_tokens(await storage.get_tokens()) == ""
        loaded = await records.load(key)
        assert loaded is not None and loaded.record == bound.encode() and loaded.revision == second

    asyncio.run(run())


def storage_tokens(tokens: OAuthToken | None) -> str | None:
    return None if tokens is None else tokens.access_token


def test_two_grants_have_one_place_for_tokens(storage: Any) -> None:
    async def run() -> None:
        records, revisions, texts = Records(storage), [], []
        keys = [grantor.StoreKey("grant", "https://h/mcp", "default", f"https://{name}") for name in ("one", "two")]
        for key in keys:
            record = {"issuer": key.issuer, "client": {"id": "c"}, "access_token": f"of {key.issuer}"}
            texts.append(json.dumps({"v": 2, "record": record}, separators=(",", ":")).encode())
            revisions.append(await records.save(key, texts[-1], None))
        for key, revision, text in zip(keys, revisions, texts):
            assert await records.load(key) == grantor.Stored(text, revision or b"")
        for key, revision in zip(keys, revisions):
            assert await records.delete(key, revision or b"") and await records.load(key) is None
        assert storage_tokens(await storage.get_tokens()) == ""

    asyncio.run(run())


@pytest.mark.parametrize("state", ["made up", None])
def test_what_fails_is_an_error_of_the_sdk_with_the_blame_behind_it(server: str, state: str | None) -> None:
    person = Person()

    async def declines() -> AuthorizationCodeResult:
        return AuthorizationCodeResult(code="made up" if state else "", state=state)

    person.callback = declines  # type: ignore[method-assign]
    with pytest.raises(BaseException) as caught:
        asyncio.run(said(server, provider(server, InMemory(), person), "list_notes"))
    error = cause(caught.value)
    assert isinstance(error, OAuthFlowError) and isinstance(error.__cause__, grantor.GrantorError)
    assert "state" in str(error), "at once, not when nobody waits any more"


def test_what_a_handler_raises_is_raised(server: str) -> None:
    person = Person()

    async def fails() -> AuthorizationCodeResult:
        raise LookupError("the window was closed")

    person.callback = fails  # type: ignore[method-assign]
    with pytest.raises(BaseException) as caught:
        asyncio.run(said(server, provider(server, InMemory(), person), "list_notes"))
    error = cause(caught.value)
    assert isinstance(error, LookupError) and isinstance(error.__cause__, grantor.HostError)


def test_the_sdks_timeout_does_not_run_while_the_user_thinks(server: str) -> None:
    person = Person()
    agreed = person.callback

    async def slow() -> AuthorizationCodeResult:
        await asyncio.sleep(3)
        return await agreed()

    person.callback = slow  # type: ignore[method-assign]
    auth = provider(server, InMemory(), person)
    assert asyncio.run(said(server, auth, "list_notes", read_timeout_seconds=2.5)) == done("list_notes")


def test_what_it_does_not_take(server: str) -> None:
    async def valid(*_: Any) -> None: ...

    with pytest.raises(grantor.ConfigurationError, match="resource_identifier"):
        OAuthClientProvider(server, metadata(), InMemory(), validate_resource_url=valid)
    with pytest.raises(ValueError):
        OAuthClientProvider(server, metadata(), InMemory(), client_metadata_url="https://example.com/")
    with httpx2.Client(auth=provider(server, InMemory(), Person())) as client, pytest.raises(grantor.MisuseError):
        client.post(server)
    with pytest.raises(grantor.MisuseError):
        provider(server, InMemory(), Person()).log_in()
