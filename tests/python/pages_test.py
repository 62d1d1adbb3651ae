#!/usr/bin/env python3
"""Goal: what the pages and docstrings show of the Python package works.
Method: every example on a page that imports nodewise is run in a folder of its own; so are the doctests.

    pages_test.py ROOT
"""
import doctest
import importlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import numpy as np

import nodewise

ROOT = pathlib.Path(sys.argv.pop(1)) if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
PACKAGE = re.compile(r"^(import nodewise|from nodewise import)\b(?!_)", re.M)


def blocks():
    """(page, code) of each example that uses the package."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for code in BLOCK.findall(page.read_text(encoding="utf-8")):
            if PACKAGE.search(code):
                yield page.relative_to(ROOT), code


class Pages(unittest.TestCase):
    def test_examples(self):
        found = list(blocks())
        self.assertGreaterEqual(len(found), 2)
        for page, code in found:
            with self.subTest(page=str(page)), tempfile.TemporaryDirectory() as folder:
                unique = f"pages.{os.getpid()}"
                np.save(pathlib.Path(folder) / "data.npy", np.zeros((4096, 8), np.float32))
                (pathlib.Path(folder) / "example.py").write_text(code.replace('"train"', f'"{unique}"'))
                done = subprocess.run(
                    [sys.executable, "example.py"], cwd=folder, capture_output=True, text=True, timeout=120
                )
                self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_doctests(self):
        tested = 0
        for name in sorted(path.stem for path in pathlib.Path(nodewise.__file__).parent.glob("_*.py")):
            if name != "__init__":
                failed, count = doctest.testmod(importlib.import_module(f"nodewise.{name}"))
                self.assertEqual(failed, 0)
                tested += count
        self.assertGreater(tested, 0)


if __name__ == "__main__":
    unittest.main()
