"""libgrantor as it is installed: `GRANTOR_PREFIX` is where `cargo cinstall` put it."""

from __future__ import annotations

import importlib
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

HERE = pathlib.Path(__file__).resolve().parent
BINDING = HERE.parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT / "tests" / "authorization_server"))
PREFIX = pathlib.Path(os.environ["GRANTOR_PREFIX"])
HEADER = (PREFIX / "include" / "grantor.h").read_text()
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")
VALGRIND = ("valgrind", "--quiet", "--error-exitcode=9", "--leak-check=full")
SANITIZERS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")

Build = Callable[..., pathlib.Path]


def pkg_config(*arguments: str) -> list[str]:
    environment = os.environ | {"PKG_CONFIG_PATH": str(PREFIX / "lib" / "pkgconfig")}
    return subprocess.check_output(["pkg-config", *arguments, "grantor"], text=True, env=environment).split()


@pytest.fixture
def build(tmp_path: pathlib.Path) -> Build:
    """Compiles a program against the installed library, found by pkg-config."""

    def compile_(source: pathlib.Path, *options: str, static: bool = False) -> pathlib.Path:
        program = tmp_path / source.stem
        flags = pkg_config("--cflags")
        libraries = [str(PREFIX / "lib" / "libgrantor.a"), "-lm"] if static else pkg_config("--libs")
        search = [] if static else [f"-Wl,-rpath,{PREFIX / 'lib'}"]
        command = ["cc", "-std=c99", "-D_POSIX_C_SOURCE=200809L", *WARNINGS, *flags, str(source), *libraries, *search]
        subprocess.run([*command, *options, "-o", str(program)], check=True)
        return program

    return compile_


@pytest.fixture
def server() -> Iterator[str]:
    """The URL of a protected MCP server, with an authorization server beside it; it ends with the test."""
    with importlib.import_module("server").example() as url:
        yield url


@pytest.fixture
def browser(tmp_path: pathlib.Path) -> pathlib.Path:
    """A browser whose user agrees on every page, for `$BROWSER`; it writes the pages into a file beside it."""
    program = tmp_path / "browser"
    program.write_text(
        f"#!{sys.executable}\n"
        "import sys, urllib.request\n"
        f"open({str(tmp_path / 'pages')!r}, 'a').write(sys.argv[1] + '\\n')\n"
        "urllib.request.urlopen(sys.argv[1], timeout=10).read()\n"
        "agreed = urllib.request.Request(sys.argv[1], b'decision=agree', method='POST')\n"
        "urllib.request.urlopen(agreed, timeout=10).read()\n"
    )
    program.chmod(0o755)
    return program
