#!/usr/bin/env python3
"""Checks of the tree that are no tests: style, what the core may depend on, what published crates promise.

Each gate that fails says what to do. `tests/run` calls them; by hand: `tests/gates.py [NAME...]`.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
TOOLS = ROOT / "tests" / ".tools"

MOST_LINES = 800
MOST_CRATES = 64
# How many files of the core may import each other in a circle: fewer with every step, none in the end.
MOST_IN_CIRCLES = 23

# What the core may not depend on without its default features: I/O, async, random numbers, clocks, logs.
IMPURE = re.compile(
    r"^(tokio|mio|socket2|rustix|polling|async-.*|futures.*|smol|hyper.*|reqwest|ureq|rustls.*|native-tls|openssl.*"
    r"|getrandom|rand|rand_.*|fastrand|chrono|time|jiff|instant|quanta|log|tracing.*|env_logger|parking_lot.*|crossbeam.*)$"
)

# Public structs and enums that stay as they are, so that callers may build them field by field and match
# them whole.
COMPLETE = {
    "Now": "two clocks",
    "ResponseHead": "what a response begins with",
    "HttpResponse": "what a response is",
    "HttpAnswer": "what a response is",
    "Stored": "a record and its revision",
    "Record": "a record and its revision",
    "Swap": "a compare-and-swap succeeds or does not",
    # Parameters of a request or a check: when one is added, every caller has to think about it.
    "AuthorizationRequest": "parameters",
    "DeviceRequest": "parameters",
    "Expected": "parameters",
    "PushedRequest": "parameters",
    "RegistrationRequest": "parameters",
    "RevocationRequest": "parameters",
    "Rules": "parameters",
    "TokenRequest": "parameters",
}


class Failed(Exception):
    """What is wrong, and what to do."""


def run(*command, advice, **environment):
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"{(done.stdout + done.stderr).strip()}\n{advice}")
    return done.stdout


def packages():
    listing = run("cargo", "metadata", "--format-version=1", "--no-deps", advice="mend Cargo.toml")
    return json.loads(listing)["packages"]


def published():
    return [package for package in packages() if package["publish"] is None]


def sources(*folders):
    listed = run("git", "ls-files", "-co", "--exclude-standard", "--", *folders, advice="run it in a git checkout")
    return [ROOT / name for name in listed.split("\n") if name and (ROOT / name).is_file()]


def without_tests(text):
    return text.split("#[cfg(test)]")[0]


def dependencies(package, *options):
    tree = run(
        *("cargo", "tree", "--package", package, "--edges", "normal", "--prefix", "none", "--format", "{p}", *options),
        advice="mend Cargo.toml",
    )
    return {tuple(line.split()[:2]) for line in tree.splitlines() if line.strip()}


def formatted():
    """The tree is formatted."""
    run("cargo", "fmt", "--all", "--check", advice="run `cargo fmt`")


def clippy():
    """Clippy is content, with default features and without."""
    run(
        *("cargo", "clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"),
        advice="mend what clippy shows",
    )
    for package in published():
        run(
            *("cargo", "clippy", "--quiet", "--package", package["name"], "--no-default-features"),
            *("--", "-D", "warnings"),
            advice=f"mend what clippy shows for {package['name']} without default features",
        )


def documented():
    """The documentation builds without warnings."""
    run(
        *("cargo", "doc", "--quiet", "--workspace", "--no-deps"),
        advice="mend the documentation",
        RUSTDOCFLAGS="-D warnings",
    )


def pure_core():
    """The core depends on nothing that touches the world."""
    impure = sorted(name for name, _ in dependencies("grantor", "--no-default-features") if IMPURE.match(name))
    if impure:
        raise Failed(f"the core depends on {', '.join(impure)}: leave it to the adapters, or make it an effect")


def small_core():
    """The core with its default features has at most 64 crates in its normal dependency tree."""
    count = len(dependencies("grantor"))
    if count > MOST_CRATES:
        raise Failed(f"{count} crates, {MOST_CRATES} are allowed: `cargo tree -p grantor -e normal` shows them")
    return f"{count} crates of {MOST_CRATES}"


def runtimes_apart():
    """Who is not on tokio does not build it."""
    for package in ("grantor", "grantor-driver", "grantor-smol", "grantor-ureq"):
        if package in {known["name"] for known in packages()}:
            found = sorted(name for name, _ in dependencies(package) if name == "tokio")
            if found:
                raise Failed(f"{package} depends on tokio: `cargo tree -p {package} -e normal -i tokio` shows why")


def promises():
    """Every crate but the bindings has the workspace's lints (unsafe code is forbidden); published libraries deny missing docs."""
    wrong = []
    for package in packages():
        manifest = pathlib.Path(package["manifest_path"])
        if "bindings" in manifest.relative_to(ROOT).parts:
            continue  # an ABI is unsafe by nature, or made by macros that are
        if "[lints]\nworkspace = true" not in manifest.read_text():
            wrong.append(f"{manifest.relative_to(ROOT)}: add `[lints] workspace = true`")
    for package in published():
        root = pathlib.Path(package["manifest_path"]).parent / "src" / "lib.rs"
        if root.exists() and "#![deny(missing_docs)]" not in root.read_text():
            wrong.append(f"{root.relative_to(ROOT)}: add `#![deny(missing_docs)]`")
    if 'unsafe_code = "forbid"' not in (ROOT / "Cargo.toml").read_text():
        wrong.append("Cargo.toml: forbid unsafe_code")
    if wrong:
        raise Failed("\n".join(wrong))


