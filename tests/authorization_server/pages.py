#!/usr/bin/env python3
"""The pages of the example authorization server in headless Chromium, by keyboard, judged by axe-core; pictures of them are
in target/pages."""

import json
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parent / "conformance")]
from report import report  # noqa: E402
from run import node  # noqa: E402
from server import PASSWORD, ROOT, USER, running  # noqa: E402

PICTURES = ROOT / "target" / "pages"
LOOKS = ["light, desktop", "dark, desktop", "light, phone", "dark, phone"]
BROWSERS = ["chromium", "chromium-browser", "google-chrome"]


def outcomes(node, browser):
    """Each page, and what is wrong with it; nothing if it passed."""
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    for look in LOOKS:
        yield from seen(node, browser, look)


def seen(node, browser, look):
    with running() as issuer:
        command = [node, HERE.parent / "interop" / "pages.mjs", issuer, browser, PICTURES, USER, PASSWORD, look]
        pages = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for line in pages.stdout:
            said = json.loads(line)
            yield said.get("passed") or said["failed"], said.get("why")
        if pages.wait(30) != 0:
            yield "the browser", f"exit code {pages.returncode}"


if __name__ == "__main__":
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        sys.exit("chromium is missing; install it (Debian: apt-get install chromium)")
    report(outcomes(node(), found))
