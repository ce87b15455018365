"""Grantor's records in the MCP SDK's `TokenStorage`, which has room for two models."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from mcp.client.auth import TokenStorage
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

from grantor import _types as t

if TYPE_CHECKING:
    from grantor._native import StoreKey

Tokens: TypeAlias = "tuple[str, str]"
Entry: TypeAlias = "str | dict[str, str]"

# A member of the client's JWK Set: readers ignore those that they do not know (RFC 7517 5), and the SDK sends it to nobody.
MEMBER = "grantor"
# The client that Grantor has put there, beside the records; their names have several lines.
OWN = "client"
PLACES = ("access_token", "refresh_token")
ELSEWHERE = "in OAuthToken"


class Records:
    """A `Store` in a `TokenStorage`.

    Bearer tokens are where the SDK's own provider looks for them, in `OAuthToken`, and so are id and secret of the client
    in use. The rest of each record, by its key, is a member of `OAuthClientInformationFull.jwks`, of which the models keep
    every member. Tokens that are bound to a key stay in there, since the SDK would send them as bearer tokens.

    The storage cannot compare before it writes. Tasks that share this exclude each other; processes do not.
    """

    def __init__(self, storage: TokenStorage) -> None:
        self._storage = storage
        self._locks: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = weakref.WeakKeyDictionary()
        # What was saved before there was a client to save it with.
        self._homeless: dict[str, Entry] = {}

    @property
    def lock(self) -> asyncio.Lock:
        """The running loop's: a lock is of one loop."""
        return self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())

    async def preregistered(self) -> OAuthClientInformationFull | None:
        """A client that the application has put there, or the SDK's provider, and that Grantor has not registered."""
        client, entries = await self._clients()
        return None if client is None or entries.get(OWN) == client.client_id else client

    # The protocol of stores.

    async def load(self, key: StoreKey) -> t.Stored | None:
        """The record, if its tokens are still the ones that it was saved with."""
        async with self.lock:
            _, entries = await self._clients()
            record = _joined(entries.get(str(key)), await self._tokens())
        return None if record is None else t.Stored(record.encode(), _revision(record))

    async def save(self, key: StoreKey, record: bytes, expect: bytes | None, expires_at_s: int | None = None) -> bytes | None:
        """Stores a record; those that expire stay until they are deleted."""
        name, text = str(key), _text(record)
        async with self.lock:
            client, entries = await self._clients()
            tokens = await self._tokens()
            if _revision_of(entries.get(name), tokens) != expect:
                return None
            if key.kind == "grant":
                # Another grant's tokens lose their place.
                entries = {other: _joined(entry, tokens) or entry for other, entry in entries.items()}
                entry, new = _split(text)
                if new is not None and _pair(new) != tokens:
                    await self._storage.set_tokens(new)
                elif new is None and tokens != ("", ""):
                    await self._storage.set_tokens(NO_TOKENS)
                entries[name] = entry
            else:
                entries[name] = text
            found = client_of(key.kind, text)
            if found is not None and (client is None or client.client_id != found.id):
                client = found.model(key.issuer)
                entries[OWN] = found.id
            await self._write(client, entries)
        return _revision(text)

    async def delete(self, key: StoreKey, expect: bytes) -> bool:
        """Deletes a record. The storage cannot be without tokens afterwards, so it holds an empty one, which nobody sends."""
        name = str(key)
        async with self.lock:
            client, entries = await self._clients()
            tokens = await self._tokens()
            stored = _revision_of(entries.get(name), tokens)
            if stored is not None and stored != expect:
                return False
            entry = entries.pop(name, None)
            if stored is not None and isinstance(entry, dict):
                await self._storage.set_tokens(NO_TOKENS)
            await self._write(client, entries)
        return True

    # The storage.

    async def _clients(self) -> tuple[OAuthClientInformationFull | None, dict[str, Entry]]:
        client = await self._storage.get_client_info()
        jwks = client.jwks if client is not None and isinstance(client.jwks, Mapping) else {}
        stored = jwks.get(MEMBER)
        entries = stored if isinstance(stored, Mapping) else {}
        return client, self._homeless | {str(name): _checked(entry) for name, entry in entries.items()}

    async def _tokens(self) -> Tokens:
        return _pair(await self._storage.get_tokens())

    async def _write(self, client: OAuthClientInformationFull | None, entries: dict[str, Entry]) -> None:
        if client is None:
            self._homeless = entries
            return
        jwks = client.jwks if isinstance(client.jwks, Mapping) else {"keys": []}
        await self._storage.set_client_info(client.model_copy(update={"jwks": {**jwks, MEMBER: entries}}))
        self._homeless = {}


