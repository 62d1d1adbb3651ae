"""Counts the tests of Meson runs: one by one where a program counts them itself (doctest, unittest, or a last
line as below), every other program as one.

    tally.py [--failed WHAT]... FOLDER...

Each FOLDER is a build's. A line "SKIP: why" that a test prints is a test that could not run here. A test
that is skipped without a reason counts as failed. The last line of the output is "N passed, N failed", with
", N skipped" where there are any; the exit code is 1 if something failed or nothing ran.
"""
import argparse
import json
import pathlib
import re
import sys

DOCTEST = re.compile(r"^\[doctest\] test cases:\s*\d+"
                     r" \|\s*(\d+) passed \|\s*(\d+) failed \|\s*(\d+) skipped", re.M)
UNITTEST = re.compile(r"^Ran (\d+) tests? in .*\n+\w+(?: \((.*)\))?$", re.M)
LAST_LINE = re.compile(r"^(\d+) passed, (\d+) failed()\s*\Z", re.M)
SKIP = re.compile(r"^SKIP: (.*)$", re.M)
UNITTEST_SKIP = re.compile(r"""(?:\.\.\. |^)skipped ['"](?:SKIP: )?(.*)['"]$""", re.M)
LAST_LINES = 8  # of a failed test: often all that is kept of a long log is its end
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def cases(output):
    """(passed, failed, left out) of the test cases that a program counted itself, or None."""
    if found := LAST_LINE.search(output) or DOCTEST.search(output):
        return tuple(int(number or 0) for number in found.groups())
    if found := UNITTEST.search(output):
        counts = {what: int(number) for what, number in re.findall(r"(\w+)=(\d+)", found[2] or "")}
        failed, left_out = counts.get("failures", 0) + counts.get("errors", 0), counts.get("skipped", 0)
        return int(found[1]) - failed - left_out, failed, left_out
    return None


class Tally:
    def __init__(self):
        self.passed = 0
        self.failures = []
        self.skips = []
        self.last_words = []  # of each test that failed: its name, and how its output ended

    def add(self, where, test):
        """`test` is one line of Meson's log."""
        name, result = f"{where} {test['name'].split(' / ')[-1]}", test["result"]
        output = COLOUR.sub("", test.get("stderr", "") + "\n" + test.get("stdout", ""))
        reasons, named = SKIP.findall(output), []
        good = result in ("OK", "EXPECTEDFAIL")
        if result == "SKIP":
            passed, failed, left_out = 0, 0, 0 if reasons else 1
        elif counted := cases(output):
            passed, failed, left_out = counted
            named = UNITTEST_SKIP.findall(output)  # unittest has counted these
            left_out = max(left_out - len(named), 0)
            passed -= len(reasons)  # such a case returned early, which its framework takes for success
        else:
            passed, failed, left_out = int(good) - len(reasons), 0, 0
        self.passed += max(passed, 0)
        if failed or not good and result != "SKIP":
            self.last_words.append((name, output.strip().splitlines()[-LAST_LINES:]))
        self.failures += [f"{name}: a test case failed"] * failed
        if not good and result != "SKIP" and failed == 0:  # a crash, perhaps after the last case
            self.failures.append(f"{name}: {result.lower()}")
        self.skips += [f"{name}: {reason}" for reason in reasons + named]
        self.failures += [f"{name}: a test case was skipped without a reason"] * left_out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--failed", action="append", default=[])
    parser.add_argument("folders", nargs="+", type=pathlib.Path)
    arguments = parser.parse_args()
    tally = Tally()
    tally.failures += arguments.failed
    for folder in arguments.folders:
        log = folder / "meson-logs" / "testlog.json"
        if log.exists():
            for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
                tally.add(folder.name, json.loads(line))
    print()
    for name, lines in tally.last_words:
        print(f"{name} ended with")
        print("\n".join(f"  {line}" for line in lines))
    for skip in tally.skips:
        print(f"skipped  {skip}")
    for failure in tally.failures:
        print(f"FAILED   {failure}")
    counts = f"{tally.passed} passed, {len(tally.failures)} failed"
    print(counts + (f", {len(tally.skips)} skipped" if tally.skips else ""))
    return 0 if tally.passed and not tally.failures else 1


if __name__ == "__main__":
    sys.exit(main())
