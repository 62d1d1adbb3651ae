#!/usr/bin/env python3
"""Goal: on a machine of several nodes the command keeps its contract, and breaks it in public when another
program moves pages. Method: runs the command on a 64 MiB file; while it holds, migratepages(8) moves pages;
then the workers are put on the wrong nodes.

    tests/machines/contract.py NODEWISE FILE

Prints a summary in the form of the other test programs. To be run on a machine of two nodes or more.
"""
import json
import re
import subprocess
import sys

BATCH = 1024
passed = failed = assertions = 0


def check(truth, what):
    global assertions
    assertions += 1
    if not truth:
        raise AssertionError(what)


def run(nodewise, file, *flags):
    done = subprocess.run([nodewise, "run", file, "--batch-size", str(BATCH), "--json", *flags],
                          capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def everything_lies_as_planned(nodewise, file):
    code, result, errors = run(nodewise, file, "--require-local", "0.99")
    check(code == 0, f"exit code {code}: {errors}")
    check(errors == "", errors)
    placement = result["placement"]
    check(placement["misplaced_bytes"] == 0, placement)
    check(placement["absent_bytes"] == placement["unknown_bytes"] == 0, placement)
    shares = [node["planned_bytes"] for node in placement["nodes"]]
    batch_bytes = placement["planned_bytes"] * BATCH // result["input"]["samples"]
    check(len(shares) >= 2, shares)
    check(max(shares) - min(shares) <= batch_bytes, shares)
    local = sum(worker["local_bytes"] for worker in result["team"])
    check(local >= 0.99 * placement["planned_bytes"], result["team"])


def moved_pages_are_named(nodewise, file):
    holding = subprocess.Popen([nodewise, "run", file, "--batch-size", str(BATCH), "--json",
                                "--require-local", "0.99", "--hold", "20"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = holding.stderr.readline()
    pid = re.search(r"pid (\d+)", line)
    check(pid, line)
    subprocess.run(["migratepages", pid[1], "1", "0"], check=True)
    output, errors = holding.communicate()
    placement = json.loads(output)["placement"]
    check(holding.returncode == 1, f"exit code {holding.returncode}: {errors}")
    wrong = [node for node in placement["nodes"] if node["misplaced_bytes"] > 0]
    check([node["os_index"] for node in wrong] == [1], wrong)
    check("shard 1 (node 1" in errors, errors)
    check(wrong[0]["misplaced_bytes"] == wrong[0]["planned_bytes"] - wrong[0]["cut_bytes"], wrong)


def displaced_workers_read_from_afar(nodewise, file):
    code, result, errors = run(nodewise, file, "--negative-control")
    check(code == 0, errors)
    check(result["placement"]["misplaced_bytes"] == 0, result["placement"])
    check(sum(worker["local_bytes"] for worker in result["team"]) == 0, result["team"])
    check(sum(worker["remote_bytes"] for worker in result["team"]) == result["placement"]["planned_bytes"],
          result["team"])


def the_same_bits_from_any_number_of_workers(nodewise, file):
    means = [run(nodewise, file, "--workers", str(n))[1]["means"] for n in (1, 3, 8)]
    check(means[0] == means[1] == means[2] and len(means[0]) > 0, "means differ")


def main():
    global passed, failed
    nodewise, file = sys.argv[1:3]
    for case in (everything_lies_as_planned, moved_pages_are_named, displaced_workers_read_from_afar,
                 the_same_bits_from_any_number_of_workers):
        try:
            case(nodewise, file)
            passed += 1
        except (AssertionError, subprocess.CalledProcessError, TypeError, ValueError) as error:
            failed += 1
            print(f"{case.__name__}: {error}")
    print(f"[contract] test cases: {passed + failed} | {passed} passed | {failed} failed | 0 skipped")
    print(f"[contract] assertions: {assertions} | {assertions} passed | 0 failed |")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
