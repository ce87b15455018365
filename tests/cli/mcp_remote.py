"""Where npm mcp-remote is installed, and how much that is."""

import json
import os
import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]


def package():
    """Its directory, beside the tests or where `NODE_PATH` says."""
    elsewhere = filter(None, os.environ.get("NODE_PATH", "").split(os.pathsep))
    for modules in (TESTS / "node_modules", *map(pathlib.Path, elsewhere)):
        if (modules / "mcp-remote" / "package.json").exists():
            return modules / "mcp-remote"
    sys.exit("mcp-remote is not installed; `tests/run setup` installs it")


def installed():
    """The directories of the package and of all that it depends on, found as Node finds them."""
    found, left = set(), [package()]
    while left:
        directory = left.pop()
        if directory in found:
            continue
        found.add(directory)
        for name in json.loads((directory / "package.json").read_text()).get("dependencies", {}):
            places = (above / "node_modules" / name for above in (directory, *directory.parents))
            left.append(next(place for place in places if place.exists()))
    return found


def size_on_disk(path):
    """In blocks, as they are allocated."""
    return path.lstat().st_blocks * 512


def tree_on_disk():
    """The size of the tree with which npm would install it by itself."""
    size = 0
    for directory in installed():
        size += size_on_disk(directory)
        for here, folders, files in os.walk(directory):
            # Dependencies of its own inside are counted as such.
            folders[:] = [name for name in folders if name != "node_modules"]
            size += sum(size_on_disk(pathlib.Path(here) / name) for name in (*folders, *files))
    return size
