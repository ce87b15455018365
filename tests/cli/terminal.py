#!/usr/bin/env python3
"""The command in a terminal of 80 columns, before the example MCP server: every line fits, and what the README shows is what
comes out, but for ports and minutes.

A URL stays whole, so that it can be copied: a line with one may be longer."""

import contextlib
import fcntl
import os
import pathlib
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parent / "authorization_server")]
from bridge import agree, visit, without_browser  # noqa: E402
from report import report  # noqa: E402
from server import BINARIES, ROOT, example  # noqa: E402

COLUMNS, LINES = 80, 24
COMMAND = BINARIES / "grantor"
OMITTED = "[…]"


def on_terminal(directory, *arguments):
    """What the command writes to its terminal; pages that it shows are agreed to."""
    mine, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    environment = without_browser(directory, TERM="xterm-256color")
    process = subprocess.Popen([COMMAND, *arguments], stdin=its, stdout=its, stderr=its, env=environment, start_new_session=True)
    os.close(its)
    written, agreed = b"", set()
    with contextlib.suppress(OSError):  # the end of a terminal is an error
        while received := os.read(mine, 4096):
            written += received
            for page in re.findall(r"(https?://\S+redirect_uri=\S+)\r\n", written.decode(errors="replace")):
                if page not in agreed:
                    agreed.add(page)
                    threading.Thread(target=visit, args=(agree, page), daemon=True).start()
    os.close(mine)
    process.wait(30)
    # Colours take no column.
    return re.sub(r"\x1b\[[\d;]*m", "", written.decode()).replace("\r\n", "\n")


def too_wide(text):
    return [line for line in text.splitlines() if len(line) > COLUMNS and "://" not in line]


def without_numbers(text):
    return re.sub(r"\d+ min\b", "N min", re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text))


def pictures():
    """The README's blocks that show a terminal: the command's words, and what comes out, in parts of which something may be
    left out between."""
    for block in re.findall(r"```text\n\$ grantor (.*?)```", (ROOT / "README.md").read_text(), re.S):
        command, _, shown = block.partition("\n")
        yield command, [part.strip("\n") for part in without_numbers(shown).split(OMITTED)]


def check_picture(shown, written):
    """What is wrong with a picture, if anything."""
    rest = without_numbers(written)
    for part in shown:
        if part not in rest:
            return f"the README shows\n{part}\nand this comes out:\n{rest}"
        rest = rest[rest.index(part) + len(part) :]
    return None


def outcomes():
    with example() as server, tempfile.TemporaryDirectory() as directory:
        written = {}
        for words in ("doctor", "doctor --all", "login", "status", "tools"):
            place = [] if words == "status" else [server]
            written[words] = on_terminal(directory, *words.split(), *place)
        listed = on_terminal(directory, "explain")
        written["explain"] = listed
        for code in re.findall(r"^(\S+) +(?:error|warning|note) ", listed, re.M):
            written[f"explain {code}"] = on_terminal(directory, "explain", code)
        for command in ("", "login", "logout", "status", "token", "tools", "doctor", "proxy", "explain", "call"):
            written[f"{command} --help".strip()] = on_terminal(directory, *command.split(), "--help")
    for name, text in written.items():
        wide = too_wide(text)
        yield f"grantor {name}: fits", "\n".join(wide) if wide or text else "it says nothing"
    found = list(pictures())
    yield "the README shows a terminal", None if found else "no picture was found"
    for command, shown in found:
        name = re.sub(r" http\S+", "", command)
        yield f"grantor {name}: as the README shows it", check_picture(shown, written[name])


if __name__ == "__main__":
    report(outcomes())
