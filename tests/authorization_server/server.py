"""The example authorization server, running with users and records of its own, and the example MCP server behind it."""

import contextlib
import os
import pathlib
import re
import socket
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARIES = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
RESOURCE = "http://127.0.0.1:8089/mcp"
USER, PASSWORD = "alice", "correct horse"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def program(command, said, **environment):
    """What a program says first, as `said` picks it out; the program stops in the end."""
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, **quiet, text=True, env=os.environ | environment)
    try:
        yield re.fullmatch(said, process.stdout.readline())[1]
    finally:
        process.terminate()
        process.wait(10)


@contextlib.contextmanager
def running(*options, resource=RESOURCE, **environment):
    """The issuer of a server that stops in the end."""
    with tempfile.TemporaryDirectory() as directory:
        data = [BINARIES / "grantor-authorization-server", "--data", directory]
        subprocess.run([*data, "--add-user", USER], input=PASSWORD, text=True, check=True, capture_output=True)
        command = [*data, "--port", "0", "--resource", resource, *options]
        with program(command, r"Authorization server: (\S+)\n", **environment) as issuer:
            yield issuer


def example():
    """The URL of an MCP server that has an authorization server of its own beside it."""
    return program([BINARIES / "grantor-protected-server"], r"MCP server: +(\S+)\n")


@contextlib.contextmanager
def protected(*options, leeway=60, **environment):
    """An MCP server whose tokens come from an authorization server with these options: URL and issuer."""
    port = free_port()
    with running(*options, resource=f"http://127.0.0.1:{port}/mcp", **environment) as issuer:
        command = [BINARIES / "grantor-protected-server", "--issuer", issuer, "--port", str(port), "--leeway", str(leeway)]
        with program(command, r"MCP server: +(\S+)\n") as server:
            yield server, issuer
