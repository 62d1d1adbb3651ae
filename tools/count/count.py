#!/usr/bin/env python3
"""Boots a machine of many nodes, runs a program in it, and has the emulator count every load and store by the
node of the CPU and the node of the memory. `nodewise count` runs this and shows what was counted.

    count.py --topology 4x2 --report FILE [--rw DIR] -- PROGRAM [ARGUMENT...]

Standard output, standard error and the exit code are the program's; 3, without a report, where the machine
cannot be had. Each line of the report is

    GROUP CPU_NODE MEMORY_NODE KIND ACCESSES BYTES

GROUP: `program`, `kernel` (while the program runs), `outside` (before and after), `data:LABEL` (of the
program's, those to what it marked as its dataset). KIND: `load`, `store`. A node of -1 is unknown, of -2 a
device. The last line is `complete` where the program was seen to begin and to end.
"""
import argparse
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True
import boot  # noqa: E402

CANNOT = 3


def missing(kernel, files):
    """What this machine lacks for counting, and how to get it; None: nothing."""
    machine = f"python3 {pathlib.Path(boot.__file__)} --kernel {kernel} --setup"
    if not shutil.which("qemu-system-x86_64"):
        return f"there is no qemu-system-x86_64; `{machine}` installs it (Debian's package qemu-system-x86)"
    takes = subprocess.run(["qemu-system-x86_64", "-help"], capture_output=True, text=True).stdout
    if "-plugin " not in takes:
        return "this qemu-system-x86_64 takes no plugins (built without --enable-plugins); Debian's does"
    if not boot.cache_of(kernel).exists():
        return f"kernel {kernel} is not here; `{machine}` fetches it (some 100 MB, from Debian)"
    absent = [str(file) for file in files if not file.exists()]
    return f"{' and '.join(absent)} was not built" if absent else None


def follow(path, target, ended):
    """Copies what a file grows by, until `ended` and all is copied."""
    with open(path, "rb") as source:
        while True:
            last = ended.wait(0.1)
            with contextlib.suppress(BrokenPipeError):
                shutil.copyfileobj(source, target)
                target.flush()
            if last:
                return


def count(a, command):
    outcome = CANNOT
    with tempfile.TemporaryDirectory(prefix="count.") as work:
        ended, copies = threading.Event(), []
        for name, target in (("stdout", sys.stdout.buffer), ("stderr", sys.stderr.buffer)):
            path = pathlib.Path(work, name)
            path.touch()
            copies.append(threading.Thread(target=follow, args=(path, target, ended)))
            copies[-1].start()
        plugin = f"{a.plugin},node_mib={a.mem},report={a.report},all={'off' if a.skip_boot else 'on'}"
        try:
            outcome = boot.run(boot.topologies()[a.topology], [str(a.launcher), work, *command], mib=a.mem,
                               kernel=a.kernel, rw=[work, *a.rw], timeout=a.timeout,
                               extra=["-plugin", plugin])
        finally:
            ended.set()
            for copy in copies:
                copy.join()
    return outcome


def end_by_interrupt(*_):
    """Ends this script as Ctrl-C does, so that it cleans up; what comes after the first signal is ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end_by_interrupt)
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--topology", default="4x2", metavar="NAME")
    parser.add_argument("--kernel", choices=boot.KERNELS, default="6.12")
    parser.add_argument("--mem", type=int, default=256, metavar="MIB", help="memory of each node (256)")
    parser.add_argument("--timeout", type=float, default=600, metavar="S", help="time limit in seconds (600)")
    parser.add_argument("--rw", action="append", default=[], metavar="DIR",
                        help="a directory that keeps what is written")
    parser.add_argument("--skip-boot", action="store_true", help="count while the program runs alone: faster")
    parser.add_argument("--report", required=True, type=pathlib.Path, metavar="FILE")
    parser.add_argument("--plugin", default=HERE / "count_plugin.so", type=pathlib.Path)
    parser.add_argument("--launcher", default=HERE / "count_launch", type=pathlib.Path)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    a = parser.parse_args()
    command = a.command[1:] if a.command[:1] == ["--"] else a.command
    known = boot.topologies()
    if a.topology not in known:
        names = ", ".join(known)
        print(f"nodewise count: there is no machine {a.topology}; there are {names}", file=sys.stderr)
        return 2
    if not command or not shutil.which(command[0]):
        print(f"nodewise count: there is no program {' '.join(command[:1])}", file=sys.stderr)
        return 2
    lacking = missing(a.kernel, (a.plugin, a.launcher))
    if lacking:
        print(f"nodewise count: {lacking}", file=sys.stderr)
        return CANNOT
    try:
        return count(a, command)
    except boot.Died as death:
        a.report.unlink(missing_ok=True)
        print(f"nodewise count: {death.why} (--mem, --topology)", file=sys.stderr)
        return CANNOT
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