def packaged():
    """Every published crate can be packaged, says what it is, and is documented with all of its features."""
    told = ("description", "license", "readme", "keywords", "categories", "rust_version")
    wrong = [f"{package['name']}: give it {what}" for package in published() for what in told if not package[what]]
    for package in published():
        settings = (package["metadata"] or {}).get("docs", {}).get("rs", {})
        if not settings.get("all-features"):
            wrong.append(f"{package['name']}: set `all-features = true` in `[package.metadata.docs.rs]`")
    if wrong:
        raise Failed("\n".join(wrong))
    chosen = [argument for package in published() for argument in ("--package", package["name"])]
    run(
        *("cargo", "package", "--quiet", "--offline", "--no-verify", "--allow-dirty", *chosen),
        advice="mend Cargo.toml; without `--no-verify` the packages are built, too",
    )


def adapters_compared():
    """The README's table of the adapters tells how large each is: lines of code, and crates with it on Linux."""
    wrong = []
    text = (ROOT / "README.md").read_text()
    for adapter in ("reqwest", "hyper", "smol", "ureq"):
        lines = 0
        for path in sources(f"adapters/{adapter}/src"):
            code = (line.strip() for line in without_tests(path.read_text()).splitlines())
            lines += sum(1 for line in code if line and not line.startswith("//"))
        crates = len(dependencies(f"grantor-{adapter}", "--target", "x86_64-unknown-linux-gnu"))
        row = f"| `grantor-{adapter}` | {lines} | {crates} |"
        if row not in text:
            wrong.append(row)
    if wrong:
        raise Failed("the rows in README.md should read:\n" + "\n".join(wrong))


def may_grow():
    """Public enums, and structs with public fields, are non_exhaustive."""
    item = re.compile(r"((?:^#\[[^\n]*\n)*)^pub (enum|struct) (\w+)([^\n]*)", re.MULTILINE)
    wrong = []
    for path in sources("core/src", "adapters"):
        if path.suffix != ".rs" or "tests" in path.parts:
            continue
        text = without_tests(path.read_text())
        for found in item.finditer(text):
            attributes, kind, name, rest = found.groups()
            body = text[found.end() :].split("\n}")[0] if rest.strip().endswith("{") else ""
            fields = re.findall(r"^    (pub(?:\([a-z ]+\))? )?\w+: ", body, re.MULTILINE)
            buildable = kind == "enum" or bool(fields) and all(field == "pub " for field in fields)
            if buildable and "non_exhaustive" not in attributes and name not in COMPLETE:
                wrong.append(f"{path.relative_to(ROOT)}: {name}")
    if wrong:
        raise Failed("add #[non_exhaustive], or say in tests/gates.py why not:\n" + "\n".join(wrong))


