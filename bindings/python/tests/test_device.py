"""A device code on a terminal, for users whose browser is on another device."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
import urllib.parse
import urllib.request

PROGRAM = """
import httpx2
from conftest import Message, text
from grantor import Config
from grantor.httpx2 import Auth

server, message = {server!r}, Message("read_note")
with httpx2.Client(auth=Auth(Config(server, "A terminal", flow="device")), timeout=60) as client:
    for _ in range(2):
        response = client.post(server, content=message.body, headers=message.headers)
        response.raise_for_status()
        print(text(response.content))
"""


def fetch(url: str, form: dict[str, str] | None = None) -> str:
    data = None if form is None else urllib.parse.urlencode(form).encode()
    return str(urllib.request.urlopen(url, data, timeout=10).read().decode())


def test_a_code_is_shown_and_typed_in_elsewhere(server: str) -> None:
    command = [sys.executable, "-c", PROGRAM.format(server=server)]
    pipe, here = subprocess.PIPE, pathlib.Path(__file__).parent
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, cwd=here) as terminal:
        assert terminal.stdout is not None and terminal.stderr is not None
        try:
            told = terminal.stderr.readline()
            shown = re.fullmatch(r"To let A terminal use (\S+), open (\S+) on any device and enter the code (\S+)\n", told)
            assert shown is not None and shown[1] == server, told + terminal.stderr.read()
            page, code = shown[2], shown[3]
            assert "A terminal wants access" in fetch(f"{page}?{urllib.parse.urlencode({'user_code': code})}")
            fetch(page, {"user_code": code, "decision": "allow"})
            said, complaints = terminal.communicate(timeout=60)
        finally:
            terminal.kill()
    assert (terminal.returncode, complaints) == (0, "")
    assert said == "read_note done for planted-user\n" * 2, "nothing but the answers goes to standard output"
