"""Goal: where /proc or /sys is not mounted, as in a chroot or a small container, every subcommand ends by a
documented exit code, and if it cannot go on, one line names what is missing. Method: every subcommand in a
mount namespace with an empty file system over /proc, over /sys, and over both."""
import os
import subprocess
import unittest

from command import COMMAND, DIGITS, OWN_PREFIX, SOURCE, Case, environment, nodewise, own_files, without

RUN = ("run", DIGITS, "--batch-size", 32)
NAME = OWN_PREFIX + "kernel-files"


class KernelFiles(Case):
    def setUp(self):
        super().setUp()
        for folders in (("/proc",), ("/sys",), ("/proc", "/sys")):
            if subprocess.run([*without(*folders), "true"], stderr=subprocess.DEVNULL).returncode != 0:
                self.skipTest("SKIP: no mount namespace without /proc or /sys can be had here")

    def subcommands(self):
        """(words, what is missing if it cannot be done without /proc)"""
        yield ("topology", "--json"), None
        yield ("doctor",), None
        yield ("segments",), None
        yield ("segments", "list", "--json"), None
        yield ("segments", "gc", "--dry-run", "--prefix", OWN_PREFIX), None
        yield ("plan", DIGITS, "--batch-size", 32), None
        yield RUN, None
        size = ("--samples", 5, "--features", 2, "--dtype", "u8")
        yield ("generate", self.folder / "data.npy", "--force", *size), None
        yield (*RUN, "--segment", NAME), r"/proc is not mounted here \(mount -t proc proc /proc\)"
        yield (*RUN, "--pages", "hugetlb"), r"/proc/meminfo cannot be read"
        yield ("placement", "--pid", os.getpid()), r"/proc, which .* cannot be read"
        yield ("count", "--", "true"), r"/proc, which .* cannot be read"

    def test_every_subcommand_without_proc(self):
        for folders in (("/proc",), ("/proc", "/sys")):
            for words, missing in self.subcommands():
                with self.subTest(without=folders, words=words):
                    if missing:
                        self.assert_fails(3, missing, *words, under=without(*folders))
                    else:
                        code, _, err = nodewise(*words, under=without(*folders))
                        self.assertEqual((code, "cannot" in err), (0, False), err)
                    self.assertEqual(own_files(), [])

    def test_every_subcommand_without_sys(self):
        self.addCleanup(nodewise, "segments", "remove", NAME)
        for words, _ in self.subcommands():
            if words[0] == "count":
                words = ("count", "--topology", "none", "--", "true")  # it boots a machine of its own
            with self.subTest(words=words):
                code, _, err = nodewise(*words, under=without("/sys"))
                self.assertEqual(code, nodewise(*words)[0], err)  # as with /sys
                if code != 0:
                    self.assertRegex(err, r"\Anodewise [^\n]+\n\Z")
        self.assertEqual(own_files(), [])

    def test_a_segment_of_others_is_shown_and_removed_but_not_collected(self):
        self.addCleanup(nodewise, "segments", "remove", NAME)
        words = [COMMAND, *map(str, RUN), "--segment", NAME, "--hold", "60"]
        with subprocess.Popen(words, cwd=SOURCE, env=environment(), stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True) as run:
            self.assertIn("holding", run.stderr.readline())
            try:
                under = without("/proc")
                shown = nodewise("segments", under=under)[1]
                self.assertRegex(shown, rf"(?m)^{NAME} .* unknown +\? ")
                collected = nodewise("segments", "gc", "--prefix", NAME, under=under)[1]
                self.assertRegex(collected, r"\A0 segments removed.*\nleft 1 segment \(in use\)")
                self.assert_fails(3, "/proc is not mounted here", "placement", "--segment", NAME, under=under)
                self.assertEqual(nodewise("segments", "remove", NAME, under=under)[0], 0)
                self.assertEqual(own_files(), [])
            finally:
                run.kill()

    def test_doctor_says_what_is_missing_and_calls_nothing_known(self):
        def findings(*folders):
            out = nodewise("doctor", under=without(*folders) if folders else ())[1]
            return {line.split()[1].rstrip(":"): line for line in out.splitlines() if ": " in line}
        self.assertRegex(findings()["kernel-files"], r"^ok ")
        self.assertRegex(findings("/proc")["kernel-files"], r"^warning .*/proc is not mounted")
        self.assertRegex(findings("/sys")["kernel-files"], r"^warning .*/sys is not mounted")
        self.assertRegex(findings("/proc", "/sys")["kernel-files"], "/proc is not.*/sys is not mounted")
        for name in ("autonuma", "cpu-quota", "open-files", "mappings", "openmp-runtimes"):
            self.assertRegex(findings("/proc")[name], r"^note .*not known, because /proc is not mounted")


if __name__ == "__main__":
    unittest.main(verbosity=2)
