#!/usr/bin/env python3
"""Goal: of its dataset nodewise loads no more bytes from other nodes than the plan announced as cut; and how
much do other ways of placing load from there? Method: remote_bytes makes one pass over 16.8 MB, placed each
way, in machines of 2, 4 and 8 nodes, while `nodewise count` counts.

    remote_bytes.py NODEWISE REMOTE_BYTES [--topology 4x2]... [--write docs/performance.md]

--write puts the table between the marks in the file. Exits 1 where nodewise loads more than it announced, or
a pass did not load the dataset.
"""
import argparse
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "count"))
import boot  # noqa: E402

TOPOLOGIES = ("2x2", "4x2", "8x1")
BATCHES = {512: "125 pages", 100: "24.4 pages"}  # of 1000-byte rows
WAYS = {  # name: (mode, what it runs under, whether AutoNUMA is on)
    "nodewise": ("nodewise", "", False),
    "stealing": ("stealing", "", False),
    "stealing, uneven work": ("uneven", "", False),
    "serial init": ("serial", "", False),
    "OpenMP static twice": ("static", "", False),
    "OpenMP static twice, no huge pages": ("small", "", False),
    "`numactl --interleave=all`": ("serial", "numactl --interleave=all", False),
    "`numactl --membind=0`": ("serial", "numactl --membind=0", False),
    "AutoNUMA, after 10 s": ("mend", "", True),
}
# Held to what the plan announced, as nodewise is, but not in the table. At edges a transpose touches some
# elements twice.
LAYOUTS = {
    "means of features": ("features", "", False),
    "conversion": ("convert", "", False),
    "conversion, where it writes": ("converted", "", False),
}
PASSES = WAYS | LAYOUTS
OURS = ("nodewise", "stealing", "uneven", "features", "convert", "converted")
# AutoNUMA looks at a process a second after it began, and then ever more rarely: an emulated machine would
# be looked at hardly once in ten seconds. These are its own knobs.
AUTONUMA = {"scan_delay_ms": 10, "scan_period_min_ms": 20, "scan_period_max_ms": 100}
KNOBS = "/sys/kernel/debug/sched/numa_balancing"
BEGIN, END = "<!-- remote_bytes.py writes from here -->\n", "<!-- to here -->\n"


def script(program):
    """All passes, one after the other, each with a label of its own."""
    lines = ["set -e", "export OMP_PROC_BIND=true OMP_PLACES=cores",
             "mount -t debugfs debug /sys/kernel/debug"]
    lines += [f"echo {value} >{KNOBS}/{name}" for name, value in AUTONUMA.items()]
    label = 0
    for mode, under, autonuma in PASSES.values():
        for batch_size in BATCHES:
            lines.append(f"echo {int(autonuma)} >/proc/sys/kernel/numa_balancing")
            # nodewise pins its workers itself.
            unset = "env -u OMP_PROC_BIND -u OMP_PLACES" if mode in OURS else ""
            lines.append(f"{unset} {under} {shlex.quote(program)} {mode} {batch_size} {label}")
            label += 1
    return "\n".join(lines)


def measure(nodewise, program, topology):
    """{(way, batch size): (dataset bytes, announced cut bytes, loaded or stored bytes, of them remote)}"""
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder, "counts.json")
        done = subprocess.run(
            [nodewise, "count", "--topology", topology, "--skip-boot", "--json", "-o", report, "--",
             "sh", "-c", script(program)], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{topology}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        counted = {data["label"]: data for data in json.loads(report.read_text())["data"]}
    results = {}
    keys = [(way, batch_size) for way in PASSES for batch_size in BATCHES]
    for key, line in zip(keys, done.stdout.splitlines(), strict=True):
        label, dataset_bytes, cut_bytes = map(int, line.split())
        kind = "store_bytes" if PASSES[key[0]][0] == "converted" else "load_bytes"
        remote, local = (counted[label][part][kind] for part in ("remote", "local"))
        results[key] = (dataset_bytes, cut_bytes, local + remote, remote)
    return results


def problems(topology, results):
    for (way, batch_size), (dataset_bytes, cut_bytes, loaded, remote) in results.items():
        where = f"{topology}, batches of {batch_size}, {way}"
        if way in LAYOUTS:
            if not dataset_bytes <= loaded <= 2 * dataset_bytes:
                yield f"{where}: {loaded} bytes were touched of a dataset of {dataset_bytes}"
            if remote > 2 * cut_bytes:
                yield f"{where}: {remote} bytes were on other nodes, {cut_bytes} were announced"
            continue
        if loaded != dataset_bytes:
            yield f"{where}: {loaded} bytes were loaded of a dataset of {dataset_bytes}"
        if way == "nodewise" and remote > cut_bytes:
            yield f"{where}: {remote} bytes came from other nodes, {cut_bytes} were announced"


def table(measured):
    head = ["machine", "batch", "cut bytes in the plan", *WAYS]
    lines = ["| " + " | ".join(head) + " |", "|---|---|" + "--:|" * (len(head) - 2)]
    for topology, results in measured.items():
        for batch_size, pages in BATCHES.items():
            dataset_bytes, cut_bytes = results["nodewise", batch_size][:2]
            cells = [topology, f"{batch_size} rows, {pages}", f"{cut_bytes}"]
            for way in WAYS:
                remote = results[way, batch_size][3]
                cells.append(f"{remote} ({100 * remote / dataset_bytes:.1f} %)")
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nodewise")
    parser.add_argument("program")
    parser.add_argument("--topology", action="append", metavar="NAME")
    parser.add_argument("--write", type=pathlib.Path, metavar="FILE")
    a = parser.parse_args()
    if why := boot.why_not_bootable("6.12"):
        print(f"SKIP: {why}")
        return 0
    measured = {name: measure(a.nodewise, str(pathlib.Path(a.program).resolve()), name)
                for name in a.topology or TOPOLOGIES}
    print(table(measured))
    if a.write:
        page = a.write.read_text(encoding="utf-8")
        pattern = re.compile(re.escape(BEGIN) + ".*" + re.escape(END), re.S)
        a.write.write_text(pattern.sub(lambda _: f"{BEGIN}{table(measured)}{END}", page), encoding="utf-8")
    found = [problem for name, results in measured.items() for problem in problems(name, results)]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
