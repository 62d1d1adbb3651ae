"""SVG plots of GB/s: by element type, by the size of what is read, and by threads."""
import re

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot  # noqa: E402  (the backend is chosen first)

from figures import cases_of, fastest, median_of  # noqa: E402

KINDS = (("nodewise", ["nodewise"]), ("only reading", ["read_*"]), ("plain loop", ["omp_simd"]),
         ("NumPy", ["numpy_f64"]))


def speeds(rounds, pattern, key):
    """{kind: {key: GB/s}} of the cases that fit; the pattern has groups `key` and `bytes`."""
    found = {}
    for case in cases_of(rounds):
        match = re.fullmatch(pattern, case)
        if not match:
            continue
        unit = 1 << (20 if "/mib:" in case else 10)
        for kind, ways in KINDS:
            way = fastest(rounds, case, ways)
            if way:
                # In cache a case repeats its work until it has read 1 MiB.
                size = max(int(match["bytes"]) * unit, 1 << 20)
                found.setdefault(kind, {})[match[key]] = size / median_of(rounds, case, way)
    return found


def save(figure, axes, folder, name, title, below):
    axes.set(title=title, xlabel=below, ylabel="GB/s", ylim=(0, None))
    axes.legend()
    axes.grid(axis="y", alpha=0.3)
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    pyplot.close(figure)


def bars(found, folder, name, title, below):
    if not found:
        return
    figure, axes = pyplot.subplots(figsize=(8, 4), layout="constrained")
    labels = list(next(iter(found.values())))
    width = 0.8 / len(found)
    for i, (kind, values) in enumerate(found.items()):
        axes.bar([x + i * width for x in range(len(labels))], [values.get(label, 0) for label in labels],
                 width, label=kind)
    axes.set_xticks([x + 0.4 - width / 2 for x in range(len(labels))], labels)
    save(figure, axes, folder, name, title, below)


def lines(found, folder, name, title, below):
    if not found:
        return
    figure, axes = pyplot.subplots(figsize=(8, 4), layout="constrained")
    for kind, values in found.items():
        points = sorted((int(size), speed) for size, speed in values.items())
        axes.plot([size for size, _ in points], [speed for _, speed in points], marker="o", label=kind)
    axes.set_xscale("log", base=2)
    save(figure, axes, folder, name, title, below)


def draw(rounds, folder):
    pyplot.rcParams["svg.hashsalt"] = "nodewise"  # the same figures give the same file
    for threads in (1, 2):
        pattern = rf"means/dtype:(?P<dtype>\w+)/mib:(?P<bytes>\d+)/threads:{threads}"
        bars(speeds(rounds, pattern, "dtype"), folder, f"types-{threads}",
             f"Means of a large dataset, threads: {threads}", "element type")
    for dtype in ("f64", "f32"):
        lines(speeds(rounds, rf"cache/dtype:{dtype}/kib:(?P<bytes>\d+)", "bytes"), folder, f"sizes-{dtype}",
              f"Mean of one batch of {dtype}, one thread", "KiB")
