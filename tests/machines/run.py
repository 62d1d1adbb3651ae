#!/usr/bin/env python3
"""Boots machines of many nodes and runs the hardware tests in them.

    tests/machines/run.py BUILD_FOLDER [WORLD…]      without a name: the core set
    tests/machines/run.py --list

A world is a machine in a state: a topology, commands that prepare it, the tests that run in it, and how many
assertions they must make at least. worlds.json holds them all. The last line is "N passed, N failed".
"""
import argparse
import io
import json
import pathlib
import re
import subprocess
import sys
import time

import boot

HERE = pathlib.Path(__file__).resolve().parent
SUMMARY = re.compile(r"test cases: *\d+ *\| *(\d+) passed *\| *(\d+) failed")
CONTRACT_FILE_SAMPLES = 65536  # of 128 f64 features: 64 MiB
ASSERTIONS = re.compile(r"assertions: *(\d+)")


def worlds():
    return json.loads((HERE / "worlds.json").read_text())


def run_world(name, world, build):
    """Boots one world; the tests passed and failed in it."""
    topology = boot.topologies()[world["topology"]]
    # One boot for all commands of a world; each prints its own summary.
    commands = [command.format(build=build, here=HERE, world=name) for command in world["commands"]]
    script = "rc=0; " + " ".join(f"{command} || rc=1;" for command in commands) + " exit $rc"
    output = io.BytesIO()
    output.flush = lambda: None
    started = time.monotonic()
    rc = boot.run(topology, [*world.get("wrap", []), "sh", "-c", script], mib=world.get("mib", 256),
                  kernel=world.get("kernel", "6.12"), prepare=world.get("prepare", []),
                  append=world.get("append", ""), timeout=world.get("timeout", 300),
                  stdout=output, stderr=output)
    text = output.getvalue().decode(errors="replace")
    passed = sum(int(m[1]) for m in SUMMARY.finditer(text))
    failed = sum(int(m[2]) for m in SUMMARY.finditer(text))
    assertions = sum(int(n) for n in ASSERTIONS.findall(text))
    problems = []
    if rc != 0 or failed:
        problems.append(f"exit code {rc}")
    if assertions < world["assertions"]:
        problems.append(f"{assertions} assertions, at least {world['assertions']} are due")
    if "SKIP: " in text:
        problems.append("a test was skipped")
    verdict = "; ".join(problems) or "ok"
    seconds = time.monotonic() - started
    print(f"{name:16} {passed:3} tests {assertions:6} assertions {seconds:5.0f} s  {verdict}", flush=True)
    if problems:
        print(text)
    return passed, max(failed, 1) if problems else 0


def make_contract_file(build):
    """The file that contract.py runs the command on."""
    file = build / "contract.npy"
    if not file.exists():
        subprocess.run([build / "tools/nodewise/nodewise", "generate", file, "--features", "128",
                        "--samples", str(CONTRACT_FILE_SAMPLES), "--dtype", "f64"], check=True,
                       stdout=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--all", action="store_true", help="every world, not the core set alone")
    parser.add_argument("build", nargs="?")
    parser.add_argument("names", nargs="*", metavar="WORLD")
    a = parser.parse_args()
    known = worlds()
    if a.list or not a.build:
        for name, world in known.items():
            print(f"{name:16} {'core ' if world.get('core') else '     '} {world['about']}")
        return 0 if a.list else 2
    unknown = [name for name in a.names if name not in known]
    if unknown:
        print(f"no such world: {', '.join(unknown)}; --list names them", file=sys.stderr)
        return 2
    names = a.names or [name for name, world in known.items() if a.all or world.get("core")]
    try:
        for kernel in sorted({known[name].get("kernel", "6.12") for name in names}):
            boot.setup(kernel)
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"SKIP: machines of many nodes cannot be booted here: {error}")
        print("0 passed, 0 failed")
        return 0
    build = pathlib.Path(a.build).resolve()
    make_contract_file(build)
    results = [run_world(name, known[name], build) for name in names]
    passed, failed = (sum(r[i] for r in results) for i in (0, 1))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