NO_TOKENS = OAuthToken(access_token="")


class Client:
    """The client that a record is about."""

    def __init__(self, record: dict[str, Any]) -> None:
        client = record["client"]
        self.id = str(client["id"])
        self._secret, self._method = client.get("secret"), client.get("method")
        self._issuer, self._redirect_uri = record.get("issuer"), record.get("redirect_uri")
        self._secret_expires_at = record.get("secret_expires_at")

    def model(self, issuer: str | None) -> OAuthClientInformationFull:
        """As the SDK describes it."""
        return OAuthClientInformationFull.model_validate(
            {
                "client_id": self.id,
                "client_secret": self._secret,
                "client_secret_expires_at": self._secret_expires_at,
                "token_endpoint_auth_method": self._method,
                "redirect_uris": [self._redirect_uri] if self._redirect_uri else None,
                "issuer": self._issuer or issuer,
            }
        )


def _checked(entry: Any) -> Entry:
    """An entry, or what of it is text: storages lie in files that people edit."""
    return {"record": "", "tokens": "", **entry} if isinstance(entry, dict) else str(entry)


def client_of(kind: str, text: str) -> Client | None:
    """The client that a record is about, if it is about one."""
    record = _content(text)
    if kind == "pending":
        record = (record.get("authorizations") or [{}])[-1]
    about_one = kind in ("grant", "pending", "registration") and "id" in (record.get("client") or {})
    return Client(record) if about_one else None


def _text(record: bytes) -> str:
    try:
        return record.decode()
    except UnicodeDecodeError:
        raise t.HostError("the record is no UTF-8") from None


def _content(text: str) -> dict[str, Any]:
    """What is in a record's envelope; nothing of one that cannot be read."""
    try:
        record = json.loads(text)["record"]
    except (ValueError, KeyError, TypeError):
        return {}
    return cast("dict[str, Any]", record) if isinstance(record, dict) else {}


def _split(text: str) -> tuple[Entry, OAuthToken | None]:
    """A grant without its bearer tokens, and these. One whose tokens are bound to a key, or not to be found, stays whole."""
    grant = _content(text)
    values = [grant.get(place) for place in PLACES]
    rest = text
    for place, value in zip(PLACES, values):
        if value is not None:
            rest = rest.replace(f'"{place}":"{value}"', f'"{place}":"{ELSEWHERE}"', 1)
    if rest == text or "dpop" in grant or any(value is not None and f'"{value}"' in rest for value in values):
        return text, None
    expires_at = grant.get("expires_at")
    tokens = OAuthToken(
        access_token=values[0] or "",
        refresh_token=values[1],
        expires_in=None if expires_at is None else max(0, int(expires_at - time.time())),
        scope=" ".join(grant.get("granted") or grant.get("requested") or []) or None,
    )
    entry: Entry = {"record": rest, "tokens": _hash(_pair(tokens))}
    return (entry, tokens) if _joined(entry, _pair(tokens)) == text else (text, None)


def _joined(entry: Entry | None, tokens: Tokens) -> str | None:
    """A record as it was saved; `None` when something else has written tokens since."""
    if not isinstance(entry, dict):
        return entry
    if entry.get("tokens") != _hash(tokens):
        return None
    record = entry["record"]
    for place, token in zip(PLACES, tokens):
        record = record.replace(f'"{place}":"{ELSEWHERE}"', f'"{place}":"{token}"', 1)
    return record


def _pair(tokens: OAuthToken | None) -> Tokens:
    return ("", "") if tokens is None else (tokens.access_token, tokens.refresh_token or "")


def _hash(tokens: Tokens) -> str:
    return hashlib.sha256("\n".join(tokens).encode()).hexdigest()


def _revision(record: str) -> bytes:
    return hashlib.sha256(record.encode()).digest()[:16]


def _revision_of(entry: Entry | None, tokens: Tokens) -> bytes | None:
    record = _joined(entry, tokens)
    return None if record is None else _revision(record)
