"""Goal: under every limit of a process the command ends by one of its exit codes, with one line that names
the limit where it cannot go on, and leaves nothing behind.
Method: every subcommand under low limits on files, memory, open files and stacks. A limit under which not
even `nodewise --version` starts is left out: there the loader of programs speaks, not the command."""
import os
import pathlib
import resource
import subprocess
import unittest

from command import COMMAND, DIGITS, SOURCE, Case, environment

LIMITS = {
    "FSIZE": ("ulimit -f", (0, 512, 4096, 65536)),
    "NOFILE": ("ulimit -n", (4, 5, 6, 8, 12)),
    "STACK": ("ulimit -s", (128 << 10, 1 << 20)),
    "MEMLOCK": ("ulimit -l", (0,)),
}


class Limits(Case):
    def subcommands(self):
        yield ("topology",)
        yield ("doctor",)
        yield ("segments",)
        yield ("placement", "--pid", os.getpid())
        yield ("plan", DIGITS, "--batch-size", 32)
        yield ("plan", DIGITS, "--batch-size", 32, "--save", self.folder / "plan.json")
        yield ("generate", self.folder / "data.npy", "--bytes", "1MiB", "--features", 4, "--dtype", "f32")
        yield ("run", DIGITS, "--batch-size", 32)
        yield ("run", DIGITS, "--batch-size", 32, "--segment", f"limits.{os.getpid()}")

    def left_behind(self):
        return [*self.folder.iterdir(), *pathlib.Path("/dev/shm").glob(f"*limits.{os.getpid()}*")]

    def run_under(self, kind, value, *words):
        def lower():
            resource.setrlimit(getattr(resource, f"RLIMIT_{kind}"), (value, value))
        return subprocess.run([COMMAND, *map(str, words)], capture_output=True, text=True, cwd=SOURCE,
                              env=environment(), timeout=120, preexec_fn=lower)

    def check(self, kind, name, value, words):
        done = self.run_under(kind, value, *words)
        left = self.left_behind()
        for path in left:
            path.unlink()
        self.assertIn(done.returncode, (0, 3), done.stderr)
        if done.returncode == 0:
            self.assertEqual(done.stderr, "")
            return
        self.assertEqual(left, [])
        self.assertRegex(done.stderr, r"\Anodewise [^\n]*\n\Z")
        self.assertIn(f"`{name}`", done.stderr)

    def test_every_subcommand_under_every_limit(self):
        for kind, (name, values) in LIMITS.items():
            for value in values:
                if self.run_under(kind, value, "--version").returncode != 0:
                    continue
                for words in self.subcommands():
                    with self.subTest(limit=kind, value=value, words=words):
                        self.check(kind, name, value, words)


if __name__ == "__main__":
    unittest.main(verbosity=2)
