#!/usr/bin/env python3
"""A mistake must not compile, and what was meant must.

    misuse.py FILE COMPILER ARGUMENTS...

FILE is compiled as it is, which must succeed, and with BROKEN defined, which must fail with a message
that matches the file's line "// Error: REGULAR EXPRESSION": failing for another reason proves nothing.
"""
import re
import subprocess
import sys


def main():
    file, *compiler = sys.argv[1:]
    expected = re.search(r"^// Error: (.*)$", open(file, encoding="utf-8").read(), re.M)[1]
    command = [*compiler, "-std=c++20", "-fsyntax-only", file]
    fixed = subprocess.run(command, capture_output=True, text=True)
    if fixed.returncode != 0:
        print(f"{file}: what is right does not compile:\n{fixed.stderr}")
        return 1
    broken = subprocess.run([*command, "-DBROKEN"], capture_output=True, text=True)
    if broken.returncode == 0:
        print(f"{file}: the mistake compiles")
        return 1
    if not re.search(expected, broken.stderr):
        print(f"{file}: the mistake fails, but not with {expected!r}:\n{broken.stderr}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
