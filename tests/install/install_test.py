#!/usr/bin/env python3
"""The library as its users get it: configured with hwloc, libnuma and OpenMP and nothing else in reach,
built, installed into a prefix, then used by a small program through pkg-config and through CMake.

Environment: MESON and CXX, the commands; SOURCE, the source tree.
"""
import os
import pathlib
import re
import shlex
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).parent
SOURCE = pathlib.Path(os.environ["SOURCE"])
CXX = shlex.split(os.environ["CXX"])
SYSTEM_LIBRARIES = r"lib(hwloc|numa|gomp|omp|stdc\+\+|gcc_s|c|m|dl|pthread)\.so(\.\d+)*|ld-linux[\w.-]*"
EXPORTED = r"((typeinfo|typeinfo name|vtable) for |(non-virtual|virtual) thunk to )?nodewise::"
PRIVATE = r"nodewise::(os|base|source|\(anonymous namespace\))::"


def run(*command, cwd=None, **environment):
    """Standard output of a command that must succeed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, cwd=cwd,
                          env=os.environ | environment)
    if done.returncode != 0:
        raise AssertionError(f"{shlex.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def copy_package_files(folder, *packages):
    """Puts the .pc files of `packages`, and of what those require, into `folder`."""
    for package in packages:
        name = f"{package}.pc"
        if not (folder / name).exists():
            source = pathlib.Path(run("pkg-config", "--variable=pcfiledir", package).strip())
            (folder / name).symlink_to(source / name)
            required = run("pkg-config", "--print-requires", "--print-requires-private", package)
            copy_package_files(folder, *(line.split()[0] for line in required.splitlines() if line))


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.work = pathlib.Path(cls.folder.name)
        cls.prefix, cls.build = cls.work / "prefix", cls.work / "build"
        packages = cls.work / "packages"
        packages.mkdir()
        copy_package_files(packages, "hwloc", "numa")
        meson = shlex.split(os.environ["MESON"])
        # The libdir of the README: Meson's own choice may be one in which CMake does not look.
        run(*meson, "setup", cls.build, SOURCE, "--prefix", cls.prefix, "-Dlibdir=lib", "-Dwerror=true",
            "-Dtests=disabled",
            "-Dbench=disabled", "-Dtools=disabled", "--buildtype=plain",  # plain: quick to compile
            PKG_CONFIG_LIBDIR=str(packages), PKG_CONFIG_PATH="")
        run("ninja", "-C", cls.build)
        run(*meson, "install", "-C", cls.build, "--no-rebuild")
        cls.libraries = next(cls.prefix.rglob("libnodewise.a")).parent
        cls.environment = {"LD_LIBRARY_PATH": f"{cls.libraries}:{os.environ.get('LD_LIBRARY_PATH', '')}",
                           "PKG_CONFIG_PATH": f"{cls.libraries / 'pkgconfig'}:"
                                              f"{os.environ.get('PKG_CONFIG_PATH', '')}"}

    def pkg_config(self, *arguments):
        return run("pkg-config", *arguments, "nodewise", **self.environment).split()

    def check_program(self, program, shared):
        version, = self.pkg_config("--modversion")
        self.assertEqual(run(program, **self.environment), f"nodewise {version}, mean 1\n")
        needed = run("readelf", "--dynamic", program)
        self.assertEqual("libnodewise.so" in needed, shared, needed)

    def test_what_is_installed(self):
        headers = {path.name for path in (self.prefix / "include" / "nodewise").iterdir()}
        self.assertEqual(headers, {path.name for path in (SOURCE / "include" / "nodewise").glob("*.hpp")} -
                         {"manager.hpp"})  # LMDB is not in reach
        self.assertEqual(self.pkg_config("--variable=lmdb"), ["no"])
        others = {path.name for path in self.prefix.rglob("*") if path.is_file()} - headers
        major, minor, patch = self.pkg_config("--modversion")[0].split(".")
        soname = f"libnodewise.so.{major}.{minor}"
        self.assertEqual(others, {"libnodewise.a", "libnodewise.so", soname, f"{soname}.{patch}",
                                  "nodewise.pc", "nodewiseConfig.cmake", "nodewiseConfigVersion.cmake",
                                  "nodewise_segment.py"})
        self.assertTrue((self.prefix / "share" / "nodewise" / "nodewise_segment.py").exists())
        self.assertIn(f"[{soname}]", run("readelf", "--dynamic", self.libraries / "libnodewise.so"))

    def test_the_library_needs_only_hwloc_libnuma_and_openmp(self):
        dynamic = run("readelf", "--dynamic", self.libraries / "libnodewise.so")
        needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
        self.assertIn("libc.so.6", needed)
        self.assertEqual([name for name in needed if not re.fullmatch(SYSTEM_LIBRARIES, name)], [])

    def test_only_the_public_face_is_exported(self):
        symbols = run("nm", "--dynamic", "--demangle", "--defined-only", self.libraries / "libnodewise.so")
        names = [line.split(maxsplit=2)[2] for line in symbols.splitlines()]
        self.assertGreater(len(names), 50)
        self.assertEqual([name for name in names if not re.match(EXPORTED, name)], [])
        self.assertEqual([name for name in names if re.search(PRIVATE, name)], [])

    def test_pkg_config_shared(self):
        flags, program = self.pkg_config("--cflags", "--libs"), self.work / "shared"
        run(*CXX, "-std=c++20", HERE / "user.cpp", *flags, "-o", program)
        self.check_program(program, shared=True)

    def test_pkg_config_static(self):
        """nodewise itself static, what it needs shared, as most systems have it."""
        private = [line.split()[0] for line in run("pkg-config", "--print-requires-private", "nodewise",
                                                   **self.environment).splitlines()]
        self.assertEqual(set(private), {"hwloc", "numa"})
        own = [flag for flag in self.pkg_config("--libs", "--static") if flag in ("-fopenmp", "-pthread")]
        flags = [flag.replace("-lnodewise", "-l:libnodewise.a")
                 for flag in self.pkg_config("--cflags", "--libs")]
        needs = run("pkg-config", "--libs", *private).split()
        program = self.work / "static"
        run(*CXX, "-std=c++20", HERE / "user.cpp", *flags, *own, *needs, "-o", program)
        self.check_program(program, shared=False)

    def test_the_example_of_the_readme(self):
        readme = (SOURCE / "README.md").read_text(encoding="utf-8")
        source, program = self.work / "example.cpp", self.work / "example"
        source.write_text(re.search(r"^```cpp\n(.*?)^```$", readme, re.M | re.S)[1], encoding="utf-8")
        run(*CXX, "-std=c++20", "-Wall", "-Wextra", "-Werror", source,
            *self.pkg_config("--cflags", "--libs"), "-o", program)
        self.assertIn("batch 7: 64 x 64", run(program, cwd=SOURCE, **self.environment))

    def test_cmake(self):
        build, version = self.work / "cmake", self.pkg_config("--modversion")[0]
        run("cmake", "-G", "Ninja", "-S", HERE, "-B", build, f"-DCMAKE_CXX_COMPILER={CXX[-1]}",
            f"-DWANTED={version}", f"-DCMAKE_PREFIX_PATH={self.prefix}", **self.environment)
        run("cmake", "--build", build)
        self.check_program(build / "user_shared", shared=True)
        self.check_program(build / "user_static", shared=False)


if __name__ == "__main__":
    unittest.main()
