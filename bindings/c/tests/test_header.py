"""The header, to compilers and to readers."""

from __future__ import annotations

import pathlib
import re
import subprocess

import pytest
from abi import functions
from conftest import HEADER, PREFIX, WARNINGS

COMPILERS = [
    ("cc", "c", "c99"),
    ("cc", "c", "c11"),
    ("c++", "c++", "c++17"),
    ("clang", "c", "c99"),
    ("clang++", "c++", "c++17"),
]


@pytest.mark.parametrize(("compiler", "language", "standard"), COMPILERS)
@pytest.mark.parametrize("header", ["grantor.h", "grantor_curl.h"])
def test_no_compiler_warns(tmp_path: pathlib.Path, compiler: str, language: str, standard: str, header: str) -> None:
    source = tmp_path / "included"
    source.write_text(f"#include <{header}>\n#include <{header}>\nint main(void) {{ return 0; }}\n")
    command = [compiler, f"-std={standard}", "-D_POSIX_C_SOURCE=200809L", *WARNINGS, f"-I{PREFIX / 'include'}"]
    subprocess.run([*command, "-fsyntax-only", "-x", language, str(source)], check=True)


def test_everything_is_documented() -> None:
    names = [function.name for function in functions(HEADER)]
    assert len(names) > 50
    assert [name for name in names if not re.search(rf"\n//[^\n]*\n[^\n/]*\b{name}\(", HEADER)] == []
    values = re.findall(r"\n( *//[^\n]*)?\n  (GRANTOR_\w+) = ", HEADER)
    assert len(values) > 200 and [name for comment, name in values if not comment] == []


def test_numbers_never_change() -> None:
    """Those of 0.1.0. What is added comes behind; a number in this list is a promise."""
    promised = {
        "RESULT_OK": 0, "RESULT_PANIC": 4, "RESULT_UNUSABLE": 10, "RESULT_WRONG_COMPLETION": 18, "RESULT_OTHER": 24,
        "CONFIG_CLIENT": 1, "CONFIG_GUARD": 2, "CONFIG_NEED": 7,
        "OPTION_ACCOUNT": 1, "OUTPUT_CALL_SEND": 1, "OUTPUT_HTTP": 8, "OUTPUT_HEADERS": 27,
        "FIELD_CALL": 1, "FIELD_TOKEN68": 50, "BLAME_USER": 6, "FAILURE_UNREACHABLE": 5, "ASSERTION_SAML2": 4,
    }  # fmt: skip
    numbers = {name: int(number) for name, number in re.findall(r"GRANTOR_(\w+) = (\d+),", HEADER)}
    assert {name: numbers.get(name) for name in promised} == promised
