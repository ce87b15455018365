"""The functions of the header, and what each of their parameters is: so that none is forgotten."""

from __future__ import annotations

import re
from dataclasses import dataclass

HANDLES = ("browser", "challenges", "config", "machine", "output", "store")


@dataclass(frozen=True)
class Parameter:
    type: str
    name: str

    @property
    def handle(self) -> str | None:
        """Of which handle it is a pointer."""
        found = re.fullmatch(r"(?:const )?struct grantor_(\w+) \*", self.type)
        return found[1] if found and found[1] in HANDLES else None


@dataclass(frozen=True)
class Function:
    result: str
    name: str
    parameters: tuple[Parameter, ...]


def functions(header: str) -> list[Function]:
    """All that the header declares, but the inline ones."""
    code = re.sub(r"//[^\n]*", "", header).split("static inline", 1)[0]
    found = []
    for result, name, text in re.findall(r"^([a-z][a-z_0-9 ]*[ *]+)(grantor_\w+)\(([^)]*)\);", code, re.M):
        parameters = []
        for parameter in re.sub(r"\s+", " ", text).split(","):
            if parameter.strip() != "void":
                match = re.fullmatch(r"(.*?[ *])(\w+)", parameter.strip())
                assert match is not None, parameter
                parameters.append(Parameter(match[1].strip(), match[2]))
        found.append(Function(result.strip(), name, tuple(parameters)))
    return found
