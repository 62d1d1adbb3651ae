#!/usr/bin/env python3
"""nodewise beside its lower bounds and its peers: every part, in one interleaved run.

    compare.py BUILD [--rounds 9] [--filter REGEX] [--write docs/performance.md] [--plots FOLDER]

A round goes through all cases in random order, and through each case's ways in random order, those of the
programs of BUILD/bench first, those of peers.py right after. What is compared was so measured within moments:
a ratio is the median over the rounds of (time of the other) / (time of nodewise), so 1 is as fast and 2 is
twice as fast, and what the machine did in between cancels out. A bar of bars.json passes if the median
reaches it, and `touches` if the interquartile range does. Where several others may count, the one with the
least median time does.

BUILD/compare.json, or the file of --keep, keeps every time of every round, what the machine was, and of each
figure, such as the part of the bytes that was local, the worst of all rounds. Exit code: 1 where a bar is
short and --strict was given.
"""
import argparse
import json
import pathlib
import random
import re
import subprocess
import sys

import figures
import machine
import peers

KNOWN_FIGURES = ("local_before", "local", "huge_pages_before", "huge_pages", "heap_bytes", "error")
HERE = pathlib.Path(__file__).resolve().parent


def list_cases(programs, pattern):
    """[(program, case, [names of its ways])]"""
    cases = []
    for program in programs:
        names = subprocess.run([program, "--benchmark_list_tests", f"--benchmark_filter={pattern}"],
                               capture_output=True, text=True, check=False).stdout.split()
        ways = {}
        for name in names:
            ways.setdefault(name.partition("/iterations:")[0].rpartition("/")[0], []).append(name)
        cases += [(program, case, names) for case, names in ways.items()]
    return cases


def run_case(program, names, seed):
    """{way: nanoseconds}, {case/way: figures} and the program's own context."""
    only = "|".join(re.escape(name) for name in names)
    command = [program, "--benchmark_format=json", f"--benchmark_filter=^({only})$"]
    run = subprocess.run(command, capture_output=True, text=True, check=False,
                         env={**machine.environment(), "NODEWISE_BENCH_SEED": str(seed)})
    if run.returncode != 0:
        sys.exit(f"{program.name} failed: {run.stderr.strip()}")
    report = json.loads(run.stdout)
    times, counters = {}, {}
    for result in report["benchmarks"]:
        name = result["name"].partition("/iterations:")[0]
        times[name.rpartition("/")[2]] = result["real_time"]
        if known := {key: result[key] for key in KNOWN_FIGURES if key in result}:
            counters[name] = known
    return times, counters, report["context"]


def one_round(cases, seed):
    order = list(cases)
    random.Random(seed).shuffle(order)
    times, counters, contexts = {}, {}, {}
    for program, case, names in order:
        times[case], known, contexts[program.name] = run_case(program, names, seed)
        counters.update(known)
        peers.add(case, times[case], counters, seed)
    return times, counters, contexts


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--filter", default=".", metavar="REGEX", help="of cases and ways; default: all")
    parser.add_argument("--update", action="store_true",
                        help="keep those cases of the last run, of as many rounds, that this one leaves out")
    parser.add_argument("--write", type=pathlib.Path, metavar="PAGE", help="put the table into this page")
    parser.add_argument("--plots", type=pathlib.Path, metavar="FOLDER", help="draw SVG plots into it")
    parser.add_argument("--keep", type=pathlib.Path, metavar="FILE",
                        help="where to keep every time; default: BUILD/compare.json")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a bar is short")
    options = parser.parse_args()
    programs = sorted(path for path in (options.build / "bench").glob("*_bench") if path.is_file())
    if not programs:
        sys.exit(f"no benchmark is built in {options.build / 'bench'}; tools/dev bench builds them")
    cases = list_cases(programs, options.filter)
    if not cases:
        sys.exit(f"no benchmark fits {options.filter}")
    before = machine.describe()
    rounds = []
    for seed in range(1, options.rounds + 1):
        print(f"round {seed} of {options.rounds}", file=sys.stderr, flush=True)
        rounds.append(one_round(cases, seed))
    result = {"machine": before, "topology": machine.topology(), "load_after": machine.load(),
              "contexts": rounds[-1][2], "rounds": [times for times, _, _ in rounds],
              "figures": figures.worst([known for _, known, _ in rounds])}
    kept = options.keep or options.build / "compare.json"
    if options.update:
        keep_others(result, json.loads(kept.read_text(encoding="utf-8")))
    kept.write_text(json.dumps(result, indent=1), encoding="utf-8")
    rows = judged(result["rounds"], result["figures"])
    text = figures.table(rows, result)
    print(text)
    if options.write:
        figures.write(options.write, text)
    if options.plots:
        figures.plot(result["rounds"], options.plots)
    return int(options.strict and any(row["verdict"] == "short" for row in rows))


def keep_others(result, last):
    """Adds to the rounds what they lack and the last run's have."""
    if len(last["rounds"]) != len(result["rounds"]):
        sys.exit(f"--update: the last run had {len(last['rounds'])} rounds, this one {len(result['rounds'])}")
    result["rounds"] = [{**old, **new} for old, new in zip(last["rounds"], result["rounds"])]
    result["figures"] = {**last["figures"], **result["figures"]}


def judged(rounds, known):
    bars = json.loads((HERE / "bars.json").read_text(encoding="utf-8"))
    return [row for bar in bars for row in figures.judge(bar, rounds, known)]


if __name__ == "__main__":
    sys.exit(main())
