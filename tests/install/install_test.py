#!/usr/bin/env python3
"""Goal: the library is installed whole, is found by pkg-config and by CMake, and needs hwloc, libnuma and
OpenMP alone. Method: the build that the other tests use is installed into a folder, and small programs are
built against it. Nothing of the library is compiled anew: of a configuration with nothing else in reach
(no LMDB), what it would compile and install is read from Meson, and its objects are linked from that build.

Environment: MESON and CXX, the commands; SOURCE, the source tree; BUILD, the build.
"""
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).parent
SOURCE = pathlib.Path(os.environ["SOURCE"])
BUILD = pathlib.Path(os.environ["BUILD"])
CXX = shlex.split(os.environ["CXX"])
MESON = shlex.split(os.environ["MESON"])
SYSTEM_LIBRARIES = r"lib(hwloc|numa|lmdb|stdc\+\+|gcc_s|c|m|dl|pthread)\.so(\.\d+)*|ld-linux[\w.-]*"
# C++, perhaps after the type that a template returns; C, with its version; the names of the versions.
EXPORTED = (r"((typeinfo|typeinfo name|vtable) for |(non-virtual|virtual) thunk to |[^()]* )?nodewise::"
            r"|nw_\w+@@NODEWISE_C_[\d.]+$|NODEWISE_(CXX|C_[\d.]+)$")
MANAGER = re.compile(r"/lib/(manager/|c/manage[rd]\.cpp$)")
SONAME = re.compile(r"SONAME.*\[(.*)\]")
PRIVATE = r"nodewise::(os|base|source|c|\(anonymous namespace\))::"


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


