#!/usr/bin/env python3
"""Goal: having a batch from a loader costs next to nothing: no allocation, no lock, few instructions.

Method: Valgrind counts the instructions of a function that has N batches, and 2 N; the difference belongs to
the batches alone. What allocates or locks is called, and nothing may be called; an instruction that locks by
itself is looked for in the machine code.
Usage: instructions_test.py INSTRUCTIONS
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv.pop(1)
CALLS = 10000
MOST_INSTRUCTIONS = 20  # for a batch, with the loop around it


def counted(function, calls):
    """How many instructions `function` took with all that it called, and what it called."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "callgrind"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--compress-strings=no",
                   "--collect-atstart=no", f"--toggle-collect={function}", PROGRAM, function, str(calls)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}\n{done.stdout}")
        text = out.read_text()
    instructions = int(re.search(r"^(?:totals|summary): (\d+)", text, re.M)[1])
    called = re.findall(r"^cfn=(.*)", text.partition(f"\nfn={function}\n")[2].partition("\nfn=")[0], re.M)
    return instructions, called


def machine_code(function):
    command = ["objdump", "--disassemble=" + function, "--no-show-raw-insn", PROGRAM]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


class Instructions(unittest.TestCase):
    def few(self, function):
        once, called = counted(function, CALLS)
        twice, _ = counted(function, 2 * CALLS)
        instructions = (twice - once) / CALLS
        print(f"{function}: {instructions:g} instructions a batch")
        self.assertEqual(called, [])
        self.assertGreater(instructions, 1)  # or nothing was counted
        self.assertLessEqual(instructions, MOST_INSTRUCTIONS)
        if shutil.which("objdump"):
            code = machine_code(function)
            self.assertIn("ret", code)
            self.assertNotRegex(code, r"\block\b|\bxchg\b.*\(")

    def test_a_view_of_any_type(self):
        self.few("any")

    def test_a_view_of_a_known_type(self):
        self.few("typed")


if __name__ == "__main__":
    if not shutil.which("valgrind"):
        print("SKIP: valgrind is missing; where it is, the instructions for one batch are counted")
        sys.exit(77)
    unittest.main(verbosity=2)
