#!/usr/bin/env python3
"""Goal: the shipped examples do what they say, under every start method of Python.
Method: each is run as a program, and its output compared.

    examples_test.py ROOT
"""

import functools
import pathlib
import subprocess
import sys
import unittest

from support import needs_managers

ROOT = pathlib.Path(sys.argv.pop(1)) if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]
FOLDER = ROOT / "python" / "examples"
METHODS = ("fork", "spawn", "forkserver")
SECONDS = 120
OUTPUTS = {
    "counter_and_numbers": "10 [0, 1, 4, 9, 16, 25, 36, 49, 64, 81] 2000\n",
    "managed_list": "[0, 1, 2] {'worker 0': 0, 'worker 1': 100, 'worker 2': 200}\n",
    "array_mean": "499.5\n",
    "managed_array": "[[0.0, 4.0, 8.0], [12.0, 16.0, 20.0]]\n",
}


class Examples(unittest.TestCase):
    def run_program(self, name):
        if name.startswith("managed"):
            needs_managers()
        for method in METHODS:
            with self.subTest(name, method=method):
                done = subprocess.run(
                    [sys.executable, FOLDER / f"{name}.py", method],
                    capture_output=True,
                    text=True,
                    timeout=SECONDS,
                )
                self.assertEqual((done.stdout, done.stderr, done.returncode), (OUTPUTS[name], "", 0))

    def test_each_program_is_run(self):
        self.assertEqual({path.stem for path in FOLDER.glob("*.py")}, set(OUTPUTS))


for name in OUTPUTS:
    setattr(Examples, f"test_{name}", functools.partialmethod(Examples.run_program, name))


if __name__ == "__main__":
    unittest.main(verbosity=2)
