#!/usr/bin/env python3
"""Goal: the binary interface of <nodewise/c.h> does not change by accident.
Method: a C99 program that is made from the headers prints the offset and size of every member of every
struct, and the value of every enumerator. These lines, and the functions that the shared library exports, are
compared with abi.txt. Every function that a header declares must be exported, with the version of the C
interface.

    abi_test.py HEADERS LIBRARY CC [--write]     --write replaces abi.txt
"""
import pathlib
import re
import subprocess
import sys
import tempfile

STORED = pathlib.Path(__file__).with_name("abi.txt")
VERSION = "NODEWISE_C_0.1"


def without_comments(text):
    return re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)


def members(body):
    """The names of the members in the body of a struct."""
    for line in body.split(";"):
        function = re.search(r"\(\*(\w+)\)", line)
        name = function or re.search(r"(\w+)\s*(?:\[\w+\])?\s*$", line)
        if name:
            yield name[1]


def program(text):
    """A C99 program that prints the layouts and numbers of the headers."""
    lines = []
    for body, name in re.findall(r"typedef struct \w+ \{(.*?)\} (\w+);", text, re.DOTALL):
        lines.append(f'printf("struct {name}: %zu bytes\\n", sizeof({name}));')
        lines += [f'printf("  {name}.{member}: %zu at %zu\\n", sizeof((({name}*)0)->{member}), '
                  f'offsetof({name}, {member}));' for member in members(body)]
    for body in re.findall(r"\benum \{(.*?)\};", text, re.DOTALL):
        lines += [f'printf("{name} = %d\\n", (int){name});' for name in re.findall(r"\b(NW_\w+)\s*=", body)]
    begin = ["#include <nodewise/c.h>", "#include <stdio.h>", "int main(void) {"]
    return "\n".join([*begin, *lines, "return 0;", "}", ""])


def layout(headers, compiler, text, work):
    source = work / "layout.c"
    source.write_text(program(text))
    subprocess.run([*compiler, "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wstrict-prototypes", "-Werror",
                    "-I", headers, source, "-o", work / "layout"], check=True)
    return subprocess.run([work / "layout"], check=True, capture_output=True, text=True).stdout.splitlines()


def exported(library):
    table = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True,
                           text=True)
    return sorted(re.findall(r" [TW] (nw_\w+@+[\w.]+)$", table.stdout, re.MULTILINE))


def main():
    headers, library, *rest = sys.argv[1:]
    write = rest[-1] == "--write"
    compiler = rest[:-1] if write else rest
    folder = pathlib.Path(headers) / "nodewise"
    text = "".join(without_comments(path.read_text()) for path in sorted(folder.glob("c/*.h")))
    symbols = exported(library)
    with tempfile.TemporaryDirectory() as work:
        found = [*layout(headers, compiler, text, pathlib.Path(work)), *symbols]
    calls = re.findall(r"\b(nw_\w+)\(", re.sub(r"\(\*\w+\)\(", "", text))
    declared = {f"{name}@@{VERSION}" for name in calls}
    wrong = [f"declared, but not exported: {name}" for name in sorted(declared - set(symbols))]
    wrong += [f"exported, but in no header: {name}" for name in sorted(set(symbols) - declared)]
    if write:
        STORED.write_text("\n".join(found) + "\n")
    stored = STORED.read_text().splitlines()
    wrong += [f"changed or gone: {line}" for line in stored if line not in found]
    wrong += [f"new (abi_test.py --write adds it): {line}" for line in found if line not in stored]
    print("\n".join(wrong) or f"{len(found)} lines, as stored")
    return 1 if wrong or not symbols else 0


if __name__ == "__main__":
    sys.exit(main())
