#!/usr/bin/env python3
"""Goal: the examples on the pages do what they say. Method: examples.cpp.in, with every C++ example of every
page in it, is compiled and run in a directory of its own; so is every example in Python. An example that is
not run fails.

    examples_test.py ROOT LIBRARY INCLUDE_FOLDER HAVE_MANAGER COMPILER...
"""
import array
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from own_names import OWN_PREFIX, own_files, remove_own_files  # noqa: E402  (its folder is known only now)

BLOCK = re.compile(r"^```(cpp|python)\n(.*?)^```$", re.M | re.S)
PLACE = re.compile(r"^@([\w./-]+): (.*)@$", re.M)
# What the Python of a page is run with; the one of segments is run while the segment is there.
CALLS = {
    "docs/layouts.md": "assert statistics([1.0, 2.0, 6.0])[0] == 3",
    "docs/means.md": "assert mean([0.5, 1.5]) == 1",
    "docs/segment-format.md": "assert rows.shape == (256, 8)",
}


def examples(root):
    """(page, language, code) of each."""
    for page in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        for language, code in BLOCK.findall(page.read_text(encoding="utf-8")):
            if re.search(r"^import nodewise$", code, re.M):
                continue  # tests/python/pages_test.py runs it, where the package is built
            yield str(page.relative_to(root)), language, code


def adapted(code):
    """Names that no other program has, and no more memory and time than a test should take."""
    unique = f"{OWN_PREFIX}examples"
    code = re.sub(r'"(train|batches|todo|job)"', rf'"{unique}.\1"', code)
    code = code.replace("/dev/shm/my-job", f"/dev/shm/{unique}.my-job")
    code = code.replace("1ull << 30", "1ull << 24").replace("step < 100000", "step < 100")
    code = code.replace("tests/data/digits.npy", "digits.npy").replace('require(0.95)', 'require(0)')
    return code.replace("int main()", "void main_of_page()")


def program(root, blocks):
    """The source, and the blocks that are not in it."""
    missing = [block for block in blocks if block[1] == "cpp"]
    includes = set()

    def put(found):
        page, text = found.groups()
        for block in missing:
            code = adapted(block[2])
            if block[0] == page and text in code:
                missing.remove(block)
                includes.update(re.findall(r"^#include .*$", code, re.M))
                return re.sub(r"^#include .*\n", "", code, flags=re.M)
        raise SystemExit(f"{page} has no example with {text!r}; correct tests/tree/examples.cpp.in")

    source = PLACE.sub(put, adapted((root / "tests/tree/examples.cpp.in").read_text(encoding="utf-8")))
    return source.replace("@INCLUDES@", "\n".join(sorted(includes))), missing


def write_data(folder, root):
    shutil.copy(root / "tests/data/digits.npy", folder)
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (4096, 8), }"
    header += " " * (118 - len(header) - 1) + "\n"
    numbers = array.array("f", (i % 97 for i in range(4096 * 8)))
    start = b"\x93NUMPY\1\0" + struct.pack("<H", 118) + header.encode()
    (folder / "data.npy").write_bytes(start + numbers.tobytes())


def run_python(folder, blocks):
    """The command that runs the example of segments; the others are run at once."""
    later = "true"
    for page, language, code in blocks:
        if language != "python":
            continue
        script = folder / (page.replace("/", "-") + ".py")
        script.write_text(adapted(code) + "\n" + CALLS[page] + "\n", encoding="utf-8")
        if "open_segment" in code:
            numpy = subprocess.run([sys.executable, "-c", "import numpy"], capture_output=True)
            has_numpy = numpy.returncode == 0
            later = f"{sys.executable} {script}" if has_numpy else "true"
            if not has_numpy:
                print("SKIP: the example of segment-format.md needs NumPy")
        elif subprocess.run([sys.executable, script]).returncode != 0:
            raise SystemExit(f"{page}: the example above fails")
    return later


def main():
    root, library, include, manager, *compiler = sys.argv[1:]
    root, library = pathlib.Path(root).resolve(), pathlib.Path(library).resolve()
    blocks = list(examples(root))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_data(folder, root)
        source, missing = program(root, blocks)
        for page, _, code in missing:
            print(f"{page}: no test runs this example; name it in tests/tree/examples.cpp.in:\n{code}")
        (folder / "examples.cpp").write_text(source, encoding="utf-8")
        defines = ["-DHAVE_MANAGER"] * (manager == "yes")
        flags = ["-std=c++20", "-Wall", "-Wextra", "-fopenmp", *defines, "-I", include]
        subprocess.run([*compiler, *flags, "-o", folder / "examples", folder / "examples.cpp", library,
                        f"-Wl,-rpath,{library.parent}"], check=True)
        environment = os.environ | {"PYTHONPATH": str(root / "python"), "OMP_WAIT_POLICY": "passive",
                                    "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run([folder / "examples", run_python(folder, blocks)], cwd=folder, env=environment)
    shutil.rmtree(f"/dev/shm/{OWN_PREFIX}examples.my-job", ignore_errors=True)
    left = own_files()
    remove_own_files()
    if left:
        print("the examples left", *left)
    return 1 if missing or left or done.returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
