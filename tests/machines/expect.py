#!/usr/bin/env python3
"""Goal: in each world the command does what worlds.json says: places by that rung, asks by that one, names
what was lost, or refuses. Method: for each of the world's runs starts the command, which holds before it
verifies; meanwhile a witness outside of any filter asks the kernel where the pages are. The command's report
must say the same as the witness.

    tests/machines/expect.py NODEWISE WITNESS FILE WORLD

A run in worlds.json: `flags` of the command; `wrap`, a command in front of it; `env`; and what is expected:
`code`; fields of `placement`; `degradations`, the names that must be there; `says`, words of the error.
"""
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
HOLDING = re.compile(r"pid (\d+); data at 0x([0-9a-f]+)-0x([0-9a-f]+)")
assertions = 0


def check(truth, what):
    global assertions
    assertions += 1
    if not truth:
        raise AssertionError(what)


def start(nodewise, file, run):
    wrap = [word.format(here=HERE) for word in run.get("wrap", [])]
    command = [*wrap, nodewise, "run", file, "--batch-size", "1024", "--json", "--hold", "3",
               *run.get("flags", [])]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env={**os.environ, **run.get("env", {})})


def by_node(witness, held):
    """Bytes by the kernel's number of the node, as the witness sees them."""
    size = int(held[3], 16) - int(held[2], 16)
    seen = subprocess.run([witness, "where", held[1], held[2], str(size)], capture_output=True, text=True,
                          check=True)
    nodes = {}
    for line in seen.stdout.splitlines():
        _, count, node = map(int, line.split())
        nodes[node] = nodes.get(node, 0) + count
    return nodes


def check_report(placement, nodes, expect):
    for field, value in expect.get("placement", {}).items():
        check(placement[field] == value, f"{field} is {placement[field]}, not {value}")
    names = [lost["name"] for lost in placement["degradations"]]
    check(sorted(set(names)) == sorted(expect.get("degradations", [])), f"degradations: {names}")
    parts = ("local", "misplaced", "cut", "absent", "unknown")
    check(placement["planned_bytes"] == sum(placement[f"{part}_bytes"] for part in parts), placement)
    if placement["asking_rung"] == "none":
        check(placement["unknown_bytes"] == placement["planned_bytes"], placement)
        return
    # The nodes' rows are in logical order; bytes_on_node is by logical index too.
    os_index = {node["node"]: node["os_index"] for node in placement["nodes"]}
    reported = {}
    for node in placement["nodes"]:
        for index, count in enumerate(node["bytes_on_node"]):
            if count:
                reported[os_index.get(index, index)] = reported.get(os_index.get(index, index), 0) + count
    check(reported == nodes, f"reported {reported}, the witness saw {nodes}")


def one_run(nodewise, witness, file, run):
    process = start(nodewise, file, run)
    line = process.stderr.readline()
    held = HOLDING.search(line)
    nodes = by_node(witness, held) if held else None
    output, errors = process.communicate()
    errors = ("" if held else line) + errors
    expect = run["expect"]
    check(process.returncode == expect.get("code", 0), f"exit code {process.returncode}: {errors}")
    if "says" in expect:
        check(expect["says"] in errors, errors)
    else:
        check(errors == "", errors)
    if held:
        check_report(json.loads(output)["placement"], nodes, expect)
    else:
        check(expect.get("code", 0) != 0, "it ended before it held")


def main():
    nodewise, witness, file, world = sys.argv[1:]
    runs = json.loads((HERE / "worlds.json").read_text())[world]["runs"]
    failed = 0
    for run in runs:
        try:
            one_run(nodewise, witness, file, run)
        except (AssertionError, subprocess.CalledProcessError, KeyError, ValueError) as error:
            failed += 1
            print(f"{world}, run {json.dumps(run)}: {type(error).__name__} {error}")
    print(f"[expect] test cases: {len(runs)} | {len(runs) - failed} passed | {failed} failed | 0 skipped")
    print(f"[expect] assertions: {assertions} | {assertions - failed} passed | {failed} failed |")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
