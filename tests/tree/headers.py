#!/usr/bin/env python3
"""Each public header compiles alone, without a warning, and brings in none of the library's own needs;
nodewise.hpp brings in all others.

    headers.py FOLDER HEADER... -- COMPILER ARGUMENTS...

The program of each is one line, `#include <HEADER>`, written twice: a header must bear that too.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]
ALL = "nodewise/nodewise.hpp"
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
    private = [file for file in files if PRIVATE.search(file)]
    if private:
        return f"{header} includes {', '.join(private)}"
    missing = [other for other in headers if not any(file.endswith(other) for file in files)]
    missing = [other for other in missing if other not in OPTIONAL]
    return f"{header} does not include {', '.join(missing)}" if header == ALL and missing else None


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
