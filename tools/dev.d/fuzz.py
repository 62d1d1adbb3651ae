#!/usr/bin/env python3
"""Fuzzes a parser with libFuzzer under the address and undefined sanitizers.

    tools/dev fuzz TARGET [--runs N]             N inputs, from the seeds in tests/fuzz/corpus: no finding
    tools/dev fuzz TARGET --plant K [--runs N]   the same with bug K planted in the parser: it must be found
    tools/dev fuzz TARGET --coverage [--runs N]  how much of the parser the seeds and N inputs reach: at least
                                                 95 % of its lines
    tools/dev fuzz TARGET --check                all of these, short: what the tests do

Exit codes: 0 as wanted, 1 not, 77 nothing here to fuzz with (clang++ with libFuzzer, for --coverage llvm-cov
too). What a finding needs to be seen again stays in the build folder, and its path is printed.
"""
import argparse
import concurrent.futures
import dataclasses
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "tests" / "fuzz"
sys.path.insert(0, str(HERE))
from plants import PLANTS  # noqa: E402  (its folder is known only now)

SKIP = 77
COVERED_PERCENT = 95
ATTEMPTS = 5  # at a planted bug, each with random inputs of its own
LAST_LINES = 4  # of the log of a run that ended early

BASE = ["lib/base/error.cpp", "lib/base/dtype.cpp", "lib/base/dataset.cpp", "lib/base/text.cpp"]
TOPOLOGY = ["lib/topology/topology.cpp", "lib/base/index_set.cpp"]
SYSTEM = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "lib/os").rglob("*.cpp")
                if path.parent.name != "fakes")


@dataclasses.dataclass
class Target:
    parser: list  # what is to be covered
    others: list  # what else reads the input
    beside: tuple = ()  # what must be linked and sees no byte of the input
    packages: tuple = ()


TARGETS = {
    "plan": Target(
        parser=["lib/base/json_reader.cpp", "lib/base/utf8.cpp", "lib/plan/json.cpp"],
        others=["lib/base/json_writer.cpp", "lib/plan/plan.cpp", "lib/plan/cuts.cpp",
                "lib/plan/partition.cpp"] + BASE + TOPOLOGY,
        beside=tuple(SYSTEM),
        packages=("hwloc",)),
    "npy": Target(parser=["lib/source/npy_header.cpp", "lib/source/npy_type.cpp"], others=BASE),
    "segment": Target(parser=["lib/segment/header.cpp"], others=BASE),
}

# Between blocks of the heap, so that an index one past the end of an array does not land in the next block.
WIDE_REDZONES = {"ASAN_OPTIONS": "redzone=128"}
FUZZ = ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]
COVER = ["-fprofile-instr-generate", "-fcoverage-mapping"]


def skip(why):
    print(f"SKIP: {why}")
    sys.exit(SKIP)


def find_clang():
    for name in [os.environ.get("CLANGXX", "clang++")] + [f"clang++-{n}" for n in range(30, 13, -1)]:
        if shutil.which(name):
            return name
    skip("no clang++ on this machine")


def find_llvm(clang, tool):
    """The tool of the compiler's own version, where it has one: their file formats differ."""
    version = re.search(r"version (\d+)", subprocess.run([clang, "--version"], capture_output=True,
                                                         text=True, check=True).stdout)[1]
    for name in (f"{tool}-{version}", tool):
        if path := shutil.which(name):
            return path
    skip(f"no {tool} on this machine")


def can_fuzz(clang, folder):
    source = folder / "empty.cpp"
    source.write_text('#include <cstddef>\nextern "C" int LLVMFuzzerTestOneInput(const unsigned char*, '
                      "std::size_t) { return 0; }\n")
    return subprocess.run([clang, *FUZZ, source, "-o", folder / "empty"], capture_output=True,
                          check=False).returncode == 0


