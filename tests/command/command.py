"""Runs the command for the tests: from the root of the tree, in an environment without surprises."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

COMMAND = pathlib.Path(os.environ["NODEWISE_COMMAND"])
SOURCE = pathlib.Path(os.environ["SOURCE"])
sys.path.insert(0, str(SOURCE / "tests" / "support"))
import terminal  # noqa: E402  (its folder is known only now)
from own_names import OWN_PREFIX, own_files, remove_openmp_file  # noqa: E402, F401  (for the tests)

DIGITS = "tests/data/digits.npy"
DOCKER_FILTER = [sys.executable, str(SOURCE / "tests/support/docker_filter.py")]


def environment(**extra):
    kept = {name: value for name, value in os.environ.items()
            if not re.match(r"(OMP|GOMP|KMP|NODEWISE)_|NO_COLOR$|COLUMNS$", name)}
    return kept | {"OMP_WAIT_POLICY": "passive", "LC_ALL": "C.UTF-8"} | extra


def nodewise(*words, under=(), env=None, cwd=SOURCE, **options):
    """(exit code, standard output, standard error)."""
    line = [*under, str(COMMAND), *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True, cwd=cwd, env=environment(**(env or {})),
                          timeout=120, **options)
    return done.returncode, done.stdout, done.stderr


def on_a_terminal(*words, **variables):
    """What a terminal shows of a call, and the exit code."""
    return terminal.on_a_terminal([COMMAND, *words], stderr=subprocess.STDOUT, cwd=SOURCE,
                                  env=environment(TERM="xterm", **variables))


def shell(line):
    """(exit code, all output as a terminal would show it) of a line in which `nodewise` is the command."""
    path = f"{COMMAND.parent}:{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", line], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          cwd=SOURCE, env=environment(PATH=path), timeout=120)
    return done.returncode, done.stdout


def answer(*words, **options):
    """The JSON that a successful call prints."""
    code, out, err = nodewise(*words, "--json", **options)
    if code != 0:
        raise AssertionError(f"exit code {code}: {err}")
    return json.loads(out)


def closing(*descriptors):
    """What starts a process (preexec_fn) without these descriptors."""
    def close():
        for descriptor in descriptors:
            os.close(descriptor)
    return close


def without(*folders):
    """What starts a command in a mount namespace in which these folders are empty."""
    mounts = "".join(f"mount -t tmpfs none {folder} && " for folder in folders)
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, "--mount", "sh", "-c", mounts + 'exec "$@"', "sh"]


def matches(pattern, text):
    """Whether `text` is `pattern`, in which "..." stands for anything within a line, and a line that is only
    "..." for any lines."""
    lines = []
    for line in pattern.rstrip("\n").split("\n"):
        if line.strip() == "...":
            lines.append("(?:.*\n)*?")
        else:
            lines.append(".*?".join(map(re.escape, line.rstrip().split("..."))) + "[ ]*\n")
    return re.fullmatch("".join(lines), text.rstrip("\n") + "\n") is not None


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def assert_fails(self, code, pattern, *words, **options):
        """One line on standard error that matches, nothing on standard output, the exit code."""
        got, out, err = nodewise(*words, **options)
        self.assertRegex(err, r"\A[^\n]+\n\Z", words)
        self.assertRegex(err, pattern)
        self.assertEqual((got, out), (code, ""), words)

    def generate(self, name, *words):
        path = self.folder / name
        code, _, err = nodewise("generate", path, *words)
        self.assertEqual((code, err), (0, ""))
        return path