def every_error_tested():
    """Every variant of an error type of the core is named by a test."""
    tests = [path.read_text() for path in sources("core/tests", "tests") if path.suffix == ".rs"]
    for path in sources("core/src", "adapters"):
        if path.suffix == ".rs":
            text = path.read_text()
            inside = "tests" in path.parts or path.name == "tests.rs"
            tests.append(text if inside else "".join(text.split("#[cfg(test)]")[1:]))
    tests = "\n".join(tests)
    enum = re.compile(r"^pub enum (\w+)[^\n]*\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
    count, missing = 0, []
    for path in sources("core/src"):
        text = without_tests(path.read_text()) if path.suffix == ".rs" else ""
        for found in enum.finditer(text):
            name, body = found.groups()
            above = text[: found.start()].rsplit("\n\n", 1)[-1]
            if "thiserror::Error" not in above and "Error)]" not in above:
                continue
            # Variants that only hold an error of another type are that type's matter.
            for variant in re.findall(r"^    ([A-Z]\w*)(?!\w|\(#\[from\])", body, re.MULTILINE):
                count += 1
                if not re.search(rf"\b{name}::{variant}\b", tests):
                    missing.append(f"{path.relative_to(ROOT)}: {name}::{variant}")
    if missing:
        raise Failed("write a negative test, named after the rule, for:\n" + "\n".join(missing))
    return f"{count} variants"


def chains_say_it_once():
    """No error repeats the text of its source: whoever prints a chain reads each thing once."""
    shown = re.compile(r'#\[error\("[^\]]*\{(\w+)[^\]]*\)\]\s*(?:///[^\n]*\s*)*\w+[({]([^)}]*)', re.MULTILINE)
    count, wrong = 0, []
    for path in sources("core/src", "adapters", "examples"):
        text = path.read_text() if path.suffix == ".rs" else ""
        for found in shown.finditer(text):
            count += 1
            name, fields = found.groups()
            sources_of = re.findall(r"#\[(?:from|source)\]\s*(?:pub\s+)?(\w+)\s*:", fields) + re.findall(r"\b(source)\s*:", fields)
            unnamed = "0" if re.match(r"\s*#\[(?:from|source)\]\s*\w[\w:]*\s*$", fields) else None
            if name in sources_of or name == unnamed:
                wrong.append(f"{path.relative_to(ROOT)}:{text[: found.start()].count(chr(10)) + 1}")
    if wrong:
        raise Failed("show the source's text or have it as the source, not both (`#[error(transparent)]`):\n" + "\n".join(wrong))
    return f"{count} texts with a value"


def imports(root):
    """Which file of a crate uses which: by `use` lines and paths in code, tests left out. A module's own `mod`
    lines and re-exports are how it is put together, no use."""
    files, of_tests = {}, set()
    for path in sources(root):
        of_tests.update(re.findall(r"#\[cfg\(test\)\]\n(?:pub\([^)]*\) )?mod (\w+);", path.read_text() if path.suffix == ".rs" else ""))
    for path in sources(root):
        parts = path.relative_to(ROOT / root).with_suffix("").parts
        if path.suffix == ".rs" and not of_tests.intersection(parts):
            files[tuple(part for part in parts if part not in ("lib", "mod"))] = path
    used, path_in_code = {}, re.compile(r"\b((?:crate|self|super)(?:::\w+)+)")
    for module, path in files.items():
        code = re.sub(r"//[^\n]*", "", without_tests(path.read_text()))
        code = re.sub(r"^\s*pub use [^;]*;", "", code, flags=re.MULTILINE)
        code = re.sub(r"^\s*(?:pub\([^)]*\) )?mod \w+;", "", code, flags=re.MULTILINE)
        # `use a::{b, c::d}` names a::b and a::c::d; groups within groups are opened from the inside.
        while group := re.search(r"((?:\w+::)+)\{([^{}]*)\}", code):
            prefix, names = group.groups()
            code = code[: group.start()] + " ".join(prefix + name.strip() for name in names.split(",")) + code[group.end() :]
        names = set()
        for found in path_in_code.findall(re.sub(r"\bpub\([^)]*\)", "", code)):
            base, rest = module, found.split("::")
            if rest[0] == "crate":
                base, rest = (), rest[1:]
            while rest and rest[0] in ("self", "super"):
                base, rest = (base[:-1] if rest[0] == "super" else base), rest[1:]
            target = base + tuple(rest)
            while target not in files and target:
                target = target[:-1]
            if target and target != module:
                names.add(target)
        used[module] = names
    return used


def circles(used):
    """The groups of files in which each leads to each other, the largest first (by what each reaches)."""
    reach = {}
    for module in used:
        seen, stack = set(), [module]
        while stack:
            for target in used.get(stack.pop(), ()):
                if target not in seen:
                    seen.add(target)
                    stack.append(target)
        reach[module] = seen
    groups = {frozenset(other for other in reach[module] if module in reach[other]) for module in used}
    return sorted((sorted("/".join(module) for module in group) for group in groups if group), key=lambda group: (-len(group), group))


def no_import_circles():
    """No more files of the core import each other in a circle than did before."""
    found = circles(imports("core/src"))
    count = sum(len(group) for group in found)
    told = "\n".join(" ".join(group) for group in found)
    if count > MOST_IN_CIRCLES:
        raise Failed(f"{count} files in circles, {MOST_IN_CIRCLES} were; move what both need below both:\n{told}")
    return f"{count} files in {len(found)} circles, {MOST_IN_CIRCLES} are allowed"


def client_in_layers():
    """The client's flows stand above its tasks, these above the engine, the engine above its state and configuration."""
    layers = {"flow": 3, "task": 2, "engine": 1, "state": 0, "config": 0, "output": 0}
    level = lambda module: layers.get(module[1], 0) if module[0] == "client" and len(module) > 1 else 0
    wrong = []
    for module, targets in imports("core/src").items():
        if module[0:1] == ("client",) and len(module) > 1:
            wrong += [f"{'/'.join(module)} uses {'/'.join(target)}" for target in targets if level(target) > level(module)]
    if wrong:
        raise Failed("a file uses only what stands below it:\n" + "\n".join(sorted(wrong)))


def short_files():
    """No source file has more than 800 lines."""
    lengths = {path: len(path.read_text().splitlines()) for path in sources() if path.suffix in (".rs", ".py", ".mjs")}
    wrong = [f"{path.relative_to(ROOT)}: {lines}" for path, lines in lengths.items() if lines > MOST_LINES]
    if wrong:
        raise Failed(f"more than {MOST_LINES} lines; split them by subject:\n" + "\n".join(wrong))
    return f"the longest of {len(lengths)} has {max(lengths.values())} lines"


def portable():
    """Nothing names a machine's paths, and lock files name no package host but the official ones."""
    wrong = []
    for path in sources():
        if path.suffix in (".rs", ".py", ".mjs", ".toml", ".json", ".md", ".lock", ".yml", ".sh", "") and path != pathlib.Path(__file__):
            text = path.read_text(errors="replace")
            if re.search(r"(?<![\w.:/\"])/(home|root|Users|work)/\w", text) or '"resolved": "http' in text:
                wrong.append(str(path.relative_to(ROOT)))
    if wrong:
        raise Failed("take the paths of a machine, or `resolved` addresses, out of:\n" + "\n".join(wrong))


def licences():
    """Every dependency has a licence that fits, and comes from crates.io (cargo-deny)."""
    deny = TOOLS / "bin" / "cargo-deny"
    if not deny.exists():
        raise Failed("cargo-deny is missing; `tests/run setup` installs it")
    run(
        *(deny, "--all-features", "--log-level", "error", "check", "licenses", "bans", "sources"),
        advice="see deny.toml",
    )


GATES = [
    formatted,
    clippy,
    documented,
    pure_core,
    small_core,
    runtimes_apart,
    promises,
    packaged,
    adapters_compared,
    may_grow,
    every_error_tested,
    chains_say_it_once,
    no_import_circles,
    client_in_layers,
    short_files,
    portable,
    licences,
]


def main():
    wanted, passed, failed = sys.argv[1:], 0, 0
    unknown = set(wanted) - {gate.__name__ for gate in GATES}
    if unknown:
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(gate.__name__ for gate in GATES)}")
    for gate in GATES:
        if wanted and gate.__name__ not in wanted:
            continue
        try:
            figure = gate()
        except Failed as problem:
            failed += 1
            print(f"FAILED {gate.__doc__}\n{problem}", flush=True)
        else:
            passed += 1
            print(f"ok     {gate.__doc__}{f' ({figure})' if figure else ''}", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
