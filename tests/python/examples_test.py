#!/usr/bin/env python3
"""Goal: the shipped examples do what they say, under every start method of Python.
Method: each is run as a program, and its output compared.

    examples_test.py EXAMPLES_FOLDER
"""

import pathlib
import subprocess
import sys
import tempfile
import unittest

import nodewise

FOLDER = pathlib.Path(sys.argv.pop(1)) if len(sys.argv) > 1 else pathlib.Path("python/examples")
METHODS = ("fork", "spawn", "forkserver")
SECONDS = 120
OUTPUTS = {
    "counter_and_numbers": "10 [0, 1, 4, 9, 16, 25, 36, 49, 64, 81] 2000\n",
    "managed_list": "[0, 1, 2] {'worker 0': 0, 'worker 1': 100, 'worker 2': 200}\n",
    "array_mean": "499.5\n",
    "managed_array": "[[0.0, 4.0, 8.0], [12.0, 16.0, 20.0]]\n",
}


def has_managers():
    """Whether this build has managers, which need LMDB."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            nodewise.Manager(folder)
        except ValueError:
            return False
        return True


class Examples(unittest.TestCase):
    def test_each(self):
        self.assertEqual({path.stem for path in FOLDER.glob("*.py")}, set(OUTPUTS))
        for name, output in OUTPUTS.items():
            if name.startswith("managed") and not has_managers():
                print(f"SKIP: {name}.py, because this build has no LMDB")
                continue
            for method in METHODS:
                with self.subTest(name, method=method):
                    done = subprocess.run(
                        [sys.executable, FOLDER / f"{name}.py", method],
                        capture_output=True,
                        text=True,
                        timeout=SECONDS,
                    )
                    self.assertEqual((done.stdout, done.stderr, done.returncode), (output, "", 0))


if __name__ == "__main__":
    unittest.main()
