#!/usr/bin/env python3
"""Goal: what the documentation shows as a whole piece of C++ compiles. Method: every block of every page that
begins with an #include.

    snippets.py ROOT INCLUDE_FOLDER COMPILER...
"""
import pathlib
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```cpp\n(#include .*?)^```$", re.M | re.S)
LEAST = 3  # so many there are, at least


def compiles(compiler, include, code):
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "snippet.cpp"
        source.write_text(code, encoding="utf-8")
        done = subprocess.run([*compiler, "-std=c++20", "-Wall", "-Wextra", "-fsyntax-only", "-I", include,
                               source], capture_output=True, text=True)
        print(done.stderr, end="")
        return done.returncode == 0


def main():
    root, include, *compiler = sys.argv[1:]
    seen = failed = 0
    for page in [pathlib.Path(root) / "README.md", *sorted(pathlib.Path(root, "docs").rglob("*.md"))]:
        for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
            seen += 1
            if not compiles(compiler, include, block[1]):
                failed += 1
                print(f"{page}: the block above does not compile")
    if seen < LEAST:
        print(f"{seen} blocks found, at least {LEAST} are due")
        return 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
