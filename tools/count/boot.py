#!/usr/bin/env python3
"""Runs a command of this machine inside a virtual machine with several NUMA nodes.

    tools/count/boot.py --topology 4x2 -- build/tests/placement_test

A stock Debian kernel on QEMU: placement, policies, migration and topology are the real kernel's; time and
bandwidth mean nothing. The guest sees this machine's whole file system, writable and thrown away at the end;
what is written under a directory named with --rw is kept. Standard output, standard error and the exit code
are the command's; 124 past the time limit, 125 where the guest itself failed.

    --setup   installs QEMU and fetches the kernel once (needs apt-get, as root)
    --list    names the topologies of topologies.json
"""
import argparse
import dataclasses
import fcntl
import hashlib
import json
import lzma
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
KERNELS = {"6.12": "linux-image-6.12-amd64", "6.1": "linux-image-amd64"}  # Debian's meta-packages
MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay")  # where they are not built in

# The guest's first process. It lays a throw-away overlay over the host's files, runs `prepare` (the world's
# own commands, as root), then the job, and writes the job's exit code to where the host reads it. Until then
# one CPU is alone: while it starts the kernel rewrites its own code, and QEMU's emulation lets other CPUs
# stumble over that once in a while ("Oops: int3").
INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc; mount -t devtmpfs dev /dev
for m in {modules}; do insmod /m/$m.ko || echo "$m did not load"; done
p9() {{ mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,$1 $2 $3; }}
p9 ro,cache=loose host /host && mount -t tmpfs rw /rw && mkdir /rw/up /rw/work &&
mount -t overlay -o lowerdir=/host,upperdir=/rw/up,workdir=/rw/work root /root || poweroff -f
cd /root; mount -t proc proc proc; mount -t sysfs sys sys; mount -t devtmpfs dev dev
mkdir -p dev/shm dev/pts dev/hugepages run/machine
mount -t tmpfs shm dev/shm; mount -t devpts pts dev/pts; mount -t hugetlbfs huge dev/hugepages
mount -t cgroup2 cgroup sys/fs/cgroup
echo always >sys/kernel/mm/transparent_hugepage/enabled # off by default below 512 MiB
for cpu in sys/devices/system/cpu/cpu*/online; do echo 1 >$cpu; done
hostname machine; ip link set lo up
p9 cache=none job run/machine
while read -r tag dir; do mkdir -p "./$dir"; p9 cache=mmap $tag "./$dir"; done <run/machine/rw
until set -- dev/vport*; [ $# = 2 ]; do sleep 0.01; done
mkfifo /1 /2; cat /1 >$1 & cat /2 >$2 &
chroot . /bin/sh /run/machine/job >/1 2>/2 </dev/null
rc=$?; wait; sync; echo $rc >run/machine/rc; poweroff -f
"""


@dataclasses.dataclass
class Topology:
    """cpus: CPUs of each node, 0 for a memory-only one. memless: nodes without memory. absent: nodes that the
    firmware knows and that are not plugged in, so that their numbers are a gap. dist: the
    firmware's distances. hmat: (latency in ns, bandwidth in MB/s) from each node with CPUs to each node.
    sockets: how many packages the nodes with CPUs form; each its own unless said."""
    cpus: list
    memless: list = dataclasses.field(default_factory=list)
    absent: list = dataclasses.field(default_factory=list)
    dist: list = dataclasses.field(default_factory=list)
    hmat: list = dataclasses.field(default_factory=list)
    sockets: int = 0
    about: str = ""


def topologies():
    data = json.loads((HERE / "topologies.json").read_text())
    return {name: Topology(**fields) for name, fields in data.items()}


def cache_of(kernel):
    default = pathlib.Path.home() / ".cache/nodewise-machines"
    root = pathlib.Path(os.environ.get("NODEWISE_MACHINES_CACHE", default))
    return root / hashlib.sha256(repr((KERNELS[kernel], MODULES, INIT)).encode()).hexdigest()[:12]


def call(*command, cwd=None):
    subprocess.check_call(command, cwd=cwd, stdout=sys.stderr)


def setup(kernel):
    """Installs what is missing; builds the kernel's boot files once."""
    if not (shutil.which("qemu-system-x86_64") and os.path.exists("/bin/busybox")):
        call("apt-get", "update", "-q")
        call("apt-get", "install", "-y", "-q", "--no-install-recommends",
             "qemu-system-x86", "busybox-static")
    cache = cache_of(kernel)
    cache.parent.mkdir(parents=True, exist_ok=True)
    with open(cache.parent / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # apt-get would refuse a second run beside the first
        if cache.exists():
            return
        with tempfile.TemporaryDirectory(dir=cache.parent, prefix="new.") as work:
            work = pathlib.Path(work)
            fetch_kernel(KERNELS[kernel], work)
            build_boot_files(work)
            (work / "out").rename(cache)


def why_not_bootable(*kernels):
    """Why machines cannot be booted here, in one line, or nothing. Sets up what is missing."""
    try:
        for kernel in kernels:
            setup(kernel)
    except (subprocess.CalledProcessError, OSError) as error:
        return f"machines of many nodes cannot be booted here: {error}"
    return ""


def fetch_kernel(meta_package, work):
    depends = subprocess.run(["apt-cache", "depends", meta_package], capture_output=True,
                             text=True).stdout
    if "linux-image" not in depends:
        call("apt-get", "update", "-q")
        depends = subprocess.check_output(["apt-cache", "depends", meta_package], text=True)
    package = next(line.split()[1] for line in depends.splitlines()
                   if "Depends: linux-image" in line)
    call("apt-get", "download", "-q", package, cwd=work)
    call("dpkg", "-x", str(next(work.glob("*.deb"))), str(work / "package"))


def load_order(package):
    """The modules needed, as {name: bytes}, each behind those that it says it depends on."""
    files = {p.name.split(".")[0]: p for p in package.glob("lib/modules/*/kernel/**/*.ko*")}
    order = {}

    def add(name):
        if name in order or name not in files:
            return
        data = files[name].read_bytes()
        data = lzma.decompress(data) if files[name].suffix == ".xz" else data
        depends = re.search(rb"\0depends=([^\0]*)\0", data)
        for other in depends.group(1).decode().split(",") if depends else []:
            add(other.replace("-", "_"))
        order[name] = data

    for name in MODULES:
        add(name)
    return order


def build_boot_files(work):
    root, out = work / "root", work / "out"
    for folder in ("bin", "m", "dev", "proc", "host", "rw", "root"):
        (root / folder).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    modules = load_order(work / "package")
    for name, data in modules.items():
        (root / "m" / f"{name}.ko").write_bytes(data)
    (root / "init").write_text(INIT.format(modules=" ".join(modules)))
    (root / "init").chmod(0o755)
    out.mkdir()
    shutil.copy(next(work.glob("package/boot/vmlinuz-*")), out / "vmlinuz")
    names = "\n".join(str(p.relative_to(root)) for p in sorted(root.rglob("*")))
    with open(out / "initrd", "wb") as initrd:
        subprocess.run(["/bin/busybox", "cpio", "-o", "-H", "newc"], cwd=root, input=names.encode(),
                       stdout=initrd, stderr=subprocess.DEVNULL, check=True)


def numa_arguments(t, mib):
    """The QEMU options that describe the processors, the memory and the nodes."""
    sockets = t.sockets or sum(c > 0 for c in t.cpus)
    with_memory = [node for node in range(len(t.cpus)) if node not in t.memless + t.absent]
    arguments = ["-machine", "q35,usb=off,vmport=off" + (",hmat=on" if t.hmat else ""),
                 "-smp", f"{cpus_at_start(t)},maxcpus={sum(t.cpus)},sockets={sockets},"
                 f"cores={sum(t.cpus) // sockets},threads=1", "-m", f"{mib * len(with_memory)}M"]
    first = 0
    for node, count in enumerate(t.cpus):
        options = f"node,nodeid={node}"
        if count:
            options += f",cpus={first}-{first + count - 1}"
        if node in with_memory:
            arguments += ["-object", f"memory-backend-ram,id=m{node},size={mib}M"]
            options += f",memdev=m{node}"
        if t.hmat:
            options += f",initiator={node if count else 0}"
        arguments += ["-numa", options]
        first += count
    for i, row in enumerate(t.dist):
        for j, distance in enumerate(row):
            arguments += ["-numa", f"dist,src={i},dst={j},val={distance}"]
    for i, row in enumerate(t.hmat):
        for j, (latency, bandwidth) in enumerate(row):
            lb = f"hmat-lb,initiator={i},target={j},hierarchy=memory,data-type=access-"
            arguments += ["-numa", f"{lb}latency,latency={latency}",
                          "-numa", f"{lb}bandwidth,bandwidth={bandwidth}M"]
    return arguments + plugged_in(t)


def cpus_at_start(t):
    """QEMU starts the first CPUs; those behind an absent node are plugged in beside them."""
    return sum(t.cpus[:min(t.absent, default=len(t.cpus))])


def plugged_in(t):
    """The CPUs behind an absent node, each node a socket."""
    behind = [node for node in range(min(t.absent, default=len(t.cpus)), len(t.cpus)) if node not in t.absent]
    return [word for node in behind for core in range(t.cpus[node])
            for word in ("-device", f"max-x86_64-cpu,socket-id={node},core-id={core},thread-id=0")]


def present_cpus(t):
    return sum(count for node, count in enumerate(t.cpus) if node not in t.absent)


def kvm_works():
    """/dev/kvm alone is no proof: without the processor's own support it interprets a stock kernel."""
    flags = next((line for line in open("/proc/cpuinfo") if line.startswith("flags")), "").split()
    return os.access("/dev/kvm", os.R_OK | os.W_OK) and ("vmx" in flags or "svm" in flags)


def share(path, tag, *options):
    extra = "".join("," + o for o in options)
    return ["-virtfs", f"local,path={path},mount_tag={tag},security_model=none,multidevs=remap{extra}"]


def qemu_command(topology, mib, kernel, job, writable, append, extra):
    kvm = kvm_works() and not extra
    cache = cache_of(kernel)
    return ["setpriv", "--pdeathsig", "KILL",  # QEMU must not outlive a killed script
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
            "-serial", f"file:{job}/console", *numa_arguments(topology, mib),
            *(["-accel", "kvm", "-cpu", "max"] if kvm else
              ["-accel", "tcg,thread=multi", "-cpu", "max,la57=off"]),
            "-kernel", str(cache / "vmlinuz"), "-initrd", str(cache / "initrd"), "-append",
            "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off nokaslr nowatchdog random.trust_cpu=on "
            f"tsc=reliable lpj=10000000 cpuhp.parallel=0 maxcpus=1 cryptomgr.notests "
            f"possible_cpus={present_cpus(topology)} {append}",
            *share("/", "host", "readonly=on"), *share(job, "job"),
            *(o for tag, path in writable for o in share(path, tag)),
            "-device", "virtio-serial-pci", *extra]


def write_job(job, command, prepare, writable):
    keep = {"OMP_WAIT_POLICY": "passive"} | {
        k: v for k, v in os.environ.items()
        if k in ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH") or k.startswith(("OMP_", "NODEWISE_"))}
    exports = "".join(f"export {k}={shlex.quote(v)}\n" for k, v in keep.items())
    complain = "echo 'machine: could not prepare: '"
    lines = "".join(f"{{ {line}\n}} || {{ {complain}{shlex.quote(line)} >&2; exit 125; }}\n"
                    for line in prepare)
    (job / "job").write_text(
        f"{exports}cd {shlex.quote(os.getcwd())} || exit 125\n{lines}exec {shlex.join(command)}\n")
    (job / "rw").write_text("".join(f"{tag} {path}\n" for tag, path in writable))


def pump(source, target):
    while data := os.read(source, 65536):
        try:
            target.write(data)
            target.flush()
        except BrokenPipeError:
            pass  # nobody reads: keep draining, or the guest would wait


class Died(Exception):
    """The guest ended before its job did: why, in one line, and what QEMU and the console said last."""

    def __init__(self, why, words):
        super().__init__(f"{why}\n{words}")
        self.why = why


def last_words(job):
    """Why a guest ended without an answer, and the last of what it said."""
    qemu, console = ((job / name).read_text(errors="replace") if (job / name).exists() else ""
                     for name in ("qemu", "console"))
    if not console and qemu:
        return f"QEMU could not start the machine: {qemu.strip().splitlines()[-1]}", qemu[-4000:]
    return "the emulated machine ended without an answer; more memory for its nodes may help", \
        qemu[-4000:] + console[-4000:]


def run(topology, command, *, mib=256, kernel="6.12", prepare=(), rw=(), append="", timeout=300,
        extra=(), stdout=None, stderr=None):
    """Boots, runs `command`, returns its exit code. `prepare`: shell lines run before, as root."""
    setup(kernel)
    stdout, stderr = stdout or sys.stdout.buffer, stderr or sys.stderr.buffer
    with tempfile.TemporaryDirectory(prefix="machine.") as job:
        job = pathlib.Path(job)
        writable = [(f"rw{i}", os.path.realpath(d)) for i, d in enumerate(rw)]
        write_job(job, command, prepare, writable)
        pipes = [os.pipe(), os.pipe()]
        qemu = qemu_command(topology, mib, kernel, job, writable, append, list(extra))
        for n, (_, end) in enumerate(pipes, 1):
            qemu += ["-chardev", f"file,id=c{n},path=/dev/fd/{end}",
                     "-device", f"virtserialport,chardev=c{n},nr={n}"]
        with open(job / "qemu", "wb") as own_words:
            machine = subprocess.Popen(qemu, stdin=subprocess.DEVNULL, stdout=own_words, stderr=own_words,
                                       pass_fds=[w for _, w in pipes])
        for _, w in pipes:
            os.close(w)
        pumps = [threading.Thread(target=pump, args=(r, out), daemon=True)
                 for (r, _), out in zip(pipes, (stdout, stderr))]
        for thread in pumps:
            thread.start()
        try:
            machine.wait(timeout)
        except subprocess.TimeoutExpired:
            print(f"machine: stopped after {timeout:g} s", file=sys.stderr)
            return 124
        finally:
            machine.kill()
            machine.wait()
            for thread in pumps:
                thread.join()
            for r, _ in pipes:
                os.close(r)
        if (job / "rc").exists():
            return int((job / "rc").read_text())
        raise Died(*last_words(job))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    known = topologies()
    parser.add_argument("--topology", choices=known, default="4x2", metavar="NAME")
    parser.add_argument("--kernel", choices=KERNELS, default="6.12")
    parser.add_argument("--mem", type=int, default=256, metavar="MIB", help="memory of each node (256)")
    parser.add_argument("--timeout", type=float, default=300, metavar="S", help="time limit in seconds (300)")
    parser.add_argument("--rw", action="append", default=[], metavar="DIR",
                        help="a directory that keeps what is written")
    parser.add_argument("--prepare", action="append", default=[], metavar="SH",
                        help="shell line run first, as root")
    parser.add_argument("--append", default="", metavar="ARGS", help="more kernel parameters")
    parser.add_argument("--setup", action="store_true", help="fetch what is needed, then stop")
    parser.add_argument("--list", action="store_true", help="name the topologies, then stop")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    a = parser.parse_args()
    if a.list:
        print("\n".join(f"{name:12} {t.about}" for name, t in known.items()))
        return 0
    if a.setup:
        setup(a.kernel)
        return 0
    command = a.command[1:] if a.command[:1] == ["--"] else a.command
    if not command:
        parser.error("a command is needed after --")
    try:
        return run(known[a.topology], command, mib=a.mem, kernel=a.kernel, prepare=a.prepare, rw=a.rw,
                   append=a.append, timeout=a.timeout)
    except Died as death:
        print(f"machine: {death}", file=sys.stderr)
        return 125


if __name__ == "__main__":
    sys.exit(main())
