"""The script of a client of the TypeScript SDK through bridges, to a server of that SDK behind npm oidc-provider whose tokens
are good for a second: how long until its first answer, how many requests reach the servers, and what it could not do."""

import contextlib
import http.cookiejar
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parent / "conformance")]
from bridge import watch, without_browser  # noqa: E402
from run import node  # noqa: E402

INTEROP = HERE.parent / "interop"
LONGEST_S = 60
# What the tools of the script say when all is well.
RIGHT = {
    "talk": "talked",
    "ask": "the model says nothing to a question",
    "cut": "and yet it answers",
    "write": "written",
}


class Person:
    """Logs in and consents on the pages of oidc-provider; the browser ends at the bridge."""

    def __init__(self):
        self.pages = 0

    def visit(self, url):
        self.pages += 1
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        form = None
        for _ in range(4):
            with browser.open(url, form, timeout=30) as answer:
                page, at = answer.read().decode(), answer.url
            prompt = re.search(r'name="prompt" value="(\w+)"', page)
            if not prompt:
                return
            url = urllib.parse.urljoin(at, re.search(r'action="([^"]+)"', page)[1])
            form = urllib.parse.urlencode({"prompt": prompt[1], "login": "alice", "password": "x"}).encode()


@contextlib.contextmanager
def served():
    """A server for one bridge, which stops in the end: its URL, and that of its control."""
    options = json.dumps({"bridge": True, "lifetime": 1})
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([node(), INTEROP / "doctor.mjs", options], **pipes, text=True)
    try:
        # The package greets before.
        said = next(json.loads(line) for line in process.stdout if line.startswith("{"))
        yield said["resource"], said["control"]
    finally:
        process.stdin.close()
        process.terminate()
        process.wait(10)


def run(command, server):
    """What the client prints, how many pages were opened, and the end of what the bridge said."""
    person, said = Person(), []
    with tempfile.TemporaryDirectory() as directory:
        client = [node(), INTEROP / "bridge-client.mjs", *command, server]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(client, **pipes, text=True, env=without_browser(directory))
        threading.Thread(target=watch, args=(process.stderr, person.visit, said), daemon=True).start()
        impatience = threading.Timer(LONGEST_S, process.kill)
        impatience.start()
        printed = process.stdout.read()
        process.wait()
        impatience.cancel()
    return json.loads(printed) if printed else None, person.pages, said


def show(bridges):
    """A row for each bridge; nothing of it is judged."""
    print(f"\n{'the script of bridge-client.mjs through':<40}{'first answer, ms':>18}{'requests: MCP':>15}{'OAuth':>7}{'pages':>7}")
    for name, command in bridges.items():
        with served() as (server, control):
            result, pages, said = run(command, server)
            with urllib.request.urlopen(control, timeout=30) as answer:
                seen = json.load(answer)
        first = result["first_ms"] if result else "none"
        print(f"{name:<40}{first:>18}{seen['mcp']:>15}{seen['as']:>7}{pages:>7}")
        if not result:
            print("  it did not come to the end; the last that was said:")
            print("".join(f"    {line[:150].rstrip()}\n" for line in said[-6:]), end="")
            continue
        for tool, words in RIGHT.items():
            if result["said"][tool] != words:
                print(f"  {tool}: {result['said'][tool]}")
