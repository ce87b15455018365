"""The machine by hand, as the core's documentation drives it."""

from __future__ import annotations

import gc
import os
import pickle
import sys
import urllib.parse
from collections.abc import Callable

import pytest

import grantor
from grantor import (
    Abandon,
    Authorize,
    Call,
    Callback,
    Config,
    Delete,
    Deleted,
    Deliver,
    Engine,
    Fail,
    Http,
    HttpAnswer,
    Listen,
    Listening,
    Load,
    Loaded,
    NeedEntropy,
    Notice,
    Now,
    Perform,
    Save,
    Saved,
    Send,
)

SERVER = "https://mcp.example.com/mcp"
ANSWERS = {
    "/.well-known/oauth-protected-resource/mcp": (
        200,
        b'{"resource": "https://mcp.example.com/mcp", "authorization_servers": ["https://as.example.com"]}',
    ),
    "/.well-known/oauth-authorization-server": (
        200,
        b'{"issuer": "https://as.example.com", "authorization_endpoint": "https://as.example.com/authorize",'
        b' "token_endpoint": "https://as.example.com/token", "registration_endpoint": "https://as.example.com/register",'
        b' "code_challenge_methods_supported": ["S256"], "response_types_supported": ["code"],'
        b' "token_endpoint_auth_methods_supported": ["none"]}',
    ),
    "/register": (201, b'{"client_id": "c1", "redirect_uris": ["http://127.0.0.1:7000/"]}'),
    "/token": (200, b'{"access_token": "planted", "token_type": "Bearer", "expires_in": 3600}'),
}
JSON = (("content-type", "application/json"),)
NOW = Now(0, 1_800_000_000)


def answer(url: str) -> HttpAnswer:
    status, body = ANSWERS.get(urllib.parse.urlsplit(url).path, (404, b"{}"))
    return HttpAnswer(status, JSON, body)


def drive(engine: Engine, call: int) -> list[str | None]:
    """Performs everything until the call is over; returns the `authorization` of each try."""
    tried: list[str | None] = []
    for output in engine:
        match output:
            case NeedEntropy(length):
                engine.add_entropy(os.urandom(length), now=NOW)
            case Perform(op, _, effect, _):
                match effect:
                    case Http(request, _):
                        done: grantor.Completion = answer(request.url)
                    case Load():
                        done = Loaded(None)
                    case Save():
                        done = Saved(bytes(16))
                    case Delete():
                        done = Deleted()
                    case Listen():
                        done = Listening("http://127.0.0.1:7000/")
                    case Authorize(prompt):
                        state = urllib.parse.parse_qs(urllib.parse.urlsplit(prompt.url).query)["state"][0]
                        back = f"{prompt.redirect_uri}?code=1234&state={state}"
                        assert prompt.is_answered_by(back) and not prompt.is_answered_by(prompt.redirect_uri)
                        assert prompt.summary.issuer == "https://as.example.com"
                        assert prompt.summary.reason == "unauthorized"
                        done = Callback(back)
                    case other:
                        raise AssertionError(other)
                engine.complete(op, done, now=NOW)
            case Call(of, Send(headers)) if of == call:
                tried.append(dict(headers).get("authorization"))
                engine.report(call, 401 if tried[-1] is None else 200, now=NOW)
            case Call(of, Deliver()) if of == call:
                return tried
            case Call(_, Fail(error)):
                raise error
            case Notice() | Abandon():
                pass
    raise AssertionError("the call is not over")


def test_a_flow_by_hand() -> None:
    engine = Engine(Config(SERVER, "Example"))
    call = engine.authorize("POST", SERVER, now=NOW)
    assert drive(engine, call) == [None, "Bearer planted"]
    assert engine.poll_output() is None
    assert drive(engine, engine.authorize("POST", SERVER, now=NOW)) == ["Bearer planted"]


