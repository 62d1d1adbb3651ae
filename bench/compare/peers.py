"""Peers that are no C++ library: NumPy, PyTorch and likwid-bench, for the cases that a round measured."""
import importlib
import math
import os
import random
import re
import shutil
import statistics
import subprocess
import tempfile
import time

ENOUGH_SECONDS = float(os.environ.get("NODEWISE_BENCH_SECONDS", "0.05"))  # as the programs read it
LEAST = 3 if ENOUGH_SECONDS > 0 else 1
MOST_ELEMENTS, MOST_BATCHES = 1 << 21, 1000  # of which exact means are computed, as the programs do
EACH = 20000  # batches that the loop over batches goes through, of a million
CASE = re.compile(r"(means|batches)/dtype:(\w+)/(mib|rows):(\d+)/threads:(\d+)$")
FILE = re.compile(r"npy/pages:transparent/mib:(\d+)/threads:\d+$")
HANDOVER = re.compile(r"handover/mib:(\d+)$")
MIB = 1 << 20


def large_mib():
    """As the programs read it."""
    return int(os.environ.get("NODEWISE_BENCH_MIB", "256"))


def optional(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


numpy, torch, handover = optional("numpy"), optional("torch"), optional("handover")


def measured(work):
    """How many nanoseconds it takes, and what it gives."""
    given = work()
    times = []
    while sum(times) < ENOUGH_SECONDS * 1e9 or len(times) < LEAST:
        begin = time.perf_counter_ns()
        work()
        times.append(time.perf_counter_ns() - begin)
    return statistics.median(times), given


def numpy_type(dtype):
    """NumPy counts bytes where nodewise counts bits: f64 is its f8. It has no bfloat16: None."""
    return None if dtype == "bf16" else numpy.dtype(f"{dtype[0]}{int(dtype[1:]) // 8}")


def batches_of(match):
    """The same shape as the programs', batch by batch; or None for what NumPy has no type for."""
    what, dtype, _, size, _ = match.groups()
    if (element := numpy_type(dtype)) is None:
        return None
    if what == "means":
        shape = (int(size) // 4, 4 * MIB // element.itemsize)
    else:
        length = 16 * int(size)
        shape = (min(1000000, 4 * large_mib() * MIB // (length * element.itemsize)), length)
    generator = numpy.random.default_rng(7)
    if element.kind == "f":
        base = generator.standard_normal(1000003).astype(element)
    else:
        limits = numpy.iinfo(element)
        base = generator.integers(limits.min, limits.max, 1000003, dtype=element, endpoint=True)
    return numpy.resize(base, shape[0] * shape[1]).reshape(shape)


def numpy_ways(batches, match):
    """NumPy has one thread. Floats are added in their own type unless told otherwise."""
    if match[5] != "1":
        return {}
    ways = {"numpy_f64": lambda: batches.mean(axis=1, dtype=numpy.float64)}
    if batches.dtype.kind == "f" and batches.dtype.itemsize < 8:
        ways["numpy_float"] = lambda: batches.mean(axis=1)
    if match[1] == "batches":
        ways["numpy_each"] = lambda: [batch.mean() for batch in batches[:EACH]]
    return ways


def torch_ways(batches, match):
    if torch is None or match[2] not in ("f64", "f32"):
        return {}
    torch.set_num_threads(int(match[5]))
    tensor = torch.from_numpy(batches)
    ways = {"torch_f64": lambda: tensor.mean(dim=1, dtype=torch.float64)}
    if match[2] == "f32":
        ways["torch_float"] = lambda: tensor.mean(dim=1)
    return ways


def exact_means(batches):
    """Of the first batches; their lengths are powers of two, so that only the sums round."""
    some = batches[:max(1, min(MOST_BATCHES, MOST_ELEMENTS // batches.shape[1]))]
    return [math.fsum(batch.tolist()) / len(batch) for batch in some]


def error(means, exact):
    """The greatest one, in units in the last place of the exact mean as a double."""
    return max(abs(float(mean) - right) / math.ulp(right) for mean, right in zip(means, exact))


def likwid_load(match):
    """The time in which likwid-bench's load kernel reads as much, or None."""
    if match[1] != "means" or match[2] != "f64" or not shutil.which("likwid-bench"):
        return None
    command = ["likwid-bench", "-t", "load_avx", "-w", f"N:{match[4]}MB:{match[5]}",
               "-s", str(math.ceil(ENOUGH_SECONDS))]
    text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    rate = re.search(r"^MByte/s:\s*([\d.]+)", text, re.M)
    return int(match[4]) * MIB / (float(rate[1]) * 1e6) * 1e9 if rate else None


def np_load(mib):
    """The time of np.load, of a file that the page cache holds and that need not be written out any more."""
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        numpy.save(file, numpy.zeros((mib * MIB // 512, 128), "float32") + 1)
        file.flush()
        os.fsync(file.fileno())
        return measured(lambda: numpy.load(file.name))[0]


def add(case, ways, known, seed):
    """To the ways of a case: what the peers take; and to what is known of them: how wrong they are where
    floats may be added as floats."""
    if numpy and (match := FILE.match(case)):
        ways["np_load"] = np_load(int(match[1]))
    if handover and (match := HANDOVER.match(case)):
        ways.update(handover.ways(int(match[1]), measured))
    if not (match := CASE.match(case)):
        return
    if (load := likwid_load(match)) is not None:
        ways["likwid_load"] = load
    batches = batches_of(match) if numpy else None
    if batches is None:
        return
    work = {**numpy_ways(batches, match), **torch_ways(batches, match)}
    exact = exact_means(batches) if match[2] == "f32" else None
    for way in random.Random(seed).sample(sorted(work), len(work)):
        nanoseconds, means = measured(work[way])
        ways[way] = nanoseconds * (len(batches) / len(means) if way == "numpy_each" else 1)
        if exact:
            known[f"{case}/{way}"] = {"error": error(means, exact)}
