#!/usr/bin/env python3
"""Goal: the Python package shares memory with the newest release of each library that it is made for.
Method: installs the library from the package registry into a folder of the build, then runs the tests of the
package that concern it. A library that cannot be installed for this Python is skipped, by name.

Usage: consumers_test.py LIBRARY FOLDER PACKAGE ROOT
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from peers_test import python_with_pip

TESTS = {
    "numpy": ("dlpack", "loader", "misuse", "ring", "shared", "manager", "processes", "pages"),
    "torch": ("torch", "dlpack", "pages"),
    "jax": ("jax", "dlpack", "pages"),
    "tensorflow": ("tensorflow",),
    "mypy": (),
    "abi3audit": (),
}
REQUIREMENTS = {"mypy": ["mypy", "numpy"], "tensorflow": ["tensorflow-cpu"]}
EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
LIBRARIES = re.compile(r"^(?:import|from) (?:torch|jax)\b|nodewise\.torch", re.M)


def examples(root, folder):
    """Writes the examples of the pages that need no other library, and gives their files."""
    for page in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        for i, code in enumerate(EXAMPLE.findall(page.read_text(encoding="utf-8"))):
            if re.search(r"^import nodewise$", code, re.M) and not LIBRARIES.search(code):
                file = pathlib.Path(folder) / f"{page.stem}_{i}.py".replace("-", "_")
                file.write_text(code, encoding="utf-8")
                yield file


def check_types(python, package, root, environment):
    """Checks the types of the programs that are shipped, and of the examples on pages, whose functions have
    no annotations."""
    with tempfile.TemporaryDirectory() as folder:
        programs = sorted((root / "python" / "examples").glob("*.py"))
        pages = list(examples(root, folder))
        code = 0 if programs and pages else 1
        for files, relaxed in ((programs, []), (pages, ["--allow-untyped-defs", "--allow-untyped-calls"])):
            command = [python, "-m", "mypy", "--strict", "--follow-imports=silent", *relaxed, *files]
            code |= subprocess.run(command, cwd=folder, env={**environment, "MYPYPATH": package}).returncode
    print(f"mypy --strict: {len(programs)} programs and {len(pages)} examples: exit code {code}")
    return code != 0


def check_symbols(python, package, environment):
    """Whether the extension uses only what CPython 3.11 and all later versions have."""
    command = [python, "-m", "abi3audit", "--strict", "--assume-minimum-abi3", "3.11", "--verbose"]
    code = subprocess.run([*command, package / "nodewise" / "_native.abi3.so"], env=environment).returncode
    print(f"abi3audit: exit code {code}")
    return code != 0


def main():
    library, *paths = sys.argv[1:]
    folder, package, root = (pathlib.Path(path).resolve() for path in paths)
    python = python_with_pip()
    if python is None:
        print("SKIP: no Python here has pip; on Debian the package python3-pip has it")
        return 77
    installed = subprocess.run([python, "-m", "pip", "install", "--quiet", "--upgrade", "--target", folder,
                                *REQUIREMENTS.get(library, [library])], capture_output=True, text=True)
    if installed.returncode != 0:
        reasons = [line for line in installed.stderr.splitlines() if line.startswith("ERROR")]
        print(f"SKIP: {library} cannot be installed: {reasons[-1] if reasons else installed.stderr[-200:]}")
        return 77
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{package}"}
    failed = []
    for name in TESTS[library]:
        test = root / "tests" / "python" / f"{name}_test.py"
        arguments = [root] if name == "pages" else []
        code = subprocess.run([python, test, *arguments], env=environment).returncode
        print(f"{library}: {test.name}: exit code {code}", flush=True)
        failed += [name] if code != 0 else []
    if library == "mypy" and check_types(python, package, root, environment):
        failed.append("mypy")
    if library == "abi3audit" and check_symbols(python, package, environment):
        failed.append("abi3audit")
    ran = max(len(TESTS[library]), 1)
    print(f"{ran - len(failed)} passed, {len(failed)} failed")
    return int(len(failed) > 0)


if __name__ == "__main__":
    sys.exit(main())
