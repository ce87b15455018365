"""The stores' contract: compare-and-swap, and a directory shared with others."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import pathlib
import signal
import stat
import sys
import time
from typing import Any

import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError

from grantor import Delete, FileStore, HostError, Load, MemoryStore, Save, Stored, StoreKey
from grantor._session import perform_on
from grantor.keyring import KeyringStore

KEY = StoreKey("grant", "https://mcp.example.com/mcp", "default", "https://as.example.com")


class Entries(KeyringBackend):
    """A keyring like Windows's, which takes little at once."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.entries: dict[tuple[str, str], str] = {}
        self.writes_left = 10_000

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.writes_left == 0:
            raise KeyringLocked(f"planted {password}")
        self.writes_left -= 1
        assert len(password.encode("utf-16-le")) <= 2560
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.entries.pop((service, username), None) is None:
            raise PasswordDeleteError()


def pair(kind: str, path: pathlib.Path) -> tuple[Any, Any]:
    if kind == "file":
        return FileStore(path), FileStore(path)
    if kind == "keyring":
        entries = Entries()
        return KeyringStore("test", backend=entries, locks=path), KeyringStore("test", backend=entries, locks=path)
    store = MemoryStore()
    return store, store


@pytest.mark.parametrize("kind", ["memory", "file", "keyring"])
def test_contract(kind: str, tmp_path: pathlib.Path) -> None:
    one, two = pair(kind, tmp_path / "records")
    assert one.load(KEY) is None
    first = one.save(KEY, b"{}", None)
    assert len(first) == 16
    assert two.load(KEY).record == b"{}" and two.load(KEY).revision == first
    assert two.save(KEY, b"other", None) is None, "there is one already"
    assert two.save(KEY, b"other", bytes(16)) is None, "of another revision"
    second = two.save(KEY, b"other", first)
    assert second not in (None, first)
    assert one.save(KEY, b"late", first) is None
    assert one.load(KEY).record == b"other"
    assert one.delete(KEY, first) is False
    assert one.delete(KEY, second) is True
    assert one.delete(KEY, second) is True, "there is none"
    assert two.load(KEY) is None
    assert one.load(StoreKey("grant", "https://mcp.example.com/mcp", "other", "https://as.example.com")) is None
    with pytest.raises(HostError):
        one.save(KEY, b"\xff", None)


@pytest.mark.parametrize("kind", ["memory", "file", "keyring"])
def test_one_of_those_that_expect_the_same_revision_succeeds(kind: str, tmp_path: pathlib.Path) -> None:
    stores = pair(kind, tmp_path / "records")
    revision = stores[0].save(KEY, b"0", None)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for turn in range(5):
            tries = [pool.submit(stores[n % 2].save, KEY, f"{turn} {n}".encode(), revision) for n in range(8)]
            (revision,) = [done.result() for done in tries if done.result() is not None]


@pytest.mark.skipif(sys.platform == "win32", reason="modes are Unix's")
def test_files_are_the_owners_alone(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "records"
    FileStore(path).save(KEY, b"{}", None)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(entry.stat().st_mode) for entry in path.iterdir()} == {0o600}
    assert any(entry.name.startswith("grant-") and entry.suffix == ".json" for entry in path.iterdir())
    os.chmod(path, 0o777)
    with pytest.raises(HostError, match="others may write it"):
        FileStore(path)


def test_a_keyring_takes_large_records_in_parts(tmp_path: pathlib.Path) -> None:
    entries = Entries()
    store = KeyringStore("test", backend=entries, locks=tmp_path)
    for first, second in [
        (b"x" * 3000, b"y" * 10),
        (b"x" * 10, b"y" * 9000),
        (b"x" * 9000, b"y" * 3000),
        (("\U000103a0" * 1500).encode(), b"y" * 1200),
    ]:
        revision = store.save(KEY, first, None)
        assert revision is not None
        stored = store.load(KEY)
        assert stored is not None and (stored.record, stored.revision) == (first, revision)
        revision = store.save(KEY, second, revision)
        stored = store.load(KEY)
        assert revision is not None and stored is not None and stored.record == second
        assert store.delete(KEY, revision) and not entries.entries, "nothing stays"


