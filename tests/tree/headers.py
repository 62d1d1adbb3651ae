#!/usr/bin/env python3
"""Each public header compiles alone, without a warning, and brings in none of the library's own needs.
nodewise.hpp brings in all others of C++, and c.h all others of C. Headers of C compile as C99, too.

    headers.py FOLDER HEADER... -- COMPILER ARGUMENTS...

The program of each is one line, `#include <HEADER>`, written twice: a header must bear that too.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]
ALL = {"nodewise/nodewise.hpp": ".hpp", "nodewise/c.h": ".h"}
OPTIONAL = {"nodewise/manager.hpp"}  # builds without LMDB do not have it
PRIVATE = re.compile(r"(^|/)(hwloc|numa|omp|lmdb)\w*\.h$|/(hwloc|fmt|CLI|nlohmann)/")


def check(folder, header, headers, compiler, work):
    """Nothing, or what is wrong with the header, one of `headers`."""
    program, dependencies = work / "program.cpp", work / "program.d"
    program.write_text(f"#include <{header}>\n#include <{header}>\n")
    done = subprocess.run([*compiler, "-std=c++20", *WARNINGS, "-I", folder, "-MD", "-MF", dependencies,
                           "-MT", "program", "-fsyntax-only", program], capture_output=True, text=True)
    if done.returncode != 0:
        return f"{header} does not compile alone:\n{done.stderr}"
    files = dependencies.read_text().replace("\\\n", " ").split()[1:]
    if not any(file.endswith(header) for file in files):
        return f"{header}: the compiler names no file of it: {files}"
    if header.endswith(".h"):
        strict = ["-x", "c", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wstrict-prototypes", "-Werror"]
        done = subprocess.run([*compiler, *strict, "-I", folder, "-fsyntax-only", program],
                              capture_output=True, text=True)
        if done.returncode != 0:
            return f"{header} is not C99:\n{done.stderr}"
    private = [file for file in files if PRIVATE.search(file)]
    if private:
        return f"{header} includes {', '.join(private)}"
    if header not in ALL:
        return None
    missing = [other for other in headers if other.endswith(ALL[header]) and other not in OPTIONAL and
               not any(file.endswith(other) for file in files)]
    return f"{header} does not include {', '.join(missing)}" if missing else None


def main():
    split = sys.argv.index("--")
    folder, *headers = sys.argv[1:split]
    with tempfile.TemporaryDirectory() as work:
        wrong = [check(folder, header, headers, sys.argv[split + 1:], pathlib.Path(work))
                 for header in headers]
    found = [line for line in wrong if line]
    print("\n".join(found) or f"{len(headers)} headers, each alone")
    return 1 if found or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
