#!/usr/bin/env python3
"""Checks COMPLIANCE.md: every row has a test that has passed, or a reason why it needs none.

`tests/run tests` notes which tests have passed; without that note the tests only have to exist.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PASSED = ROOT / "target" / "tests-passed.txt"
WHO = {"client", "server", "both", "authorization server", "host"}
LEVELS = {"MUST", "MUST NOT", "SHOULD", "SHOULD NOT"}


def known():
    """The names of tests, and what being there means."""
    if PASSED.exists():
        return set(PASSED.read_text().splitlines()), "has passed"
    command = ("cargo", "nextest", "list", "--workspace", "--message-format", "oneline")
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {line.strip() for line in listed.splitlines()}, "exists"


def rows(text):
    """The cells of each row of each table, with the line's number."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("| ") and not line.startswith("| section") and not set(line) <= set("|- "):
            yield number, [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def is_among(name, tests):
    """Whether a test has this name, with its module or without."""
    return any(test.endswith((f"::{name}", f" {name}")) for test in tests)


def problems(cells, tests, being):
    if len(cells) != 5:
        yield f"{len(cells)} cells instead of 5"
        return
    _, level, demand, who, shown = cells
    if level not in LEVELS:
        yield f"the level is {level!r}"
    if not set(who.split(", ")) <= WHO:
        yield f"who is bound is {who!r}"
    if not demand:
        yield "no demand"
    named = re.findall(r"`([^`]+)`", shown)
    if not named and not shown.startswith("—"):
        yield "neither a test nor, after a dash, why there is none"
    for name in named:
        if not shown.startswith("—") and not is_among(name, tests):
            yield f"no test of this name {being}: {name}"


def main():
    tests, being = known()
    passed = failed = 0
    for number, cells in rows((ROOT / "COMPLIANCE.md").read_text()):
        found = list(problems(cells, tests, being))
        passed, failed = passed + (not found), failed + bool(found)
        for problem in found:
            print(f"COMPLIANCE.md:{number}: {problem}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
