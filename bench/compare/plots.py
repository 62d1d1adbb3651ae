"""SVG plots of GB/s: by element type, by the size of what is read, and by threads."""
import re

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot  # noqa: E402  (the backend is chosen first)

from rounds import cases_of, fastest, median_of  # noqa: E402

KINDS = (("nodewise", ["nodewise"]), ("only reading", ["read_*"]), ("plain loop", ["omp_simd"]),
         ("NumPy", ["numpy_f64"]))


def kib_of(case):
    unit, size = re.search(r"/(kib|mib):(\d+)", case).groups()
    return int(size) << (10 if unit == "mib" else 0)


def speeds(rounds, pattern, key):
    """{kind: {key(match): GB/s}} of the cases that fit."""
    found = {}
    for match in filter(None, (re.fullmatch(pattern, case) for case in cases_of(rounds))):
        # In cache a case repeats its work until it has read 1 MiB.
        size = max(kib_of(match[0]), 1 << 10) << 10
        for kind, ways in KINDS:
            if way := fastest(rounds, match[0], ways):
                found.setdefault(kind, {})[key(match)] = size / median_of(rounds, match[0], way)
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
    found = {kind: values for kind, values in found.items() if len(values) > 1}
    if not found:
        return
    figure, axes = pyplot.subplots(figsize=(8, 4), layout="constrained")
    for kind, values in found.items():
        axes.plot(*zip(*sorted(values.items())), marker="o", label=kind)
    axes.set_xscale("log", base=2)
    save(figure, axes, folder, name, title, below)


def draw(rounds, folder):
    pyplot.rcParams["svg.hashsalt"] = "nodewise"  # the same figures give the same file
    for threads in (1, 2):
        found = speeds(rounds, rf"means/dtype:(\w+)/mib:\d+/threads:{threads}", lambda match: match[1])
        bars(found, folder, f"types-{threads}", f"Means of a large dataset, threads: {threads}",
             "element type")
    for dtype in ("f64", "f32"):
        sizes = rf"(cache|sizes)/dtype:{dtype}/[km]ib:\d+|means/dtype:{dtype}/mib:\d+/threads:1"
        found = speeds(rounds, sizes, lambda match: kib_of(match[0]))
        lines(found, folder, f"sizes-{dtype}", f"Means of {dtype}, one thread", "KiB")
        found = speeds(rounds, rf"means/dtype:{dtype}/mib:\d+/threads:(\d+)", lambda match: int(match[1]))
        lines(found, folder, f"threads-{dtype}", f"Means of a large dataset of {dtype}", "threads")
