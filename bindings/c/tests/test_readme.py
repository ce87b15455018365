"""The README's program is the example that the other tests run."""

from __future__ import annotations

import re

from conftest import BINDING


def test_the_client_is_as_printed() -> None:
    printed = re.search(r"```c\n(.*?)```", (BINDING / "README.md").read_text(), re.S)
    assert printed is not None
    assert printed[1] == (BINDING / "examples" / "client.c").read_text()
