#!/usr/bin/env python3
"""Goal: the tests of placement notice what they are there for. Method: in a copy of the tree one line of the
library is made wrong, what depends on it is built again, and one named test must fail, saying why; without
the mutation it passes.

    tools/dev mutations [--list] [--folder DIR] [NAME…]

The copy and its build are kept in DIR (build/mutations). Mutations that only a kernel of several nodes can
tell apart run in a machine. The last line is "N passed, N failed".
"""
import argparse
import dataclasses
import io
import pathlib
import shlex
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools/count"))
import boot  # noqa: E402  (its folder is known only now)

CONTRACT = "the contract, with each binding, kind of pages, element size and batch size"
BOUND = "with mbind every page lies on its node, populated by that node's workers"
BIND = "return os::current().bind(data + bound.pages.begin, bound.pages.bytes(), mode, bound.os_index);"


@dataclasses.dataclass
class Mutation:
    """`old`, which the file holds once, becomes `new`; then `case` of `program` fails and says `says`."""
    file: str
    old: str
    new: str
    program: str
    case: str
    says: str
    machine: str = ""  # a topology, and perhaps a kernel, to run the test in
    prepare: tuple = ()


MUTATIONS = {
    "two nodes swapped in binding": Mutation(
        "lib/buffer/binding.cpp", BIND,
        BIND.replace("bound.os_index", "plan.shards()[shard < 2 ? 1 - shard : shard].os_index"),
        "tests/buffer_test", BOUND, "every_page_on_its_node(world, buffer)"),
    "nothing bound": Mutation(
        "lib/buffer/binding.cpp", BIND, "return data == nullptr ? static_cast<int>(mode) : 0;",
        "tests/machines/hardware_test", CONTRACT, "policies(loader.buffer()) == expected", "2x2"),
    "everything touched by one worker": Mutation(
        "lib/buffer/populating.cpp", "slices[workers[i]].push_back({shard, part});",
        "slices[0].push_back({shard, part});",
        "tests/buffer_test", BOUND, "populated_from_its_node(world, buffer)"),
    "a cut shifted by a page": Mutation(
        "lib/plan/cuts.cpp", "give(shard, shard < owner ? page : page + page_bytes_);",
        "give(shard, shard < owner ? page : page + 2 * page_bytes_);",
        "tests/plan_test", "a page goes to the shard with the most bytes on it, of several to the first",
        "pages"),
    "the logical index given to the kernel": Mutation(
        "lib/buffer/binding.cpp", BIND, BIND.replace("bound.os_index", "bound.node"),
        "tests/buffer_test", BOUND, "every_page_on_its_node(world, buffer)"),
    "orphans forgotten": Mutation(
        "lib/team/team.cpp", "    const auto shared_by = readers(plan, shard);\n",
        "    auto shared_by = readers(plan, shard);\n"
        "    for (const Orphan& orphan : orphans(plan))\n"
        "      if (orphan.shard == shard) shared_by.clear();\n",
        "tests/team_test", "orphans of a node without workers are read from the nearest node",
        "visits(team, plan)"),
    "a foreign topology trusted": Mutation(
        "lib/os/hwloc/topology.cpp",
        "data.is_this_machine = hwloc_topology_is_thissystem(topology.get()) != 0;",
        "data.is_this_machine = true;",
        "tests/topology_test", "a machine that hwloc's environment names is not this one",
        "is_this_machine()"),
    "run on a foreign topology": Mutation(
        "lib/team/team.cpp", "if (!topology.is_this_machine())", "if (topology.nodes().empty())",
        "tests/team_test", "a team runs on this machine only", "Team{foreign}"),
    "called local without asking": Mutation(
        "lib/placement/ledger.cpp",
        "asker.runs(shard, own, [&](ByteRange bytes, int state) { ledger.page_run(bytes, state); });",
        "ledger.page_run(own, static_cast<int>(shard.os_index));",
        "tests/placement_test", "pages that another program moved are found, by shard and batch",
        "misplaced_bytes == 8192"),
    "touched under a strict policy": Mutation(
        "lib/buffer/binding.cpp",
        "const int error = bind_shard(plan, data, shard, os::BindMode::preferred);",
        "const int error = bind_shard(plan, data, shard, os::BindMode::strict);",
        "tests/buffer_test", "a node that fills up between look and touch does not end the process",
        "Buffer::allocate: populating"),
    "no look before the touch": Mutation(
        "lib/buffer/preflight.cpp", "if (!free || shard.pages.bytes() <= *free) continue;", "continue;",
        "tests/buffer_test",
        "a node without room: refused when required, announced and counted when preferred",
        "buffer_on(topology, 4, Binding::required)"),
    "hidden pages called absent": Mutation(
        "lib/os/pages_status.cpp",
        "if ((words[page - first] & Pagemap::present) != 0) status[page] = -EBUSY;",
        "status[page] = -ENOENT;",
        "tests/machines/hardware_test",
        "AutoNUMA moves pages that first touch placed, but not bound pages; both are counted",
        "called_absent == 0", "4x2 6.1", (
            "mount -t debugfs none /sys/kernel/debug",
            "for knob in scan_delay_ms scan_period_min_ms; do "
            "echo 100 >/sys/kernel/debug/sched/numa_balancing/$knob; done")),
}


