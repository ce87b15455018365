"""The example authorization server, running with users and records of its own."""

import contextlib
import pathlib
import re
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = ROOT / "target" / "debug" / "grantor-authorization-server"
RESOURCE = "http://127.0.0.1:8089/mcp"
USER, PASSWORD = "alice", "correct horse"


@contextlib.contextmanager
def running(*options, resource=RESOURCE):
    """The issuer of a server that stops in the end."""
    with tempfile.TemporaryDirectory() as directory:
        data = [BINARY, "--data", directory]
        subprocess.run([*data, "--add-user", USER], input=PASSWORD, text=True, check=True, capture_output=True)
        command = [*data, "--port", "0", "--resource", resource, *options]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            line = server.stdout.readline()
            yield re.fullmatch(r"Authorization server: (\S+)\n", line)[1]
        finally:
            server.terminate()
            server.wait(10)