@pytest.mark.parametrize("writes", range(6))
def test_a_keyring_that_fails_while_it_is_written_keeps_the_old_record(writes: int, tmp_path: pathlib.Path) -> None:
    entries = Entries()
    store = KeyringStore("test", backend=entries, locks=tmp_path)
    revision = store.save(KEY, b"old" * 1000, None)
    entries.writes_left = writes
    with pytest.raises(HostError) as failed:
        store.save(KEY, b"new" * 2000, revision)
    assert "KeyringLocked" in str(failed.value) and "planted" not in str(failed.value)
    stored = store.load(KEY)
    assert stored is not None and (stored.record, stored.revision) == (b"old" * 1000, revision)
    entries.writes_left = 100
    revision = store.save(KEY, b"new", revision)
    assert revision is not None and len(entries.entries) == 1, "what was never finished is gone"


def test_what_a_keyring_holds_that_is_no_record_is_handed_out(tmp_path: pathlib.Path) -> None:
    """The engine says what it thinks of it, and it can be replaced."""
    entries = Entries()
    store = KeyringStore("test", backend=entries, locks=tmp_path)
    store.save(KEY, b"{}", None)
    (entry,) = entries.entries
    for head in ("something", "+a3:0", "+c1:0", "+a99999:0", ""):
        entries.entries[entry] = head
        stored = store.load(KEY)
        assert stored is not None and stored.record.decode() == ("" if head == "+a3:0" else head)
        assert store.save(KEY, b"{}", stored.revision) is not None


def test_where_a_keyrings_locks_are(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_STATE_HOME", "HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    KeyringStore("test", backend=Entries()).save(KEY, b"{}", None)
    (lock,) = tmp_path.rglob("*.lock")
    assert lock.parent.name == "locks" and lock.parent.parent.name == "test"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_process_that_forks_while_a_record_is_read_holds_no_lock(tmp_path: pathlib.Path) -> None:
    """The child has the lock's file, too, and lives on."""
    children: list[int] = []

    class Forking(Entries):
        def get_password(self, service: str, username: str) -> str | None:
            if not children:
                children.append(os.fork())
                if children[0] == 0:
                    time.sleep(60)
                    os._exit(0)
            return super().get_password(service, username)

    store = KeyringStore("test", backend=Forking(), locks=tmp_path)
    try:
        assert store.load(KEY) is None
        with concurrent.futures.ThreadPoolExecutor() as threads:
            reading = threads.submit(KeyringStore("test", backend=Entries(), locks=tmp_path).load, KEY)
            assert reading.result(10) is None
    finally:
        os.kill(children[0], signal.SIGKILL)
        os.waitpid(children[0], 0)


def test_whatever_a_keyring_raises_is_the_hosts_error(tmp_path: pathlib.Path) -> None:
    class Broken(Entries):
        def get_password(self, service: str, username: str) -> str | None:
            raise ConnectionError("planted")

    with pytest.raises(HostError, match="ConnectionError") as failed:
        KeyringStore("test", backend=Broken(), locks=tmp_path).load(KEY)
    assert "planted" not in str(failed.value)


def test_methods_of_a_store_may_be_of_both_kinds() -> None:
    class Mixed:
        async def load(self, key: StoreKey) -> Stored | None:
            return None

        def save(self, key: StoreKey, record: bytes, expect: bytes | None, expires_at_s: int | None = None) -> bytes | None:
            return b"1"

        async def delete(self, key: StoreKey, expect: bytes) -> bool:
            return True

    effects: list[Any] = [Load(KEY), Save(KEY, b"{}", None, None), Delete(KEY, b"1")]
    store: Any = Mixed()

    async def run() -> list[Any]:
        return [await perform_on(store, effect) for effect in effects]

    assert asyncio.run(run()) == [None, b"1", True]
