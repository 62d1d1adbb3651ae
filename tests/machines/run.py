#!/usr/bin/env python3
"""Boots machines of many nodes and runs the hardware tests in them.

    tests/machines/run.py BUILD_FOLDER [WORLD…]      without a name: the core set
    tests/machines/run.py --list

A world is a machine in a state: a topology, commands that prepare it, the tests that run in it, and how many
assertions they must make at least. worlds.json holds them all. The last line is "N passed, N failed".
"""
import argparse
import dataclasses
import io
import json
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "count"))
import boot  # noqa: E402  (its folder is known only now)
import contract_page
from worlds import WORLDS

HERE = pathlib.Path(__file__).resolve().parent
HARDWARE = "{build}/tests/machines/hardware_test --no-intro --duration=true"
PROGRAMS = {
    "hardware": HARDWARE + " --test-suite-exclude={excluded}",
    "autonuma": HARDWARE + " --test-suite=autonuma",
    "pools": "{build}/tests/machines/pools_test --no-intro --duration=true",
    "segments": "{build}/tests/machines/segments_test --no-intro --duration=true",
    "os": "{build}/tests/os_test --no-intro",
    "cpuset": "{build}/tests/machines/cpuset_test --no-intro",
    "command": "{here}/expect.py {build}/tools/nodewise/nodewise {build}/tests/witness "
               "{build}/machines.npy {world}",
}
SUITES = ("memory-only", "autonuma", "hugetlb")  # of hardware_test, for the worlds that name them
SUMMARY = re.compile(r"test cases: *\d+ *\| *(\d+) passed *\| *(\d+) failed")
ASSERTIONS = re.compile(r"assertions: *(\d+)")
SAMPLES = 65536  # of 128 f64 features: 64 MiB
BOOTS = 3
TELLING = re.compile(r"^.*(?:Error\b|ERROR:|exit code).*$", re.M)
TELLING_CHARACTERS = 600  # of the lines that say why a world failed, told again at the very end


@dataclasses.dataclass
class Result:
    name: str
    passed: int = 0
    failed: int = 0
    assertions: int = 0
    text: str = ""
    why: str = ""  # it failed


def script(name, world, build):
    """One boot runs all programs of a world; each prints its own summary."""
    excluded = ",".join(suite for suite in SUITES if suite not in world.get("suites", []))
    commands = [PROGRAMS[program].format(build=build, here=HERE, world=name, excluded=excluded)
                for program in world["programs"]]
    return "rc=0; " + " ".join(f"{command} || rc=1;" for command in commands) + " exit $rc"


def boot_world(name, world, build):
    """The exit code and all output; boots again where the emulated kernel itself died."""
    for last in [False] * (BOOTS - 1) + [True]:
        output = io.BytesIO()
        try:
            rc = boot.run(boot.topologies()[world["topology"]], ["sh", "-c", script(name, world, build)],
                          mib=world.get("mib", 384), kernel=world.get("kernel", "6.12"),
                          prepare=world.get("prepare", []), timeout=1200, stdout=output, stderr=output)
            return rc, output.getvalue().decode(errors="replace")
        except boot.Died as death:
            print(f"{name}: {death}" + ("" if last else "; booting again"), flush=True)
    return 125, "the machine died each time"


def run_world(name, world, build):
    started = time.monotonic()
    rc, text = boot_world(name, world, build)
    result = Result(name, text=text)
    result.passed = sum(int(m[1]) for m in SUMMARY.finditer(text))
    result.failed = sum(int(m[2]) for m in SUMMARY.finditer(text))
    result.assertions = sum(int(n) for n in ASSERTIONS.findall(text))
    problems = []
    if rc != 0 or result.failed:
        problems.append(f"exit code {rc}")
    if result.assertions < world["assertions"]:
        problems.append(f"{result.assertions} assertions, at least {world['assertions']} are due")
    if "SKIP: " in text:
        problems.append("a test was skipped")
    if problems:
        result.failed = max(result.failed, 1)
    print(f"{name:16} {result.passed:3} tests {result.assertions:6} assertions "
          f"{time.monotonic() - started:5.0f} s  {'; '.join(problems) or 'ok'}", flush=True)
    if problems:
        print(text)
        result.why = "; ".join([*problems, *TELLING.findall(text)])[:TELLING_CHARACTERS]
    return result


def make_file(build):
    """The file that expect.py runs the command on."""
    file = build / "machines.npy"
    if not file.exists():
        subprocess.run([build / "tools/nodewise/nodewise", "generate", file, "--features", "128",
                        "--samples", str(SAMPLES), "--dtype", "f64"], check=True, stdout=subprocess.DEVNULL)


def list_worlds():
    for name, world in WORLDS.items():
        print(f"{name:16} {'core ' if world.get('core') else '     '} {world['about']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--all", action="store_true", help="every world, not the core set alone")
    parser.add_argument("--contract", metavar="PAGE", help="with --all: write placement-contract.md anew")
    parser.add_argument("build", nargs="?")
    parser.add_argument("names", nargs="*", metavar="WORLD")
    a = parser.parse_args()
    if a.list or not a.build:
        list_worlds()
        return 0 if a.list else 2
    unknown = [name for name in a.names if name not in WORLDS]
    if unknown:
        print(f"no such world: {', '.join(unknown)}; --list names them", file=sys.stderr)
        return 2
    names = a.names or [name for name, world in WORLDS.items() if a.all or world.get("core")]
    if why := boot.why_not_bootable(*sorted({WORLDS[name].get("kernel", "6.12") for name in names})):
        print(f"SKIP: {why}")
        print("0 passed, 0 failed")
        return 0
    build = pathlib.Path(a.build).resolve()
    make_file(build)
    results = [run_world(name, WORLDS[name], build) for name in names]
    failed = sum(result.failed for result in results)
    if a.contract and a.all and not failed:
        pathlib.Path(a.contract).write_text(contract_page.text(results), encoding="utf-8")
    for result in results:
        if result.why:
            print(f"FAILED {result.name}: {result.why}")
    print(f"{sum(result.passed for result in results)} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