def copy_tree(folder):
    """The tree as it is, committed or not; unchanged files keep their times, so that little is built."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            check=True, capture_output=True, text=True).stdout.splitlines()
    for name in listed:
        source, copy = ROOT / name, folder / "tree" / name
        if not source.is_file() or (copy.is_file() and copy.read_bytes() == source.read_bytes()):
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, copy)


def build(folder, programs):
    if not (folder / "build/build.ninja").exists():
        subprocess.run(["meson", "setup", folder / "build", folder / "tree", "-Dtools=disabled",
                        "-Doptimization=1", "-Ddebug=false"], check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run(["ninja", "-C", folder / "build", *sorted(programs)], capture_output=True,
                          text=True)
    if done.returncode:
        raise RuntimeError(f"does not compile:\n{done.stdout[-3000:]}")


def run_test(folder, mutation):
    """Exit code and output of the named test alone."""
    pattern = mutation.case.replace(",", "\\,")
    command = [str(folder / "build" / mutation.program), "--no-intro", f"--test-case={pattern}"]
    if not mutation.machine:
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr
    topology, kernel = (mutation.machine.split() + ["6.12"])[:2]
    boot.setup(kernel)
    output = io.BytesIO()
    code = boot.run(boot.topologies()[topology], ["sh", "-c", shlex.join(command)], mib=384, kernel=kernel,
                    prepare=mutation.prepare, stdout=output, stderr=output)
    return code, output.getvalue().decode(errors="replace")


def verdict(folder, mutation):
    """What is wrong with the tests' judgement, or nothing."""
    file = folder / "tree" / mutation.file
    sound = file.read_text(encoding="utf-8")
    if sound.count(mutation.old) != 1:
        return f"{mutation.file} holds {sound.count(mutation.old)} times: {mutation.old}"
    programs = {mutation.program, "tests/witness"}
    build(folder, programs)
    code, output = run_test(folder, mutation)
    if code != 0 or " 1 passed" not in output:
        return f"without the mutation the test does not pass:\n{output[-3000:]}"
    try:
        file.write_text(sound.replace(mutation.old, mutation.new), encoding="utf-8")
        build(folder, programs)
        code, output = run_test(folder, mutation)
    except RuntimeError as error:
        return str(error)
    finally:
        file.write_text(sound, encoding="utf-8")
    if code == 0 or f"TEST CASE:  {mutation.case}" not in output or mutation.says not in output:
        return f"not noticed, or not for the reason: exit code {code}\n{output[-3000:]}"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "build/mutations")
    parser.add_argument("names", nargs="*", metavar="NAME")
    a = parser.parse_args()
    if a.list:
        print("\n".join(f"{name:40} {m.program}: {m.case}" for name, m in MUTATIONS.items()))
        return 0
    folder = a.folder.resolve()
    copy_tree(folder)
    failed = 0
    names = a.names or list(MUTATIONS)
    for name in names:
        wrong = verdict(folder, MUTATIONS[name])
        failed += wrong != ""
        noticed = f"noticed by {MUTATIONS[name].program}: {MUTATIONS[name].case}"
        print(f"{name}: {wrong or noticed}", flush=True)
    print(f"{len(names) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
