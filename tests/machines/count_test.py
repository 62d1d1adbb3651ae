#!/usr/bin/env python3
"""Goal: `nodewise count` counts exactly, knows whose memory is whose, and keeps boot, kernel and program
apart. Method: two programs whose accesses are known to the last one. The first has neither a library nor a
stack: all that it does is what is counted of the program. The second reaches from every node into a page of
every node, which the kernel confirms, and over the border of two pages. What is missing is taken away, to see
it named.

Environment: NODEWISE_COMMAND; COUNT_ALONE, COUNT_KNOWN, the programs; MESON, its command, and BUILD.
"""
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import unittest

NODEWISE = os.environ["NODEWISE_COMMAND"]
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "count"))
import boot  # noqa: E402

ALONE = {"loads": 1000003, "load_bytes": 8000024, "stores": 300007, "store_bytes": 1200028}  # count_alone.cpp


def setUpModule():
    if why := boot.why_not_bootable("6.12"):
        raise unittest.SkipTest(f"SKIP: {why}")


def command(*words, program=NODEWISE, **environment):
    return subprocess.run([program, "count", *words], capture_output=True, text=True,
                          env=os.environ | environment)


def cells(traffic):
    """Accesses by (node of the CPU, node of the memory)."""
    return {(cell["cpu_os_index"], cell["memory_os_index"]):
            tuple(cell[name] for name in ("loads", "load_bytes", "stores", "store_bytes"))
            for cell in traffic["between"]}


def sums(traffic):
    return {name: sum(traffic[part][name] for part in ("local", "remote", "unknown", "devices"))
            for name in ALONE}


class Exact(unittest.TestCase):
    def test_a_program_alone(self):
        done = command("--topology", "2x2", "--json", "--", os.environ["COUNT_ALONE"])
        self.assertEqual(done.returncode, 5, done.stderr)
        counted = json.loads(done.stdout)
        self.assertEqual(counted["schema"], "nodewise.count/1")
        self.assertEqual(counted["exit_code"], 5)
        self.assertEqual(sums(counted["program"]), ALONE)
        self.assertEqual(counted["program"]["unknown"]["loads"], 0)
        self.assertEqual(counted["program"]["devices"]["loads"], 0)
        self.assertEqual(counted["data"], [])
        parts = [sums(counted[part]) for part in ("outside", "kernel_meanwhile", "program")]
        self.assertEqual(sums(counted["total"]), {name: sum(part[name] for part in parts) for name in ALONE})
        self.assertGreater(parts[0]["loads"], 10_000_000)  # a boot

    def test_from_every_node_to_every_node(self):
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder, "counts.json")
            done = command("--topology", "4x2", "--skip-boot", "--json", "-o", report, "--",
                           os.environ["COUNT_KNOWN"])
            self.assertEqual(done.returncode, 0, done.stderr)
            counted = json.loads(report.read_text())
        told = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
        self.assertEqual(len(told), 17, done.stdout)
        data, astride = counted["data"]
        self.assertEqual([data["label"], astride["label"]], [0, 1])
        self.assertEqual(cells(data), {line[1:3]: line[3:] for line in told if line[0] == 0})
        self.assertEqual(cells(astride), {line[1:3]: line[3:] for line in told if line[0] == 1})
        remote = sum(line[4] for line in told if line[1] != line[2])
        self.assertEqual(data["remote"]["load_bytes"], remote)
        self.assertGreaterEqual(counted["program"]["local"]["loads"], 2 * data["local"]["loads"])
        self.assertIsNone(counted["total"])


class Installed(unittest.TestCase):
    def test_that_it_finds_what_it_boots_with(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([*shlex.split(os.environ["MESON"]), "install", "-C", os.environ["BUILD"],
                            "--no-rebuild", "--destdir", folder], check=True, capture_output=True)
            installed, = pathlib.Path(folder).rglob("bin/nodewise")
            done = command("--topology", "1x2", "--skip-boot", "--", os.environ["COUNT_ALONE"],
                           program=installed)
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertIn(str(ALONE["load_bytes"] + ALONE["store_bytes"]), done.stderr)
        self.assertEqual(done.stdout, "")


class Missing(unittest.TestCase):
    def check(self, done, code, *words):
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def path_without_qemu(self, folder, *programs):
        """A folder with python3, and with `programs` as scripts that print nothing."""
        pathlib.Path(folder, "python3").symlink_to(sys.executable)
        for program in programs:
            pathlib.Path(folder, program).write_text("#!/bin/sh\n")
            pathlib.Path(folder, program).chmod(0o755)
        return folder

    def test_no_emulator(self):
        with tempfile.TemporaryDirectory() as folder:
            done = command("--", "/bin/true", PATH=self.path_without_qemu(folder))
            self.check(done, 3, "there is no qemu-system-x86_64", "--setup")

    def test_no_plugin_interface(self):
        with tempfile.TemporaryDirectory() as folder:
            done = command("--", "/bin/true", PATH=self.path_without_qemu(folder, "qemu-system-x86_64"))
            self.check(done, 3, "takes no plugins")

    def test_no_kernel(self):
        with tempfile.TemporaryDirectory() as folder:
            done = command("--", "/bin/true", NODEWISE_MACHINES_CACHE=folder)
            self.check(done, 3, "kernel 6.12 is not here", "--setup")

    def test_no_such_machine(self):
        self.check(command("--topology", "5x5", "--", "/bin/true"), 2, "there is no machine 5x5", "4x2")

    def test_no_program(self):
        self.check(command(), 2, "--help")
        self.check(command("--", "/no/such/program"), 2, "there is no program /no/such/program")


if __name__ == "__main__":
    unittest.main(verbosity=2)
