#!/usr/bin/env python3
"""Goal: what the tests say of the distribution's NumPy holds for the newest one too.
Method: installs it from the package registry into a folder of the build, then runs the Python tests with it.

Usage: peers_test.py FOLDER NPY_DUMP DATA MEANS_FILTER
"""
import os
import pathlib
import subprocess
import sys

TESTS = pathlib.Path(__file__).resolve().parent.parent


def python_with_pip():
    """The first of these that can install packages, or none."""
    for candidate in (sys.executable, "python3", "/usr/bin/python3"):
        found = subprocess.run([candidate, "-m", "pip", "--version"], capture_output=True)
        if found.returncode == 0:
            return candidate
    return None


def main():
    folder, npy_dump, data, means_filter = sys.argv[1:]
    python = python_with_pip()
    if python is None:
        print("SKIP: no Python here has pip; on Debian the package python3-pip has it")
        return 77
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--upgrade", "--target", folder, "numpy"],
                   check=True)
    environment = {**os.environ, "PYTHONPATH": folder}
    version = subprocess.run([python, "-c", "import numpy; print(numpy.__version__)"], env=environment,
                             capture_output=True, text=True, check=True).stdout.strip()
    failed = 0
    for command in ([TESTS / "source" / "npy_python_test.py", npy_dump, data],
                    [TESTS / "means" / "means_python_test.py", means_filter]):
        code = subprocess.run([python, *command], env=environment).returncode
        print(f"NumPy {version}: {command[0].name}: exit code {code}")
        failed += code != 0
    print(f"{2 - failed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
