#!/usr/bin/env python3
"""Goal: what the pages in docs/ show is what the command prints. Method: each block that is marked
```console runnable is run line by line, and the output held against what stands below the line; "..." there
stands for what differs from machine to machine, and a folder of the test's own for /tmp. The goldens beside
this file are held exactly:

    NODEWISE_UPDATE_GOLDENS=1 meson test -C build pages     writes them anew
"""
import os
import pathlib
import re
import tempfile
import unittest

import command

HERE = pathlib.Path(__file__).parent
BLOCK = re.compile(r"^```console runnable\n(.*?)^```$", re.M | re.S)


def steps(block):
    """(line after the prompt, expected output) of each command of a block; a line may go on after a "\\"."""
    for step in re.split(r"^\$ ", block, flags=re.M)[1:]:
        line, _, expected = step.replace("\\\n", " ").partition("\n")
        yield line, expected


class Pages(unittest.TestCase):
    def test_runnable_blocks(self):
        ran = 0
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for page in sorted((command.SOURCE / "docs").rglob("*.md")):
            for block in BLOCK.findall(page.read_text(encoding="utf-8")):
                for line, expected in steps(block.replace("/tmp/", f"{folder.name}/")):
                    _, shown = command.shell(line)
                    ran += 1
                    with self.subTest(page=page.name, line=line):
                        as_shown = command.matches(expected, shown)
                        self.assertTrue(as_shown, f"expected:\n{expected}\nis:\n{shown}")
        self.assertGreater(ran, 15)

    def test_that_the_comparison_can_fail(self):
        self.assertTrue(command.matches("a ... c\n...\nend\n", "a b c\n1\n2\nend\n"))
        self.assertFalse(command.matches("a ... c\n", "a b d\n"))
        self.assertFalse(command.matches("a\nend\n", "a\n1\nend\n"))
        self.assertEqual(list(steps("$ one \\\n  two\nout\n$ three\n")),
                         [("one    two", "out\n"), ("three", "")])

    def test_goldens(self):
        goldens = sorted((HERE / "golden").glob("*.txt"))
        self.assertGreaterEqual(len(goldens), 8)
        for golden in goldens:
            line, _, expected = golden.read_text(encoding="utf-8").removeprefix("$ ").partition("\n")
            code, shown = command.shell(line)
            if os.environ.get("NODEWISE_UPDATE_GOLDENS"):
                golden.write_text(f"$ {line}\n{shown}", encoding="utf-8")
                continue
            with self.subTest(golden=golden.name):
                self.assertEqual((code, shown), (0, expected))


if __name__ == "__main__":
    unittest.main(verbosity=2)
