#!/usr/bin/env python3
"""Goal: linking or importing the shared library loads no OpenMP runtime and changes no mask, and a call
leaves each mask as it was, whatever OpenMP the program has and whatever binds its threads. Method: small
programs with libgomp, with libomp and without OpenMP, and a Python process, say what they may run on before
and after their first call. They use the library where it was built.

Environment: CXX, a compiler command; SOURCE, the source tree; BUILD, the build.
"""
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).parent
INCLUDE = pathlib.Path(os.environ["SOURCE"]) / "include"
LIBRARY = pathlib.Path(os.environ["BUILD"]) / "lib"
CXX = shlex.split(os.environ["CXX"])
CPUS = len(os.sched_getaffinity(0))
FIRST = min(os.sched_getaffinity(0))
BINDINGS = [{}, {"OMP_PROC_BIND": "close"}, {"OMP_PROC_BIND": "spread"}, {"OMP_PLACES": f"{{{FIRST}}}"},
            {"OMP_PLACES": "cores"}, {"GOMP_CPU_AFFINITY": str(FIRST)}]
VARIABLES = ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY", "OMP_NUM_THREADS",
             "NODEWISE_WORKERS")
HAS_CLANG_OPENMP = shutil.which("clang++") is not None and subprocess.run(
    ["clang++", "-fopenmp", "-x", "c++", "-", "-o", os.devnull], input="#include <omp.h>\nint main() {}",
    capture_output=True, text=True).returncode == 0

PYTHON_HOST = """
import ctypes, os, sys
library, module = sys.argv[1:]
before = os.sched_getaffinity(0)
ctypes.CDLL(library)
host = ctypes.CDLL(module)
maps = open("/proc/self/maps").read()
assert "/libgomp" not in maps and "/libomp" not in maps, "importing loads a runtime"
assert os.sched_getaffinity(0) == before, "importing changes the mask"
host.mean_of_ones.restype = ctypes.c_double
assert host.mean_of_ones() == 1.0
assert "/openmp-" in open("/proc/self/maps").read(), "no region was formed"
assert os.sched_getaffinity(0) == before, "a call changes the mask"
"""


def environment(binding):
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    return kept | binding | {"LD_LIBRARY_PATH": str(LIBRARY)}


def compile_host(compiler, source, output, *flags):
    subprocess.run([*compiler, "-std=gnu++20", f"-I{INCLUDE}", HERE / source, "-o", output, f"-L{LIBRARY}",
                    "-lnodewise", *flags], check=True)


class Hosts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.work = pathlib.Path(folder.name)

    def said_by(self, host, binding):
        done = subprocess.run([host], capture_output=True, text=True, env=environment(binding), timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        return {what: int(value) for what, value in (line.split("=") for line in done.stdout.split())}

    def check_calls(self, said):
        """A thread has its CPUs after each call, and so have the threads that it starts."""
        mask = said["cpus_in_main"]
        for when in ("cpus_after_placing", "cpus_after_means", "cpus_of_thread"):
            self.assertEqual(said[when], mask, when)
        self.assertEqual(said["cpus_taken_from_thread"], 0)
        self.assertEqual(said["batches"], 10)

    def check_workers(self, said, binding):
        of_one_cpu = "GOMP_CPU_AFFINITY" in binding or binding.get("OMP_PLACES", "cores") != "cores"
        self.assertEqual(said["workers"], 1 if of_one_cpu else self.workers_unbound)

    def check_host(self, name, compiler, *flags):
        host = self.work / name
        compile_host(compiler, "host.cpp", host, *flags)
        type(self).workers_unbound = self.said_by(host, {})["workers"]
        for binding in BINDINGS:
            with self.subTest(host=name, binding=binding):
                said = self.said_by(host, binding)
                self.check_calls(said)
                self.check_workers(said, binding)
                yield said

    def test_a_program_without_openmp(self):
        for said in self.check_host("plain", CXX):
            self.assertEqual((said["runtime"], said["cpus_in_main"]), (0, CPUS))

    def test_a_program_with_libgomp(self):
        for said in self.check_host("gomp", ["g++"], "-fopenmp"):
            self.assertEqual(said["region"], CPUS)

    @unittest.skipUnless(HAS_CLANG_OPENMP, "no clang++ with OpenMP")
    def test_a_program_with_libomp(self):
        for said in self.check_host("omp", ["clang++"], "-fopenmp"):
            self.assertEqual((said["cpus_in_main"], said["region"]), (CPUS, CPUS))

    def test_a_python_process(self):
        module = self.work / "host_module.so"
        compile_host(CXX, "host_module.cpp", module, "-shared", "-fPIC")
        for binding in BINDINGS:
            with self.subTest(binding=binding):
                done = subprocess.run([sys.executable, "-c", PYTHON_HOST, LIBRARY / "libnodewise.so", module],
                                      capture_output=True, text=True, env=environment(binding), timeout=120)
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_library_whose_module_is_missing(self):
        """Copied without it: an exception that names the module, and no end of the process."""
        alone = self.work / "alone"
        alone.mkdir()
        soname = min((path.name for path in LIBRARY.glob("libnodewise.so.*[0-9]")), key=len)
        shutil.copy(LIBRARY / "libnodewise.so", alone / soname)
        program = self.work / "without_module"
        compile_host(CXX, "host.cpp", program)
        done = subprocess.run([program], capture_output=True, text=True,
                              env=environment({}) | {"LD_LIBRARY_PATH": str(alone)}, timeout=120)
        self.assertIn("nodewise/openmp-", done.stderr)
        self.assertIn("cannot be loaded", done.stderr)


if __name__ == "__main__":
    if CPUS < 2:
        print("SKIP: one CPU is allowed, which no mask can narrow")
        sys.exit(0)
    if not HAS_CLANG_OPENMP:
        print("SKIP: a program with libomp: clang++ with OpenMP is not installed")
    unittest.main(verbosity=2)
