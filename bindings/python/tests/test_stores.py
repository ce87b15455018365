"""The stores' contract: compare-and-swap, and a directory shared with others."""

from __future__ import annotations

import os
import pathlib
import stat
import sys
from typing import Any

import pytest

from grantor import FileStore, HostError, MemoryStore, StoreKey

KEY = StoreKey("grant", "https://mcp.example.com/mcp", "default", "https://as.example.com")


def pair(kind: str, path: pathlib.Path) -> tuple[Any, Any]:
    if kind == "file":
        return FileStore(path), FileStore(path)
    store = MemoryStore()
    return store, store


@pytest.mark.parametrize("kind", ["memory", "file"])
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