def public_headers(folder):
    """The headers in a folder of headers, relative to it."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.h*")}


def installed_by(build):
    """Where each file goes, {path: path}."""
    return json.loads(run(*MESON, "introspect", "--installed", build))


class NothingElseInReach(unittest.TestCase):
    """Configured as the README says, with hwloc and libnuma alone to be found."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.work = pathlib.Path(folder.name)
        cls.prefix, cls.build = cls.work / "prefix", cls.work / "build"
        packages = cls.work / "packages"
        packages.mkdir()
        copy_package_files(packages, "hwloc", "numa")
        run(*MESON, "setup", cls.build, SOURCE, "--prefix", cls.prefix, "-Dlibdir=lib", "-Dtests=disabled",
            "-Dbench=disabled", "-Dtools=disabled", "-Dpython=disabled",
            PKG_CONFIG_LIBDIR=str(packages), PKG_CONFIG_PATH="")

    def sources(self, build):
        targets = json.loads(run(*MESON, "introspect", "--targets", build))
        return {source for target in targets if target["name"] == "nodewise" and "library" in target["type"]
                for group in target["target_sources"] for source in group.get("sources", [])}

    def test_what_would_be_installed(self):
        installed = installed_by(self.build).values()
        names = {pathlib.Path(path).relative_to(self.prefix).as_posix() for path in installed}
        headers = public_headers(SOURCE / "include") - {"nodewise/manager.hpp"}
        soname = SONAME.search(run("readelf", "--dynamic", BUILD / "lib" / "libnodewise.so"))[1]
        patch = (BUILD / "lib" / "libnodewise.so").resolve().name
        cmake = {"nodewiseConfig.cmake", "nodewiseConfigVersion.cmake"}
        self.assertEqual(names, {f"include/{header}" for header in headers} |
                         {f"lib/{name}" for name in ("libnodewise.a", "libnodewise.so", soname, patch)} |
                         {f"lib/cmake/nodewise/{name}" for name in cmake} |
                         {f"lib/nodewise/openmp-{soname.removeprefix('libnodewise.so.')}.so",
                          "lib/pkgconfig/nodewise.pc", "share/nodewise/nodewise_segment.py"})

    def test_it_is_the_library_but_for_the_manager(self):
        without = {source for source in self.sources(BUILD) if not MANAGER.search(source)}
        self.assertGreater(len(without), 50)
        refusing = str(SOURCE / "lib" / "c" / "no_manager.cpp")
        self.assertEqual(self.sources(self.build), without | {refusing})

    def test_it_links_with_hwloc_libnuma_and_openmp_alone(self):
        archive = self.work / "libnodewise.a"
        shutil.copy(BUILD / "lib" / "libnodewise.a", archive)
        members = run("ar", "t", archive).split()
        self.assertGreater(len(members), 50)
        if managers := [member for member in members if re.match(r"manager_|c_manage[rd]\.", member)]:
            run("ar", "d", archive, *managers)
        needs = run("pkg-config", "--libs", "hwloc", "numa").split()
        run(*CXX, "-shared", "-Wl,-z,defs", "-Wl,--whole-archive", archive, "-Wl,--no-whole-archive", *needs,
            "-fopenmp", "-ldl", "-o", self.work / "whole.so")


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.work = pathlib.Path(folder.name)
        root = cls.work / "root"
        run(*MESON, "install", "-C", BUILD, "--no-rebuild", "--destdir", root)
        cls.libraries = next(root.rglob("libnodewise.a")).parent
        cls.prefix = next(root.rglob("include/nodewise")).parents[1]
        cls.environment = {"LD_LIBRARY_PATH": f"{cls.libraries}:{os.environ.get('LD_LIBRARY_PATH', '')}",
                           "PKG_CONFIG_PATH": f"{cls.libraries / 'pkgconfig'}:"
                                              f"{os.environ.get('PKG_CONFIG_PATH', '')}"}
        cls.moved = {"PKG_CONFIG_SYSROOT_DIR": str(root)}  # which the paths in nodewise.pc do not name

    def pkg_config(self, *arguments):
        return run("pkg-config", *arguments, "nodewise", **self.environment, **self.moved).split()

    def check_program(self, program, shared):
        version, = self.pkg_config("--modversion")
        self.assertEqual(run(program, **self.environment), f"nodewise {version}, mean 1\n")
        needed = run("readelf", "--dynamic", program)
        self.assertEqual("libnodewise.so" in needed, shared, needed)

    def test_what_is_installed(self):
        wanted = {pathlib.Path(path).name for path in installed_by(BUILD).values()}
        self.assertEqual({path.name for path in self.prefix.rglob("*") if not path.is_dir()}, wanted)
        headers = public_headers(self.prefix / "include")
        lmdb, = self.pkg_config("--variable=lmdb")
        self.assertEqual(headers, public_headers(SOURCE / "include") -
                         {"yes": set(), "no": {"nodewise/manager.hpp"}}[lmdb])
        self.assertTrue((self.prefix / "share" / "nodewise" / "nodewise_segment.py").exists())
        major, minor, _ = self.pkg_config("--modversion")[0].split(".")
        soname = SONAME.search(run("readelf", "--dynamic", self.libraries / "libnodewise.so"))[1]
        self.assertEqual(soname, f"libnodewise.so.{major}.{minor}")

    def test_the_library_needs_only_what_the_readme_names(self):
        dynamic = run("readelf", "--dynamic", self.libraries / "libnodewise.so")
        needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
        self.assertIn("libc.so.6", needed)
        self.assertEqual([name for name in needed if not re.fullmatch(SYSTEM_LIBRARIES, name)], [])

    def test_only_the_module_needs_openmp(self):
        module, = (self.libraries / "nodewise").iterdir()
        self.assertRegex(run("readelf", "--dynamic", module), r"NEEDED.*lib(gomp|omp)\.so")
        symbols = run("nm", "--dynamic", "--defined-only", module).split()[2::3]
        self.assertEqual(symbols, ["nodewise_openmp"])

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
        self.assertEqual(set(private) - {"lmdb"}, {"hwloc", "numa"})
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
    unittest.main(verbosity=2)
