"""The source distribution has all that the package is built from."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PACKAGES = ("core", "adapters/driver", "bindings/common", "bindings/python")
MATURIN = shutil.which("maturin", path=str(pathlib.Path(sys.executable).parent))


def run(*command: str | pathlib.Path, cwd: pathlib.Path) -> str:
    done = subprocess.run(command, cwd=cwd, env=os.environ | {"CARGO_TARGET_DIR": str(TARGET)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(MATURIN is None or shutil.which("cargo") is None, reason="it takes maturin and cargo")
def test_it_is_complete() -> None:
    """It is always unpacked at the same place, and built with the dependencies that the wheel was built with: in seconds."""
    assert MATURIN is not None
    place = TARGET / "sdist"
    shutil.rmtree(place, ignore_errors=True)
    manifest = ROOT / "bindings" / "python" / "Cargo.toml"
    run(MATURIN, "sdist", "--manifest-path", manifest, "--out", place, cwd=ROOT)
    (archive,) = place.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        for member in packed:
            member.mtime = time.time()  # those in the archive are too old for Cargo to see a change
            packed.extract(member, place, filter="data")
    unpacked = archive.with_name(archive.name.removesuffix(".tar.gz"))

    sources = run("git", "ls-files", *(f"{package}/src" for package in PACKAGES), cwd=ROOT).split()
    assert [path for path in sources if not (unpacked / path).is_file()] == []
    modules = run("git", "ls-files", "bindings/python/python", cwd=ROOT).split()
    assert [path for path in modules if not (unpacked / path.removeprefix("bindings/python/")).is_file()] == []
    for name in ("LICENSE-MIT", "LICENSE-APACHE", "README.md", "PKG-INFO", "Cargo.lock"):
        assert (unpacked / name).stat().st_size > 0, name
    run("cargo", "build", "--offline", "--package", "grantor-python", "--features", "pyo3/abi3-py310", cwd=unpacked)
