"""A bridge between standard input and output and an MCP server, as a process: `grantor proxy`, or npm mcp-remote."""

import contextlib
import json
import pathlib
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "figures", "version": "1"}}
# How long a bridge may run, and how long it is waited for.
LONGEST_S, PATIENCE_S = 120, 20


def agree(url):
    """Somebody agrees on the page of the example server; the browser ends at the bridge."""
    urllib.request.urlopen(url, timeout=30).read()
    urllib.request.urlopen(url, b"decision=agree", timeout=30).read()


def wait_for_bridge(url):
    """Waits until the bridge listens where the browser is to end: mcp-remote shows its page before, and a person is slower
    than this program."""
    [back] = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["redirect_uri"]
    to = urllib.parse.urlsplit(back)
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection((to.hostname, to.port)):
            return
        time.sleep(0.005)


def watch(lines, user, said):
    """Reads what a bridge says on standard error. Both say the page's URL there when no browser can be opened; the user
    goes to each, on a thread as a browser is another program."""
    for line in lines:
        said.append(line)
        words = line.split()
        url = words[-1] if words else ""
        if url.startswith("http") and "redirect_uri=" in url:
            threading.Thread(target=visit, args=(user, url), daemon=True).start()


def visit(user, url):
    wait_for_bridge(url)
    with contextlib.suppress(OSError):  # a page that is refused or leads nowhere: the bridge says the rest
        user(url)


def without_browser(directory, **variables):
    """The environment of a bridge whose credentials are in `directory`."""
    kept = {"GRANTOR_STORE": f"{directory}/grantor", "MCP_REMOTE_CONFIG_DIR": f"{directory}/mcp-remote"}
    return {"HOME": str(directory), "PATH": ""} | kept | variables


class Bridge:
    def __init__(self, command, directory, user=agree):
        self.begun = time.perf_counter()
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        self.process = subprocess.Popen(command, **pipes, text=True, bufsize=1, env=without_browser(directory))
        self.said, self.id = [], 0
        reader = threading.Thread(target=watch, args=(self.process.stderr, user, self.said), daemon=True)
        reader.start()
        self.impatience = threading.Timer(LONGEST_S, self.process.kill)
        self.impatience.daemon = True
        self.impatience.start()

    def send(self, message):
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0"} | message) + "\n")

    def receive(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the bridge has ended: " + "".join(self.said[-20:]))
        return json.loads(line)

    def call(self, method, params):
        """The result of a request."""
        self.id += 1
        self.send({"id": self.id, "method": method, "params": params})
        while (answer := self.receive()).get("id") != self.id:
            pass
        if "result" not in answer:
            raise RuntimeError(f"{method}: {answer}")
        return answer["result"]

    def tool(self):
        result = self.call("tools/call", {"name": "list_notes", "arguments": {}})
        assert "list_notes done" in result["content"][0]["text"], result

    def first_result_s(self):
        """From the start of the process to the first tool's result."""
        self.call("initialize", HELLO)
        self.send({"method": "notifications/initialized"})
        self.tool()
        return time.perf_counter() - self.begun

    def rate(self, count, at_once):
        """Calls a second, so many of them under way."""
        free = threading.Semaphore(at_once)
        params = {"name": "list_notes", "arguments": {}}

        def write():
            for number in range(count):
                free.acquire()
                self.send({"id": f"r{number}", "method": "tools/call", "params": params})

        begun = time.perf_counter()
        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        for _ in range(count):
            answer = self.receive()
            if "result" not in answer:
                raise RuntimeError(f"tools/call: {answer}")
            free.release()
        return count / (time.perf_counter() - begun)

    def peak_bytes(self):
        """The most memory that the process and its children have had resident."""
        return sum(peak_bytes(pid) for pid in tree(self.process.pid))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.impatience.cancel()
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def tree(pid):
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += tree(int(child))
    return found


def peak_bytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
