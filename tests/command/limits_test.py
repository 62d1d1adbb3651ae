"""Goal: under every limit of a process or of its control group the command ends by one of its exit codes,
with one line that names the limit where it cannot go on, and leaves nothing behind.
Method: every subcommand under low limits on files, memory, open files, stacks, threads, and in control groups
on threads, memory and huge pages. A run of the tests takes a sample of these cases and prints its seed;
`limits_test.py --all` takes all of them, and `--seed N` that sample again. A limit under which not even
`nodewise --version` starts is left out: there the loader of programs speaks, not the command."""
import functools
import os
import pathlib
import random
import resource
import subprocess
import sys
import unittest

from command import COMMAND, DIGITS, OWN_PREFIX, SOURCE, Case, environment, nodewise, own_files

MIB = 1 << 20
LIMITS = {
    "FSIZE": ("ulimit -f", (0, 512, 4096, 65536)),
    "NOFILE": ("ulimit -n", (4, 5, 6, 8, 12)),
    "STACK": ("ulimit -s", (128 << 10, 1 << 20)),
    "MEMLOCK": ("ulimit -l", (0,)),
    "AS": ("ulimit -v", tuple(mib * MIB for mib in (16, 20, 24, 32, 40, 64, 100))),
    "DATA": ("ulimit -d", tuple(mib * MIB for mib in (1, 4, 8, 12, 16, 20, 32))),
    "NPROC": ("ulimit -u", (1, 2)),
}
SAMPLE = 40  # cases of each test
ALONE = 65533  # a user without processes: the limit on these counts all of a user's, but none of root's


def option(name):
    """The value of `--NAME VALUE` on the command line; an empty text without a value, None without either."""
    words = sys.argv[1:]
    if name not in words:
        return None
    behind = words[words.index(name) + 1:]
    return behind[0] if behind and not behind[0].startswith("-") else ""


SEED = int(option("--seed") or random.randrange(1 << 32))


def chosen(cases):
    cases = list(cases)
    if option("--all") is not None or len(cases) <= SAMPLE:
        return cases
    print(f"a sample of {SAMPLE} of {len(cases)} cases; again: limits_test.py --seed {SEED}", flush=True)
    return random.Random(SEED).sample(cases, SAMPLE)


class Group:
    """A control group below that of this process, or an OSError that says why there is none."""

    def __init__(self, controller):
        self.version, base = self.hierarchy(controller)
        self.enabled = None
        if self.version == 2 and controller not in (base / "cgroup.subtree_control").read_text().split():
            (base / "cgroup.subtree_control").write_text(f"+{controller}")
            self.enabled = (base / "cgroup.subtree_control", f"-{controller}")
        self.folder = base / f"nodewise-limits-{os.getpid()}"
        self.folder.mkdir()

    @staticmethod
    def hierarchy(controller):
        mounts = [line.split() for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
        groups = pathlib.Path("/proc/self/cgroup").read_text().splitlines()
        paths = dict(line.split(":", 2)[1:] for line in groups)
        for fields in mounts:
            kind, super_options = fields[fields.index("-") + 1], fields[-1].split(",")
            point = pathlib.Path(fields[4])
            if kind == "cgroup" and controller in super_options:
                own = next(path for names, path in paths.items() if controller in names.split(","))
            elif kind == "cgroup2" and controller in (point / "cgroup.controllers").read_text().split():
                own = paths[""]
            else:
                continue
            inner = point / own.lstrip("/")
            return (1 if kind == "cgroup" else 2), inner if inner.is_dir() else point
        raise OSError(f"the kernel has no controller {controller}, or it is not mounted")

    def set(self, file, value):
        (self.folder / file).write_text(str(value))

    def join(self):
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self):
        self.folder.rmdir()
        if self.enabled:
            self.enabled[0].write_text(self.enabled[1])


