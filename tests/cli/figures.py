#!/usr/bin/env python3
"""How fast and how large the command `grantor` is, each figure beside its bound, and beside npm mcp-remote in one run.

Everything goes to the example MCP server, on two cores. Figures are medians of runs that take turns with what they are
compared with."""

import contextlib
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parent / "conformance")]
import script  # noqa: E402
from bridge import Bridge, without_browser  # noqa: E402
from mcp_remote import package, size_on_disk, tree_on_disk  # noqa: E402
from run import node  # noqa: E402

ROOT = HERE.parents[1]
RELEASE = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
TOKENS, CALLS, STARTS, LOG_INS, LOADS = 40, 400, 7, 3, 3
LOAD, AT_ONCE = 2000, 64
MIB = 1024 * 1024


def build():
    packages = ("--package", "grantor-cli", "--package", "grantor-protected-server")
    subprocess.run(["cargo", "build", "--quiet", "--release", *packages], cwd=ROOT, check=True)


@contextlib.contextmanager
def example():
    """The URL of an MCP server with an authorization server beside it, which stops in the end."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([RELEASE / "grantor-protected-server"], **pipes, text=True)
    try:
        yield re.fullmatch(r"MCP server: +(\S+)\n", process.stdout.readline())[1]
    finally:
        process.terminate()
        process.wait(10)


def took_ms(action):
    begun = time.perf_counter()
    action()
    return (time.perf_counter() - begun) * 1000


def process_ms(command, directory):
    quiet = {"stdout": subprocess.DEVNULL, "env": without_browser(directory)}
    return took_ms(lambda: subprocess.run(command, check=True, **quiet))


class Bare:
    """The tool's call without a bridge, on one connection, by no more than a socket."""

    def __init__(self, server, token):
        host, _, path = server.removeprefix("http://").partition("/")
        address, port = host.split(":")
        body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_notes","arguments":{}}}'
        head = {
            "host": host,
            "authorization": f"Bearer {token}",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2025-11-25",
            "mcp-method": "tools/call",
            "mcp-name": "list_notes",
            "content-length": str(len(body)),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        self.request = f"POST /{path} HTTP/1.1\r\n{lines}\r\n{body}".encode()
        self.socket = socket.create_connection((address, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def tool(self):
        self.socket.sendall(self.request)
        received = b""
        while not (head := re.match(rb"(?is)HTTP/1.1 200 .*?content-length: (\d+).*?\r\n\r\n", received)):
            received += self.more()
        while len(received) < head.end() + int(head[1]):
            received += self.more()
        assert b"list_notes done" in received, received

    def more(self):
        received = self.socket.recv(65536)
        if not received:
            raise RuntimeError("the server has closed the connection")
        return received


def stripped():
    with tempfile.NamedTemporaryFile() as copy:
        shutil.copy(RELEASE / "grantor", copy.name)
        subprocess.run(["strip", copy.name], check=True)
        return pathlib.Path(copy.name).stat().st_size, size_on_disk(pathlib.Path(copy.name))


def medians(samples):
    return {name: statistics.median(values) for name, values in samples.items()}


def tokens(server, directory):
    """A whole process that prints a token, and one that does nothing."""
    commands = {"token": [RELEASE / "grantor", "token", server], "nothing": [shutil.which("true")]}
    samples = {name: [] for name in commands}
    for _ in range(TOKENS):
        for name, command in commands.items():
            samples[name].append(process_ms(command, directory))
    return medians(samples)


def calls(ways):
    """One call by each way, in turns."""
    samples = {name: [] for name in ways}
    for _ in range(CALLS):
        for name, way in ways.items():
            samples[name].append(took_ms(way.tool))
    return medians(samples)


def starts(commands, rounds, directory):
    """Seconds to the first tool's result and peak memory then, of each; without a directory somebody logs in each time."""
    seconds, peaks = {name: [] for name in commands}, {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            with contextlib.ExitStack() as stack:
                place = directory or stack.enter_context(tempfile.TemporaryDirectory())
                bridge = stack.enter_context(Bridge(command, place))
                seconds[name].append(bridge.first_result_s())
                peaks[name].append(bridge.peak_bytes())
    return medians(seconds), medians(peaks)


def loads(bridges):
    """Calls a second through each, in turns, and peak memory after them."""
    samples = {name: [] for name in bridges}
    for _ in range(LOADS):
        for name, bridge in bridges.items():
            samples[name].append(bridge.rate(LOAD, AT_ONCE))
    return medians(samples), {name: bridge.peak_bytes() for name, bridge in bridges.items()}


class Verdicts:
    passed = failed = 0

    def judge(self, holds):
        self.passed, self.failed = self.passed + holds, self.failed + (not holds)
        return "" if holds else "  BROKEN"


def number(value):
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def show_bounded(rows, judge):
    print(f"{'':<52}{'figure':>10} {'':<6}{'bound':>8}")
    for what, value, unit, bound, holds in rows:
        shown = number(bound) if bound is not None else ""
        verdict = judge(holds) if bound is not None else ""
        print(f"{what:<52}{number(value):>10} {unit:<6}{shown:>8}{verdict}")


def show_compared(rows, judge):
    print(f"\n{'':<52}{'grantor':>10}{'mcp-remote':>12} {'':<6}{'ratio':>8}{'bound':>8}")
    for what, own, other, unit, more_is_better in rows:
        ratio = other / own if more_is_better else own / other
        print(f"{what:<52}{number(own):>10}{number(other):>12} {unit:<6}{ratio:>8.3f}{1:>8}{judge(ratio < 1)}")


def main():
    if hasattr(os, "sched_setaffinity"):
        # Two cores for all: this program, the server, the bridges.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    build()
    remote = [node(), package() / "dist" / "proxy.js"]
    verdicts = Verdicts()
    with example() as server, tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        commands = {"grantor": [RELEASE / "grantor", "proxy", server], "mcp-remote": [*remote, server]}
        cold, _ = starts(commands, LOG_INS, None)
        # Somebody logs in by each, once.
        starts(commands, 1, directory)
        token = tokens(server, directory)
        warm, peaks = starts(commands, STARTS, directory)
        bridges = {name: stack.enter_context(Bridge(command, directory)) for name, command in commands.items()}
        for bridge in bridges.values():
            bridge.first_result_s()
        command = [RELEASE / "grantor", "token", server]
        printed = subprocess.run(command, env=without_browser(directory), check=True, capture_output=True, text=True)
        call = calls({"bare": Bare(server, printed.stdout.strip())} | bridges)
        rate, loaded = loads(bridges)
    added = {name: call[name] - call["bare"] for name in bridges}
    size, on_disk = stripped()
    tree, runtime = tree_on_disk(), size_on_disk(pathlib.Path(shutil.which(node())))
    bounded = [
        ("grantor token, the whole process", token["token"], "ms", 15, token["token"] <= 15),
        ("  of which starting any process at all", token["nothing"], "ms", None, None),
        ("a tool's call without a bridge", call["bare"], "ms", None, None),
        ("  grantor proxy adds", added["grantor"], "ms", 1, added["grantor"] <= 1),
        (f"calls a second through it, {AT_ONCE} at once, at least", rate["grantor"], "", 1000, rate["grantor"] >= 1000),
        ("  its memory then, at the most", loaded["grantor"] / MIB, "MiB", 30, loaded["grantor"] <= 30 * MIB),
        ("the binary, stripped", size / MIB, "MiB", 12, size <= 12 * MIB),
    ]
    show_bounded(bounded, verdicts.judge)
    compared = [
        ("start to first tool result, with log-in", cold["grantor"] * 1000, cold["mcp-remote"] * 1000, "ms", False),
        ("start to first tool result, logged in", warm["grantor"] * 1000, warm["mcp-remote"] * 1000, "ms", False),
        ("  memory then, at the most", peaks["grantor"] / MIB, peaks["mcp-remote"] / MIB, "MiB", False),
        ("added to a call", added["grantor"], added["mcp-remote"], "ms", False),
        (f"calls a second, {AT_ONCE} at once", rate["grantor"], rate["mcp-remote"], "", True),
        ("  memory then, at the most", loaded["grantor"] / MIB, loaded["mcp-remote"] / MIB, "MiB", False),
        ("size on disk, without Node", on_disk / MIB, tree / MIB, "MiB", False),
        ("size on disk, with it", on_disk / MIB, (tree + runtime) / MIB, "MiB", False),
    ]
    show_compared(compared, verdicts.judge)
    script.show({"grantor": [RELEASE / "grantor", "proxy"], "mcp-remote": remote})
    print(f"{verdicts.passed} passed, {verdicts.failed} failed")
    return min(verdicts.failed, 1)


if __name__ == "__main__":
    os.environ.setdefault("CARGO_TERM_COLOR", "never")
    sys.exit(main())