def fingerprint(words):
    """Of everything that a build depends on: the command and every source file."""
    digest = hashlib.sha256(" ".join(map(str, words)).encode())
    for path in sorted([*(ROOT / "lib").rglob("*.?pp"), *(ROOT / "include").rglob("*.hpp"),
                        *HERE.glob("*.?pp")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


class Fuzzer:
    def __init__(self, target, folder):
        self.name, self.target, self.folder = target, TARGETS[target], folder
        self.planted = {number: plant.planted(ROOT)  # the whole text of its file
                        for number, plant in PLANTS.items() if plant.target == target}
        self.compiled = set()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.clang = find_clang()
        if not can_fuzz(self.clang, folder):
            skip(f"{self.clang} links no libFuzzer here")

    def packages(self, option):
        if not self.target.packages:
            return []
        return subprocess.run(["pkg-config", option, *self.target.packages], capture_output=True, text=True,
                              check=True).stdout.split()

    def flags_of(self, source):
        """The parser also counts which of its lines are reached: one run gives findings and coverage."""
        if source in self.target.beside:
            return ["-O0"]
        return ["-g", "-O2", *FUZZ, *(COVER if source in self.target.parser else [])]

    def compile(self, source, path, output):
        command = [self.clang, "-std=c++20", f"-I{ROOT}/include", f"-I{ROOT}/lib", f"-I{ROOT}/tests",
                   *self.packages("--cflags"), *self.flags_of(source)]
        if shutil.which("ccache"):
            command.insert(0, "ccache")
        subprocess.run([*command, "-c", path, "-o", output], check=True)

    def object_of(self, source, plant):
        """The object file of a source, perhaps with a bug planted in it; compiled once by each Fuzzer."""
        name, path = source.replace("/", "-"), ROOT / source
        if plant and source == PLANTS[plant].file:
            name = f"planted-{plant}-{name}"
            path = self.folder / name
            path.write_text(self.planted[plant], encoding="utf-8")
        output = self.folder / f"{name}.o"
        if name not in self.compiled:
            self.compile(source, path, output)
            self.compiled.add(name)
        return output

    def build(self, plant=None):
        """The program, perhaps with a bug in one file."""
        program = self.folder / (f"fuzz-{plant}" if plant else "fuzz")
        stamp = program.with_suffix(".stamp")
        sources = [f"tests/fuzz/{self.name}_fuzz.cpp", *self.target.parser, *self.target.others,
                   *self.target.beside]
        wanted = fingerprint([self.clang, *map(self.flags_of, sources), self.planted.get(plant, "")])
        if stamp.exists() and program.exists() and stamp.read_text() == wanted:
            return program
        with concurrent.futures.ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
            objects = list(pool.map(lambda source: self.object_of(source, plant), sources))
        libraries = [*self.packages("--libs"), *(["-lnuma"] if self.target.packages else [])]
        subprocess.run([self.clang, *FUZZ, *COVER, *objects, *libraries, "-o", program], check=True)
        stamp.write_text(wanted)
        return program

    def run(self, program, runs, corpus, seed, env):
        """Whether an input broke something; `corpus` collects inputs that reach something new."""
        artifacts = self.folder / f"findings-{program.name}"
        shutil.rmtree(artifacts, ignore_errors=True)
        artifacts.mkdir()
        command = [program, f"-runs={runs}", f"-seed={seed}", "-max_len=4096", "-timeout=10",
                   "-rss_limit_mb=2048", "-print_funcs=0",
                   "-reload=0",  # reading the corpus again at intervals would make runs differ
                   f"-artifact_prefix={artifacts}/"]
        dictionary = HERE / f"{self.name}.dict"
        if dictionary.exists():
            command.append(f"-dict={dictionary}")
        log = self.folder / f"{program.name}.log"
        with open(log, "w", encoding="utf-8") as output:
            code = subprocess.run([*command, corpus, HERE / "corpus" / self.name], stdout=output,
                                  stderr=subprocess.STDOUT, env={**os.environ, **env}, check=False).returncode
        found = sorted(artifacts.iterdir())
        if code != 0:
            print("\n".join(log.read_text(errors="replace").splitlines()[-LAST_LINES:]))
        if code != 0 and not found:
            sys.exit(f"{program} failed without a finding; its output is in {log}")
        return found[0] if found else None

    def clean(self, runs, seed):
        program = self.build()
        with tempfile.TemporaryDirectory() as corpus:
            found = self.run(program, runs, corpus, seed, WIDE_REDZONES | self.profile(program))
        if found:
            print(f"{self.name}: a finding; see it again by: {program} {found}")
            return False
        print(f"{self.name}: {runs} inputs, no finding")
        return True

    def plant(self, number, runs, seed):
        program = self.build(number)
        with tempfile.TemporaryDirectory() as corpus:
            found = self.run(program, runs, corpus, seed, WIDE_REDZONES | self.profile(program))
        print(f"{self.name}: planted bug {number} " + ("found" if found else f"not found by {runs} inputs"))
        return found is not None

    def profile(self, program):
        return {"LLVM_PROFILE_FILE": str(program.with_suffix(".profraw"))}

    def coverage(self, runs, seed):
        return self.clean(runs, seed) and self.covers_enough()

    def covers_enough(self):
        """What the last run of clean() reached."""
        cov, profdata = find_llvm(self.clang, "llvm-cov"), find_llvm(self.clang, "llvm-profdata")
        program, merged = self.build(), self.folder / "cover.profdata"
        subprocess.run([profdata, "merge", "-sparse", program.with_suffix(".profraw"), "-o", merged],
                       check=True)
        sources = [ROOT / source for source in self.target.parser]
        report = subprocess.run([cov, "export", "-summary-only", program, f"-instr-profile={merged}",
                                 *sources], capture_output=True, text=True, check=True).stdout
        enough = True
        for entry in json.loads(report)["data"][0]["files"]:
            lines = entry["summary"]["lines"]
            percent = 100 * lines["covered"] / lines["count"]
            enough = enough and percent >= COVERED_PERCENT
            name = pathlib.Path(entry["filename"]).relative_to(ROOT)
            print(f"{self.name}: {lines['covered']} of {lines['count']} lines of {name}, {percent:.1f} %")
        return enough

    def check(self, runs, seed):
        results = [self.coverage(runs, seed)]
        for number in self.planted:  # chance needs ten times as many inputs on a bad day
            results.append(any(self.plant(number, 20 * runs, seed + attempt) for attempt in range(ATTEMPTS)))
        return all(results)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--runs", type=int, default=20000, metavar="N")
    parser.add_argument("--seed", type=int, default=1, help="of the random inputs (default: 1)")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "fuzz", metavar="FOLDER")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--plant", type=int, metavar="K")
    what.add_argument("--coverage", action="store_true")
    what.add_argument("--check", action="store_true")
    options = parser.parse_args()
    try:
        return 0 if fuzz(options) else 1
    except subprocess.CalledProcessError as error:
        sys.exit(f"exit code {error.returncode}: {' '.join(map(str, error.cmd))}")


def fuzz(options):
    fuzzer = Fuzzer(options.target, options.build.resolve() / options.target)
    if options.plant and options.plant not in fuzzer.planted:
        sys.exit(f"{options.target} has the planted bugs {', '.join(map(str, fuzzer.planted))}")
    if options.check:
        return fuzzer.check(options.runs, options.seed)
    if options.coverage:
        return fuzzer.coverage(options.runs, options.seed)
    if options.plant:
        return fuzzer.plant(options.plant, options.runs, options.seed)
    return fuzzer.clean(options.runs, options.seed)


if __name__ == "__main__":
    sys.exit(main())
