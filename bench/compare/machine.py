"""What the machine is, for the record beside every figure."""
import os
import pathlib
import platform
import re
import shutil
import subprocess


def read(path):
    try:
        return pathlib.Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return None


def load():
    return round(os.getloadavg()[0], 2)


def environment():
    """Without what would pin or limit threads behind our back."""
    return {name: value for name, value in os.environ.items()
            if not name.startswith(("OMP_", "GOMP_", "KMP_", "NODEWISE_WORKERS"))}


def lscpu():
    if not shutil.which("lscpu"):
        return {}
    text = subprocess.run(["lscpu"], capture_output=True, text=True, check=False,
                          env={**os.environ, "LC_ALL": "C"}).stdout
    wanted = ("Model name", "CPU(s)", "Core(s) per socket", "Socket(s)", "NUMA node(s)", "L1d cache",
              "L2 cache", "L3 cache", "Hypervisor vendor")
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs if name.strip() in wanted}


def topology():
    """Each NUMA node: its CPUs, its memory and its distances, as the kernel shows them."""
    nodes = []
    for folder in pathlib.Path("/sys/devices/system/node").glob("node[0-9]*"):
        memory = re.search(r"MemTotal:\s*(\d+) kB", read(folder / "meminfo") or "")
        nodes.append({"node": int(folder.name[4:]), "cpus": read(folder / "cpulist"),
                      "memory_kib": int(memory[1]) if memory else None,
                      "distances": [int(distance) for distance in (read(folder / "distance") or "").split()]})
    return sorted(nodes, key=lambda node: node["node"])


def describe():
    huge = re.search(r"\[(\w+)\]", read("/sys/kernel/mm/transparent_hugepage/enabled") or "")
    return {**lscpu(), "kernel": platform.release(), "transparent huge pages": huge[1] if huge else "none",
            "AutoNUMA": read("/proc/sys/kernel/numa_balancing") or "none",
            "governor": read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or "not shown",
            "load before": load()}
