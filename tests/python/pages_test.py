#!/usr/bin/env python3
"""Goal: what the pages and docstrings show of the Python package works.
Method: every example on a page that imports nodewise is run in a folder of its own; so are the doctests.
The examples for containers run under Docker's filter of system calls, and those for torchrun under
torchrun. Examples with a library that is not installed are skipped, by name.

    pages_test.py ROOT
"""

import doctest
import functools
import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import numpy as np

import nodewise
from support import needs_managers

ROOT = pathlib.Path(sys.argv.pop(1)).resolve() if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
NEEDED = re.compile(r"^(?:import|from) (torch|jax|tensorflow)\b", re.M)
SECONDS = 240  # until an example has hung
PACKAGE = re.compile(r"^(import nodewise|from nodewise import)\b(?!_)", re.M)


def blocks():
    """(page, code) of each example that uses the package."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for code in BLOCK.findall(page.read_text(encoding="utf-8")):
            if PACKAGE.search(code):
                yield page.relative_to(ROOT), code


def command_of(page, code):
    """How an example is started."""
    if "torchrun" in code:
        return [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "4"]
    if page.name == "docker.md":
        return [str(ROOT / "tests/support/docker_filter.py"), sys.executable]
    return [sys.executable]


def missing(code):
    """The library that an example needs and that is not installed, or none."""
    needed = {*NEEDED.findall(code), *(["torch"] if "nodewise.torch" in code else [])}
    return next((name for name in sorted(needed) if importlib.util.find_spec(name) is None), None)


class Pages(unittest.TestCase):
    def run_example(self, page, code):
        if library := missing(code):
            self.skipTest(f"{page}: {library} is not installed; tools/dev test --peers installs it")
        if "nodewise.Manager" in code:
            needs_managers()
        with tempfile.TemporaryDirectory() as folder:
            unique = f"pages.{os.getpid()}"
            np.save(pathlib.Path(folder) / "data.npy", np.zeros((4096, 8), np.float32))
            (pathlib.Path(folder) / "example.py").write_text(code.replace('"train"', f'"{unique}"'))
            done = subprocess.run(
                [*command_of(page, code), "example.py"],
                cwd=folder, capture_output=True, text=True, timeout=SECONDS,
            )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        if "torch" not in code:  # which warns of few CPUs, and of threads
            self.assertEqual(done.stderr, "")

    def test_there_are_examples(self):
        self.assertGreaterEqual(len(list(blocks())), 2)

    def test_doctests(self):
        if not np.__version__.startswith("1."):
            np.set_printoptions(legacy="1.25")  # 5.5, and not np.float64(5.5)
        tested = 0
        for name in sorted(path.stem for path in pathlib.Path(nodewise.__file__).parent.glob("_*.py")):
            if name != "__init__":
                failed, count = doctest.testmod(importlib.import_module(f"nodewise.{name}"))
                self.assertEqual(failed, 0)
                tested += count
        self.assertGreater(tested, 0)


for number, example in enumerate(
    blocks()
):  # a test each, so that one that cannot run is one that is skipped
    setattr(Pages, f"test_example_{number}", functools.partialmethod(Pages.run_example, *example))


if __name__ == "__main__":
    unittest.main(verbosity=2)
