#!/usr/bin/env python3
"""Goal: in each world the command does what worlds.json says: places by that rung, asks by that one, names
what was lost, or refuses. Method: for each of the world's runs starts the command, which holds before it
verifies; while it stands still a witness outside of any filter asks the kernel where the pages are. The
command's report must say the same as the witness, and the means be the same bits in all runs of the world.

    tests/machines/expect.py NODEWISE WITNESS FILE WORLD

A run in worlds.json: what it `promise`s; `flags` of the command; `env`; what it goes `without`: system
calls, paths, or "docker" for all that Docker's default filter refuses; `meanwhile`, shell lines for the time
when the command holds ($PID is its number); and what to `expect`, of which SOUND is the default. A number
with a ">" in front is a lower bound; null stands for any.
"""
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys

import worlds

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import docker_filter  # noqa: E402  (its folder is known only now)

HOLDING = re.compile(r"pid (\d+); data at 0x([0-9a-f]+)-0x([0-9a-f]+)")
HOLD_SECONDS = 3  # time enough to be stopped, however slow the machine
PARTS = ("local", "on_target", "misplaced", "cut", "absent", "unknown")
SOUND = {"placing_rung": "mbind", "asking_rung": "move_pages", "misplaced_bytes": 0, "cut_bytes": 0,
         "absent_bytes": 0, "unknown_bytes": 0}
assertions = 0


def check(truth, what):
    global assertions
    assertions += 1
    if not truth:
        raise AssertionError(what)


def wrapper(without):
    """The command in front that takes away what a run goes without."""
    paths = [word for word in without if "/" in word]
    calls = {word for word in without if "/" not in word and word != "docker"}
    refused = set(docker_filter.REFUSED) if "docker" in without else calls
    words = ["unshare", "--mount", str(HERE / "hide.sh"), *paths, "--"] if paths else []
    if refused:
        words += [sys.executable, docker_filter.__file__]
        for call in docker_filter.REFUSED:
            words += [] if call in refused else ["--allow", call]
        for call in refused.difference(docker_filter.REFUSED):
            words += ["--refuse", call]
    return words


def start(nodewise, file, run):
    command = [*wrapper(run.get("without", [])), nodewise, "run", file, "--batch-size", "1024", "--json",
               "--hold", str(HOLD_SECONDS), *run.get("flags", [])]
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


def look(witness, held, run):
    """Stops the command, meddles, and has the witness look, so that nothing depends on who is quicker."""
    os.kill(int(held[1]), signal.SIGSTOP)
    try:
        for line in run.get("meanwhile", []):
            subprocess.run(["sh", "-c", line], check=True, env={**os.environ, "PID": held[1]})
        return by_node(witness, held)
    finally:
        os.kill(int(held[1]), signal.SIGCONT)


def fits(value, expected):
    if expected is None:
        return True
    if isinstance(expected, str) and expected.startswith(">"):
        return value > int(expected[1:])
    return value == expected


def check_report(placement, nodes, expect):
    for field, value in {**SOUND, **expect.get("placement", {})}.items():
        check(fits(placement[field], value), f"{field} is {placement[field]}, not {value}")
    names = sorted({lost["name"] for lost in placement["degradations"]})
    check(names == sorted(expect.get("degradations", [])), f"degradations: {placement['degradations']}")
    check(placement["planned_bytes"] == sum(placement[f"{part}_bytes"] or 0 for part in PARTS), placement)
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
    elsewhere = sum(count for node, count in nodes.items() if node not in reported)
    seen = {node: count for node, count in nodes.items() if node in reported}
    check(reported == seen, f"reported {reported}, the witness saw {nodes}")
    check(elsewhere == placement["absent_bytes"] + placement["unknown_bytes"], f"the witness saw {nodes}")


def check_reads(team, expect):
    for part in ("local", "remote"):
        if f"{part}_reads" in expect:
            read = sum(worker[f"{part}_bytes"] for worker in team)
            check(read == expect[f"{part}_reads"], f"{read} bytes are {part} reads")


def asked(run):
    """How the run differs from a plain one, for the same page."""
    words = [f"`{shlex.join(run['flags'])}`"] if "flags" in run else []
    words += [f"`{name}={value}`" for name, value in run.get("env", {}).items()]
    without = ", ".join(run.get("without", [])).replace("docker", "the calls that Docker refuses")
    words += [f"without {without}"] if without else []
    words += [f"during `--hold` another program runs `{line}`" for line in run.get("meanwhile", [])]
    return ", ".join(words)


def by(done, method):
    return f"not {done}" if method == "none" else f"{done} by {method}"


def told(code, result, errors):
    """What the command reported, in a line for the page about the contract."""
    words = []
    if code:
        error = re.sub(r" \(\d+ bytes\)", "", errors.strip().partition(": ")[2])
        words.append(f"exit code {code}: {error}")
    if result:
        placement = result["placement"]
        parts = [f"{placement[part + '_bytes'] / 2**20:.0f} MiB {part}" for part in PARTS
                 if placement[part + "_bytes"]]
        words.append(f"{by('placed', placement['placing_rung'])}, {by('verified', placement['asking_rung'])}")
        words.append(", ".join(parts))
        words += sorted({lost["name"] for lost in placement["degradations"]})
    return "; ".join(words)


def one_run(nodewise, witness, file, run):
    """What the command told; its means, if it came to that."""
    process = start(nodewise, file, run)
    line = process.stderr.readline()
    held = HOLDING.search(line)
    nodes = look(witness, held, run) if held else None
    output, errors = process.communicate()
    errors = ("" if held else line) + errors
    expect = run.get("expect", {})
    check(process.returncode == expect.get("code", 0), f"exit code {process.returncode}: {errors}")
    if "says" in expect:
        check(expect["says"] in errors, errors)
    else:
        check(errors == "", errors)
    result = json.loads(output) if held else None
    if result:
        check_report(result["placement"], nodes, expect)
        check_reads(result["team"], expect)
    else:
        check(expect.get("code", 0) != 0, "it ended before it held")
    return told(process.returncode, result, errors), result and result["means"]


def main():
    nodewise, witness, file, world = sys.argv[1:]
    runs = worlds.runs_of(world)
    failed, all_means = 0, None
    for run in runs:
        try:
            shown, means = one_run(nodewise, witness, file, run)
            check(means is None or means == (all_means or means), "the means differ from an earlier run's")
            all_means = all_means or means
            print("[shown]", json.dumps({"promise": run["promise"], "asked": asked(run), "shown": shown}))
        except (AssertionError, subprocess.CalledProcessError, KeyError, ValueError) as error:
            failed += 1
            print(f"{world}, run {json.dumps(run)}: {type(error).__name__} {error}")
    print(f"[expect] test cases: {len(runs)} | {len(runs) - failed} passed | {failed} failed | 0 skipped")
    print(f"[expect] assertions: {assertions} | {assertions - failed} passed | {failed} failed |")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
