#!/usr/bin/env python3
"""Goal: the examples in C on the pages work.
Method: each is compiled as C99 without a warning. One with a main() is linked with the library and run in the
root of the tree; it must print what MUST_PRINT says.

    c_examples_test.py ROOT LIBRARY CC
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```c\n(.*?)^```$", re.M | re.S)
MUST_PRINT = {"docs/c.md": "batch 7: 64 x 64, mean 5.0798\n"}
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wno-missing-field-initializers", "-Werror"]


def check(page, code, root, library, compiler, work):
    """Nothing, or what is wrong."""
    source, program = work / "example.c", work / "example"
    source.write_text(code)
    link = ["-o", program, library] if "int main(" in code else ["-fsyntax-only"]
    done = subprocess.run([*compiler, *STRICT, "-I", root / "include", source, *link],
                          capture_output=True, text=True)
    if done.returncode != 0:
        return f"{page}: does not compile:\n{done.stderr}"
    if "int main(" not in code:
        return None
    environment = {**os.environ, "LD_LIBRARY_PATH": str(library.parent)}
    done = subprocess.run([program], cwd=root, env=environment, capture_output=True, text=True)
    if done.returncode != 0 or done.stdout != MUST_PRINT.get(page):
        return f"{page}: ended with {done.returncode}, printed {done.stdout!r} and {done.stderr!r}"
    return None


def main():
    root, library = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
    blocks = [(page, code) for page in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
              for code in BLOCK.findall(page.read_text(encoding="utf-8"))]
    with tempfile.TemporaryDirectory() as work:
        wrong = [check(str(page.relative_to(root)), code, root, library, sys.argv[3:], pathlib.Path(work))
                 for page, code in blocks]
    found = [line for line in wrong if line]
    print("\n".join(found) or f"{len(blocks)} examples in C")
    return 1 if found or not blocks else 0


if __name__ == "__main__":
    sys.exit(main())
