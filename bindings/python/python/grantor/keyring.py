"""Records in the operating system's keyring, by the package keyring.

    from grantor.httpx2 import Auth
    from grantor.keyring import KeyringStore

    auth = Auth("https://mcp.example.com/mcp", store=KeyringStore("my-client"))
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import keyring
from keyring.errors import PasswordDeleteError

from grantor import _types as t
from grantor._native import FileStore

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

    from grantor._native import StoreKey

__all__ = ["KeyringStore"]

USER = "grantor"
# Windows stores at most 2,560 bytes, as UTF-16: 1,200 characters of ASCII, or 600 of any kind.
ASCII_PART, PART = 1200, 600
# Parts are written beside those that they replace, so there are two sets of names.
SETS = ("a", "b")


class KeyringStore:
    """Records in the keyring that the package keyring chooses, for any number of processes of one user on one machine.

    No keyring compares before it writes, so readers and writers of a record lock a file in a directory that holds nothing
    else; all processes that share the records have to name the same one. A keyring that is synchronised between
    machines is not locked between them.

    Windows stores little in one entry. A larger record is kept in several, and a head that names them is written last: where
    the keyring replaces an entry at once, as Secret Service does, a crash leaves the old record or the new one. macOS deletes
    before it writes, so there a crash may leave none. Entries are of this store alone: the one for Rust names them otherwise.
    """

    def __init__(
        self, application: str, *, backend: KeyringBackend | None = None, locks: str | os.PathLike[str] | None = None
    ) -> None:
        """Uses entries of services that begin with the name of the application. `backend` is a keyring of the package's,
        `locks` the directory for locks, by default `locks` in the platform's directory for the application's state. Raises
        `HostError` when the directory cannot be made, or others may write it."""
        self._application = application
        self._backend: Any = keyring.get_keyring() if backend is None else backend
        self._locks = _state_directory() / application / "locks" if locks is None else pathlib.Path(locks)
        FileStore(self._locks)  # makes and checks it

    def load(self, key: StoreKey) -> t.Stored | None:
        """The record. Raises `HostError` when the keyring is locked or there is none."""
        name = _name(key)
        with self._locked(name):
            head = self._get(name)
            return None if head is None else t.Stored(self._content(name, head).encode(), _revision(head))

    def save(self, key: StoreKey, record: bytes, expect: bytes | None, expires_at_s: int | None = None) -> bytes | None:
        """Stores a record if the stored one is of revision `expect`; its new revision, or `None` for a conflict. Those that
        expire stay until they are deleted. Raises `HostError` when it is not certain that it is stored."""
        name, text = _name(key), _text(record)
        with self._locked(name):
            old = self._get(name)
            if (None if old is None else _revision(old)) != expect:
                return None
            size = ASCII_PART if text.isascii() else PART
            head = f"={text}"
            if len(head) > size:
                parts = [text[at : at + size] for at in range(0, len(text), size)]
                used = _parts(old)
                chosen = SETS[1] if used is not None and used[0] == SETS[0] else SETS[0]
                for number, part in enumerate(parts):
                    self._set(f"{name}.{chosen}{number}", part)
                head = f"+{chosen}{len(parts)}:{hashlib.sha256(record).hexdigest()}"
            self._set(name, head)
            # It is stored; what cannot be removed now is removed the next time.
            with contextlib.suppress(t.HostError):
                self._sweep(name, head)
            return _revision(head)

    def delete(self, key: StoreKey, expect: bytes) -> bool:
        """Deletes a record if it is of this revision; whether it is gone."""
        name = _name(key)
        with self._locked(name):
            old = self._get(name)
            if old is not None and _revision(old) != expect:
                return False
            if old is not None:
                self._remove(name)
            self._sweep(name, None)
            return True

    def _content(self, name: str, head: str) -> str:
        """The record; of parts that are not there nothing, which the engine takes for damage."""
        if (parts := _parts(head)) is None:
            return head.removeprefix("=")
        chosen, count = parts
        return "".join(self._get(f"{name}.{chosen}{number}") or "" for number in range(count))

    def _sweep(self, name: str, head: str | None) -> None:
        """Removes the parts of a record that was replaced, and of one that was never finished: from behind, since they are
        looked for from the front."""
        used = _parts(head)
        for chosen in SETS:
            first = used[1] if used is not None and used[0] == chosen else 0
            end = first
            while self._get(f"{name}.{chosen}{end}") is not None:
                end += 1
            for number in reversed(range(first, end)):
                self._remove(f"{name}.{chosen}{number}")

    # The keyring. Each entry has a service of its own, since Windows moves entries that share one.

    def _get(self, entry: str) -> str | None:
        with _blamed():
            found: str | None = self._backend.get_password(f"{self._application}: {entry}", USER)
            return found

    def _set(self, entry: str, secret: str) -> None:
        with _blamed():
            self._backend.set_password(f"{self._application}: {entry}", USER, secret)

    def _remove(self, entry: str) -> None:
        with _blamed():
            try:
                self._backend.delete_password(f"{self._application}: {entry}", USER)
            except PasswordDeleteError:
                if self._backend.get_password(f"{self._application}: {entry}", USER) is not None:
                    raise

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """Lets one process and thread at a time work."""
        file = None
        try:
            try:
                file = os.open(self._locks / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
                _lock(file)
            except OSError as error:
                raise t.HostError(f"cannot lock a record of the keyring: {error.strerror}") from None
            yield
        finally:
            if file is not None:
                with contextlib.suppress(OSError):
                    _unlock(file)  # a child that was forked meanwhile has the file, too
                os.close(file)


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        while True:
            try:
                return msvcrt.locking(file, msvcrt.LK_LOCK, 1)
            except OSError as error:
                if error.errno not in (errno.EDEADLOCK, errno.EACCES):  # it tries for ten seconds
                    raise

    def _unlock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)

    def _unlock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)


@contextlib.contextmanager
def _blamed() -> Iterator[None]:
    """What backends raise, by name: its text may hold what is stored."""
    try:
        yield
    except Exception as error:  # backends let errors of the system's through, too
        raise t.HostError(f"the keyring failed: {type(error).__name__}") from None


def _state_directory() -> pathlib.Path:
    if sys.platform == "win32":
        return pathlib.Path(os.environ["LOCALAPPDATA"])
    if sys.platform == "darwin":
        return pathlib.Path.home() / "Library" / "Application Support"
    return pathlib.Path(os.environ.get("XDG_STATE_HOME") or pathlib.Path.home() / ".local" / "state")


def _name(key: StoreKey) -> str:
    return f"{key.kind}-{hashlib.sha256(str(key).encode()).hexdigest()[:32]}"


def _text(record: bytes) -> str:
    try:
        return record.decode()
    except UnicodeDecodeError:
        raise t.HostError("the record is no UTF-8") from None


def _revision(head: str) -> bytes:
    return hashlib.sha256(head.encode()).digest()[:16]


def _parts(head: str | None) -> tuple[str, int] | None:
    """The set and number of the parts that a head names."""
    if head is None or not head.startswith("+"):
        return None
    chosen, number = head[1:2], head[2:].partition(":")[0]
    return (chosen, int(number)) if chosen in SETS and number.isdecimal() and len(number) < 5 else None