class Limits(Case):
    def setUp(self):
        super().setUp()
        self.data = self.folder / "input.npy"
        code, _, err = nodewise("generate", self.data, "--bytes", "16MiB", "--features", 64, "--dtype", "f64")
        self.assertEqual((code, err), (0, ""))
        self.outputs = self.folder / "outputs"
        self.outputs.mkdir()
        for folder in (self.folder, self.outputs):
            folder.chmod(0o777)
        self.data.chmod(0o644)

    def subcommands(self):
        yield ("topology",)
        yield ("doctor",)
        yield ("segments",)
        yield ("placement", "--pid", os.getpid())
        yield ("plan", DIGITS, "--batch-size", 32)
        yield ("plan", DIGITS, "--batch-size", 32, "--save", self.outputs / "plan.json")
        yield ("generate", self.outputs / "data.npy", "--bytes", "1MiB", "--features", 4, "--dtype", "f32")
        for data in (DIGITS, self.data):
            yield ("run", data, "--batch-size", 32)
            yield ("run", data, "--batch-size", 32, "--segment", OWN_PREFIX + "limits")

    def left_behind(self):
        return [*self.outputs.iterdir(), *own_files()]

    def run_limited(self, limit, *words, under=()):
        return subprocess.run([*under, COMMAND, *map(str, words)], capture_output=True, text=True, cwd=SOURCE,
                              env=environment(), timeout=120, preexec_fn=limit)

    def check(self, name, done):
        left = self.left_behind()
        for path in left:
            path.unlink()
        self.assertIn(done.returncode, (0, 3), done.stderr)
        if done.returncode == 0:
            self.assertEqual(done.stderr, "")
            return
        self.assertEqual(left, [])
        self.assertRegex(done.stderr, r"\Anodewise [^\n]*\n\Z")
        self.assertIn(name, done.stderr)

    def lowered(self, kind, value):
        """What a child does before it becomes the command, and what it is started under."""
        limit = functools.partial(resource.setrlimit, getattr(resource, f"RLIMIT_{kind}"), (value, value))
        as_another = kind == "NPROC" and os.geteuid() == 0
        return limit, ["setpriv", "--reuid", str(ALONE), "--clear-groups"] if as_another else []

    def test_every_subcommand_under_every_limit(self):
        cases = []
        for kind, (name, values) in LIMITS.items():
            for value in values:
                limit, under = self.lowered(kind, value)
                if self.run_limited(limit, "--version", under=under).returncode == 0:
                    # A user may not look into another's process.
                    cases += [(kind, name, value, words) for words in self.subcommands()
                              if not (under and words[0] == "placement")]
        for kind, name, value, words in chosen(cases):
            with self.subTest(limit=kind, value=value, words=words):
                limit, under = self.lowered(kind, value)
                self.check(name, self.run_limited(limit, *words, under=under))

    def group(self, controller):
        try:
            group = Group(controller)
        except OSError as error:
            print(f"SKIP: no control group can be made here that limits {controller}: {error}", flush=True)
            self.skipTest(str(error))
        self.addCleanup(group.remove)
        return group

    def check_in(self, group, file, values, cases):
        for value, words in chosen((value, words) for value in values for words in cases):
            with self.subTest(file=file, value=value, words=words):
                group.set(file, value)
                self.check(file, self.run_limited(group.join, *words))

    def test_in_a_control_group_with_few_threads(self):
        self.check_in(self.group("pids"), "pids.max", (1, 2, 3), self.subcommands())

    def test_in_a_control_group_with_little_memory(self):
        # The command itself needs some 10 MiB. What it needs cannot be refused, only what it asks for.
        group = self.group("memory")
        file = "memory.max" if group.version == 2 else "memory.limit_in_bytes"
        self.check_in(group, file, (20 * MIB, 24 * MIB, 32 * MIB, 48 * MIB), self.subcommands())

    def test_in_a_control_group_with_few_huge_pages(self):
        group = self.group("hugetlb")
        words = ("run", self.data, "--batch-size", 32, "--pages", "hugetlb")
        for about in ("", "rsvd."):
            file = f"hugetlb.2MB.{about}" + ("max" if group.version == 2 else "limit_in_bytes")
            if not (group.folder / file).exists():
                continue
            unlimited = (group.folder / file).read_text()
            for value in (0, 4 * MIB):
                group.set(file, value)
                done = self.run_limited(group.join, *words)
                self.check(file, done)
                self.assertEqual(done.returncode, 0)
                self.assertRegex(done.stdout, rf"huge-pages-short.*{file}")
                done = self.run_limited(group.join, *words, "--binding", "required")
                self.assertEqual((done.returncode, self.left_behind()), (1, []))
                self.assertRegex(done.stderr, rf"\Anodewise run: [^\n]*{file} is [^\n]* leaves [^\n]*\n\Z")
                self.assertRegex(self.run_limited(group.join, "doctor").stdout, f"huge-page-limits: .*{file}")
            group.set(file, unlimited)


class Doctor(Case):
    def finding(self, name, **options):
        code, out, err = nodewise("doctor", **options)
        self.assertEqual((code, err), (0, ""))
        return next(line for line in out.splitlines() if f" {name}: " in line)

    def test_names_limits_on_memory(self):
        under = ["bash", "-c", 'ulimit -v 2000000 -d 1000000; exec "$@"', "bash"]
        self.assertRegex(self.finding("memory-limits", under=under),
                         r"^note .*ulimit -v\) = 1.9 GiB \(.* in use\), .*ulimit -d\) = ")

    def test_names_a_memory_policy(self):
        under = ["numactl", "--preferred=0"]
        if subprocess.run([*under, "true"], capture_output=True, check=False).returncode != 0:
            self.skipTest("SKIP: numactl sets no policy here")
        self.assertRegex(self.finding("memory-policy", under=under), r"^note .*preferred on node\(s\) 0 ")
        self.assertRegex(self.finding("memory-policy"), r"^ok .*none")

    def test_does_not_blame_a_cpuset_for_nodes_without_memory(self):
        hole = SOURCE / "tests/data/topologies/hole.xml"
        self.assertRegex(self.finding("cpuset", env={"HWLOC_XMLFILE": str(hole), "HWLOC_THISSYSTEM": "0"}),
                         r"^ok .*nodes 0,2 of 0,2 are allowed; node\(s\) 1 have no memory$")


if __name__ == "__main__":
    names = [word for word in sys.argv[1:] if word[:1].isupper()]
    unittest.main(argv=[sys.argv[0], *names], verbosity=2)