def test_errors_are_sorted_by_blame(monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = ANSWERS["/.well-known/oauth-authorization-server"][1].replace(b"as.example.com", b"evil.example", 1)
    monkeypatch.setitem(ANSWERS, "/.well-known/oauth-authorization-server", (200, metadata))
    engine = Engine(Config(SERVER))
    with pytest.raises(grantor.PeerMisbehaved, match="asked for the metadata of https://as.example.com") as caught:
        drive(engine, engine.authorize("POST", SERVER, now=NOW))
    assert caught.value.kind == "issuer_mismatch"
    assert caught.value.exchange == "server_metadata" and caught.value.status == 200
    assert isinstance(caught.value, grantor.PeerError) and isinstance(caught.value, grantor.GrantorError)


def test_what_a_server_refuses_has_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ANSWERS, "/token", (400, b'{"error": "invalid_scope", "error_description": "no such scope"}'))
    engine = Engine(Config(SERVER))
    with pytest.raises(grantor.PeerRefused, match="no such scope") as caught:
        drive(engine, engine.authorize("POST", SERVER, now=NOW))
    assert caught.value.code == "invalid_scope"


def test_configurations_that_cannot_work() -> None:
    wrong: list[Callable[[], object]] = [
        lambda: Config("http://mcp.example.com/mcp"),
        lambda: Config("nowhere"),
        lambda: Config(SERVER, trust="everybody"),  # type: ignore[arg-type]
        lambda: Config(SERVER, redirect_uri="http://example.com/"),
        lambda: Config(SERVER, client_id_metadata_document="https://app.example.com"),
        lambda: Config(SERVER, scopes="a", only_scopes="b"),
        lambda: Config(SERVER, scopes='"'),
        lambda: Engine(Config(SERVER, account="")),
    ]
    for make in wrong:
        with pytest.raises(grantor.ConfigurationError):
            make()
    with pytest.raises(grantor.ConfigurationError, match='trust is one of "ask"'):
        Config(SERVER, trust="everybody")  # type: ignore[arg-type]


def test_misuse_changes_nothing() -> None:
    engine = Engine(Config(SERVER))
    with pytest.raises(grantor.MisuseError) as caught:
        engine.authorize("POST", "https://elsewhere.example.com/mcp", now=NOW)
    assert caught.value.kind == "outside_resource"
    with pytest.raises(grantor.MisuseError):
        engine.report(77, 200, now=NOW)
    with pytest.raises(grantor.MisuseError):
        engine.complete(77, Deleted(), now=NOW)
    with pytest.raises(grantor.MisuseError):
        engine.complete(0, NOW, now=NOW)  # type: ignore[arg-type]
    assert engine.poll_output() is None


def test_secrets_are_not_shown() -> None:
    shown = [
        Callback("http://127.0.0.1/?code=planted"),
        HttpAnswer(200, (("set-cookie", "planted"),), b"planted"),
        grantor.Stored(b"planted", bytes(16)),
        Loaded(grantor.Stored(b"planted", bytes(16))),
        Send((("authorization", "Bearer planted"),)),
        grantor.Assertion("planted", "jwt"),
        grantor.CheckToken("planted"),
        grantor.TokenChecked('{"sub": "planted"}'),
        grantor.Save(grantor.StoreKey("grant", SERVER), b"planted", None, None),
        grantor.Preregistered("id", secret="planted"),
        grantor.Config(SERVER, preregistered=grantor.Preregistered("id", secret="planted")),
    ]
    for value in shown:
        assert "planted" not in repr(value)


def test_values_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Loaded(None).stored = None  # type: ignore[misc]
    with pytest.raises(TypeError):
        pickle.dumps(Engine(Config(SERVER)))


def test_keys_of_records() -> None:
    key = grantor.StoreKey("grant", SERVER, "work", "https://as.example.com")
    assert key == grantor.StoreKey("grant", SERVER, "work", "https://as.example.com") and len({key, key}) == 1
    assert str(key) == f"grant\n{SERVER}\nwork\nhttps://as.example.com"
    assert (key.kind, key.resource, key.account, key.issuer) == ("grant", SERVER, "work", "https://as.example.com")


def test_collected_in_any_order() -> None:
    for _ in range(20):
        engine = Engine(Config(SERVER))
        engine.authorize("POST", SERVER, now=NOW)
        engine.add_entropy(os.urandom(64), now=NOW)
        outputs = list(engine)
        cycle = [engine, outputs]
        cycle.append(cycle)
        del engine, outputs, cycle
    gc.collect()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_process_may_not_use_the_engine() -> None:
    engine = Engine(Config(SERVER))
    child = os.fork()
    if child == 0:
        try:
            engine.authorize("POST", SERVER)
        except grantor.HostError:
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert engine.authorize("POST", SERVER) >= 0
