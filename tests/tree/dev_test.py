#!/usr/bin/env python3
"""tools/dev: verbs, what it does where something is missing and where nothing is, and its count of tests.

Nothing is installed here: the system's installers are out of reach, or stand-ins that only say so.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from terminal import on_a_terminal  # noqa: E402  (its folder is known only now)

TALLY = ROOT / "tools" / "dev.d" / "tally.py"
DOCTEST = "[doctest] test cases:  {} |  {} passed | {} failed | {} skipped\n"


def bash(*arguments, path=None):
    return subprocess.run(["bash", *map(str, arguments)], capture_output=True, text=True, cwd=ROOT,
                          env=os.environ | ({"PATH": str(path)} if path else {}))


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def put(self, name, script):
        file = self.folder / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)


class Verbs(unittest.TestCase):
    def test_help_names_every_verb(self):
        said = bash("tools/dev", "help")
        self.assertEqual(said.returncode, 0)
        for verb in ("run", "test", "--peers", "--long", "bench", "check", "sanitize", "machines", "crash",
                     "help"):
            self.assertIn(f"  {verb} ", said.stdout)
        self.assertEqual(bash("tools/dev").stdout, said.stdout)

    def test_what_it_does_not_know_it_refuses(self):
        for arguments in (["dance"], ["test", "--dance"], ["check", "--dance"]):
            said = bash("tools/dev", *arguments)
            self.assertEqual(said.returncode, 2, arguments)
            self.assertIn("dance", said.stderr)
            self.assertIn("tools/dev help", said.stderr)


class Needs(Folder):
    def provide(self, verb, path):
        script = f"set -eu; . tools/dev.d/build.sh; . tools/dev.d/needs.sh; provide {verb}"
        return bash("-c", script, path=path)

    def test_nothing_is_installed_where_all_is_found(self):
        for name in ("apt-get", "sudo"):
            self.put(name, f"touch {self.folder}/called")
        said = self.provide("run", f"{self.folder}:{os.environ['PATH']}")
        self.assertEqual((said.returncode, said.stdout), (0, ""), said.stderr)
        self.assertFalse((self.folder / "called").exists())

    def test_on_other_systems_the_packages_are_named(self):
        for name in ("bash", "cat", "id"):
            (self.folder / name).symlink_to(shutil.which(name))
        said = self.provide("run", self.folder)
        self.assertEqual(said.returncode, 3, said.stderr)
        for packages in ("apt-get install g++ ", "libhwloc-dev", "dnf install gcc-c++ ", "hwloc-devel",
                         "zypper install gcc-c++ ", "nlohmann_json-devel"):
            self.assertIn(packages, said.stderr)
        self.assertNotIn("doctest", said.stderr)
        self.assertIn("doctest", self.provide("test", self.folder).stderr)


class Progress(Folder):
    """What is seen of a build whose ninja is a stand-in that writes the lines of `script`."""

    def build(self, script, command="watched_ninja x target"):
        self.put("ninja", f'echo "$NINJA_STATUS" >"{self.folder}/status"\n{script}')
        (self.folder / "build").mkdir(exist_ok=True)
        line = f"set -euo pipefail; . {ROOT}/tools/dev.d/build.sh; cd {self.folder}; {command}"
        return {"args": ["bash", "-c", line], "text": True,
                "env": os.environ | {"PATH": f"{self.folder}:{os.environ['PATH']}"}}

    STEPS = 'for n in $(seq 40); do echo "[$n/40] Compiling $n"; done'

    def test_a_line_for_each_tenth(self):
        said = subprocess.run(**self.build(self.STEPS), capture_output=True)
        self.assertEqual((said.returncode, said.stderr), (0, ""))
        lines = said.stdout.splitlines()
        self.assertEqual([line.split(",")[0] for line in lines], [f"  {n} of 40" for n in range(4, 41, 4)])
        for line in lines:
            self.assertRegex(line, r"^  \d+ of 40, \d+\.\d a second, \d+ s left$")
        self.assertTrue(lines[-1].endswith(", 0 s left"))
        self.assertEqual((self.folder / "status").read_text(), "[%f/%t] \n")
        self.assertEqual((self.folder / "build/x.log").read_text().count("Compiling"), 40)

    def test_one_line_on_a_terminal(self):
        shown, code = on_a_terminal(**self.build(self.STEPS), stderr=subprocess.DEVNULL)
        self.assertEqual((code, shown.count("\n")), (0, 0))
        self.assertEqual(shown.count("\r  "), 40)
        self.assertTrue(shown.endswith("\r\033[K"))

    def test_a_list_that_is_made_anew_is_not_the_build(self):
        steps = 'echo "[0/1] Regenerating build files."; echo "[1/1] Regenerating"; ' + self.STEPS
        said = subprocess.run(**self.build(steps), capture_output=True)
        self.assertEqual(said.stdout.count(" of 40, "), 10)
        self.assertEqual(said.stdout.count("\n"), 10)

    def test_nothing_to_do(self):
        said = subprocess.run(**self.build("echo ninja: no work to do."), capture_output=True)
        self.assertEqual((said.returncode, said.stdout, said.stderr), (0, "", ""))

    def test_a_build_that_fails_shows_the_end_of_its_log(self):
        steps = 'echo "[1/2] Compiling a"; echo "FAILED: b.o"; echo "b.cpp:1: error: no such b"; exit 1'
        said = subprocess.run(**self.build(steps), capture_output=True)
        self.assertEqual(said.returncode, 1)
        self.assertIn("b.cpp:1: error: no such b", said.stderr)
        self.assertNotIn("error", said.stdout)


class Tally(Folder):
    def tally(self, *tests, failed=()):
        """The exit code and the lines that are said about `tests`, (name, result, output) each."""
        log = self.folder / "meson-logs" / "testlog.json"
        log.parent.mkdir(exist_ok=True)
        log.write_text("".join(json.dumps({"name": name, "result": result, "stdout": output}) + "\n"
                               for name, result, output in tests))
        options = [word for what in failed for word in ("--failed", what)]
        said = subprocess.run([sys.executable, TALLY, *options, self.folder], capture_output=True, text=True)
        return said.returncode, said.stdout.split("\n")[1:-1]

    def test_cases_of_doctest_count_singly(self):
        code, lines = self.tally(("nodewise:unit / a", "OK", DOCTEST.format(5, 5, 0, 0)), ("b", "OK", ""))
        self.assertEqual((code, lines), (0, ["6 passed, 0 failed"]))

    def test_colours_do_not_hide_cases(self):
        coloured = DOCTEST.format(2, 2, 0, 0).replace("]", "]\x1b[0m").replace("2 p", "\x1b[0;32m2 p")
        self.assertEqual(self.tally(("a", "OK", coloured))[1], ["2 passed, 0 failed"])

    def test_cases_of_unittest_count_singly(self):
        output = "Ran 6 tests in 1.2s\n\nFAILED (failures=1, errors=1, skipped=1)\n"
        code, lines = self.tally(("a", "FAIL", output))
        self.assertEqual((code, lines[-1]), (1, "3 passed, 3 failed"))

    def test_a_case_that_is_skipped_without_a_reason_fails(self):
        code, lines = self.tally(("a", "OK", "Ran 3 tests in 1.2s\n\nOK (skipped=1)\n"))
        self.assertEqual((code, lines[-1]), (1, "2 passed, 1 failed"))
        self.assertIn("a test case was skipped without a reason", lines[0])

    def test_a_case_of_unittest_that_is_skipped_says_why(self):
        output = ("test_a (__main__.A) ... skipped 'SKIP: no such call'\n"
                  "test_b (__main__.A) ... what it wrote\nskipped 'one node'\n"
                  "Ran 3 tests in 1.2s\n\nOK (skipped=2)\n")
        code, lines = self.tally(("a", "OK", output))
        self.assertEqual(code, 0)
        self.assertEqual([line.split(": ")[-1] for line in lines],
                         ["no such call", "one node", "1 passed, 0 failed, 2 skipped"])

    def test_a_program_may_count_in_its_last_line(self):
        output = DOCTEST.format(9, 9, 0, 0) + "2 passed, 1 failed\n"
        self.assertEqual(self.tally(("a", "FAIL", output))[1][-1], "2 passed, 1 failed")

    def test_what_cannot_run_is_skipped_and_says_why(self):
        code, lines = self.tally(("a", "OK", "SKIP: one node\n" + DOCTEST.format(3, 3, 0, 0)),
                                 ("b", "SKIP", "SKIP: no /dev/kvm\n"))
        self.assertEqual(code, 0)
        self.assertEqual([line.split(": ")[-1] for line in lines],
                         ["one node", "no /dev/kvm", "2 passed, 0 failed, 2 skipped"])

    def test_failures_fail(self):
        for result, output, counts in (
                ("FAIL", DOCTEST.format(3, 1, 2, 0), "1 passed, 2 failed"),
                ("FAIL", DOCTEST.format(3, 3, 0, 0), "3 passed, 1 failed"),  # a sanitizer's word at the end
                ("FAIL", "", "0 passed, 1 failed"), ("TIMEOUT", "", "0 passed, 1 failed"),
                ("ERROR", "", "0 passed, 1 failed"), ("UNEXPECTEDPASS", "", "0 passed, 1 failed")):
            code, lines = self.tally(("a", result, output))
            self.assertEqual((code, lines[-1]), (1, counts))

    def test_the_last_words_of_what_failed_are_repeated(self):
        code, lines = self.tally(("a", "OK", "all well\n"), ("b", "FAIL", "1\n" * 99 + "what broke\n"))
        self.assertEqual(code, 1)
        self.assertIn("  what broke", lines[-3:])
        self.assertNotIn("  all well", lines)
        self.assertLess(len(lines), 20)

    def test_a_build_that_failed_fails(self):
        code, lines = self.tally(("a", "OK", ""), failed=["the build of x"])
        self.assertEqual((code, lines), (1, ["FAILED   the build of x", "1 passed, 1 failed"]))

    def test_nothing_run_is_no_success(self):
        self.assertEqual(self.tally(), (1, ["0 passed, 0 failed"]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
