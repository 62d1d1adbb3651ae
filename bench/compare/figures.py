"""From the times of all rounds to bars, a table and plots."""
import fnmatch
import math
import re
import statistics

from rounds import cases_of, fastest, median_of, times_of

BEGIN = "<!-- compare.py writes from here -->"
END = "<!-- to here: compare.py -->"

# What grows, the cases with the size as their group, and the exponent that would be the limit.
GROWTH = (("a plan, by nodes", r"plan/growth/nodes:(\d+)", "at most 1"),
          ("a plan, by batches", r"plan/growth/batches:(\d+)", "0"),
          ("the mean of one batch of f64 in cache, by KiB", r"cache/dtype:f64/kib:(\d+)", "1"),
          ("the mean of one batch of f32 in cache, by KiB", r"cache/dtype:f32/kib:(\d+)", "1"),
          ("asking about reserved memory, by GiB", r"placement/reserved_gib:(\d+)", "1"),
          ("opening a segment and a view of it, by MiB", r"segment/open/mib:(\d+)", "0"),
          ("means of a large f64 dataset, by threads", r"means/dtype:f64/mib:\d+/threads:(\d+)",
           "-1, or that of the bound"))
ONCE_KIB = 1024  # a smaller batch is read again and again, up to so much


def bound(bar, rounds, case):
    """Whom a bar is beside; where there are two bounds, the slower one."""
    bounds = [fastest(rounds, case, bar[key]) for key in ("of", "or_of") if key in bar]
    return max(filter(None, bounds), key=lambda way: median_of(rounds, case, way), default=None)


def ratios(rounds, case, ours, other):
    pairs = zip(times_of(rounds, case, other), times_of(rounds, case, ours))
    return [theirs / mine for theirs, mine in pairs if theirs and mine]


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def verdict(bar, low, middle, high):
    if "at_most" in bar:
        return "pass" if middle <= bar["at_most"] else "touches" if low <= bar["at_most"] else "short"
    return "pass" if middle >= bar["at_least"] else "touches" if high >= bar["at_least"] else "short"


def judge(bar, rounds, known):
    """The rows of one bar: a case each."""
    rows = []
    for case in cases_of(rounds):
        if not fnmatch.fnmatchcase(case, bar["case"]) or fnmatch.fnmatchcase(case, bar.get("except", "")):
            continue
        ours = fastest(rounds, case, bar.get("ours", ["nodewise"]))
        if "figure" in bar or "at_most_ns" in bar:
            rows += judge_alone(bar, rounds, known, case, ours)
            continue
        other = bound(bar, rounds, case)
        values = ratios(rounds, case, ours, other) if ours and other else []
        if not values:
            continue
        if "at_most" in bar:  # such a bar is of our time in theirs
            values = [1 / value for value in values]
        low, middle, high = quartiles(values)
        rows.append({"what": bar["what"], "who": bar.get("ours", ["nodewise"])[0], "case": case,
                     "ours": median_of(rounds, case, ours), "other": other,
                     "low": low, "ratio": middle, "high": high,
                     "errors": [known.get(f"{case}/{way}", {}).get("error") for way in (ours, other)],
                     "bar": bar.get("at_least", bar.get("at_most")), "at_most": "at_most" in bar,
                     "verdict": verdict(bar, low, middle, high)})
    return rows


def judge_alone(bar, rounds, known, case, ours):
    """A bar of a figure or a time by itself, such as bytes of memory."""
    if "figure" in bar:
        value, most = known.get(f"{case}/{ours}", {}).get(bar["figure"]), bar["at_most"]
    else:
        value, most = median_of(rounds, case, ours), bar["at_most_ns"]
    if value is None:
        return []
    return [{"what": bar["what"], "who": "nodewise", "case": case, "ours": median_of(rounds, case, ours),
             "other": bar.get("figure", "nanoseconds"), "low": value, "ratio": value, "high": value,
             "errors": [None, None], "bar": most, "at_most": True,
             "verdict": "pass" if value <= most else "short"}]


def duration(nanoseconds):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.3g} ns"


def number(value):
    return f"{value:.2f}" if value < 1000 else f"{value:.0f}"


def exponent(points):
    """Of the power law that fits best: the slope of the logarithms."""
    xs, ys = [math.log(x) for x, _ in points], [math.log(y) for _, y in points]
    return statistics.linear_regression(xs, ys).slope


def growth(rounds):
    """Lines of a table: the exponent of each thing that grows."""
    lines = []
    for what, pattern, limit in GROWTH:
        points = []
        for case in cases_of(rounds):
            match = re.fullmatch(pattern, case)
            time = match and median_of(rounds, case, "nodewise")
            if not time:
                continue
            size = int(match[1])
            repeats = max(1, ONCE_KIB // size) if "/kib:" in case else 1
            points.append((size, time / repeats))
        if len(points) > 1:
            ends = f"{points[0][0]:g} to {points[-1][0]:g}"
            lines.append(f"| {what} | {ends} | {exponent(points):.2f} | {limit} |")
    return lines


def worst(rounds):
    """Of each figure the worst that a round had: of local and huge the least, of others the most."""
    kept = {}
    for known in rounds:
        for name, some in known.items():
            mine = kept.setdefault(name, {})
            for key, value in some.items():
                mine[key] = (min if key.startswith(("local", "huge")) else max)(mine.get(key, value), value)
    return kept


def residency(known):
    """A sentence: whether everything was local before and after it was measured, and what was least so; but
    for the variants, which are remote on purpose."""
    asked = {name: min(some["local_before"], some["local"]) for name, some in known.items()
             if "local_before" in some and not name.startswith("variants/")}
    if not asked:
        return "The kernel was not asked where the bytes were."
    least = min(sorted(asked), key=asked.get)
    if asked[least] == 1:
        return (f"In all {len(asked)} cases where the kernel was asked, every byte was on its reader's node "
                "before and after the measurement.")
    away = sum(local < 1 for local in asked.values())
    return (f"In {away} of {len(asked)} cases where the kernel was asked, some bytes were not on their "
            f"reader's node. The lowest fraction on it was {asked[least]:.4f}, in {least}.")


def rows_of_bar(rows):
    """Lines of a table, with errors where those of both are known."""
    erring = any(None not in row["errors"] for row in rows)
    lines = [f"| case | {rows[0]['who']} | compared with | ratio | quartiles | |"
             + " errors, in ulp |" * erring,
             "|---|--:|---|--:|---|---|" + "---|" * erring]
    for row in rows:
        ours, theirs = row["errors"]
        errors = "" if None in (ours, theirs) else f"ours {ours:.3g}, theirs {theirs:.3g}"
        lines.append(f"| {row['case']} | {duration(row['ours'])} | {row['other']} | {number(row['ratio'])} | "
                     f"{number(row['low'])} to {number(row['high'])} | {row['verdict']} |"
                     + f" {errors} |" * erring)
    return lines


def table(rows, result):
    about = result["machine"]
    described = ", ".join(f"{name}: {value}" for name, value in about.items())
    lines = [f"Measured in {len(result['rounds'])} rounds. {described}; load after: {result['load_after']}.",
             ""]
    context = next((c for c in result["contexts"].values() if c), {})
    lines += [f"nodewise {context.get('nodewise', '?')}; bounds and other packages: "
              f"{context.get('compiler', '?')}, {context.get('flags', '?')}. {residency(result['figures'])}",
              ""]
    for what in dict.fromkeys(row["what"] for row in rows):
        some = [row for row in rows if row["what"] == what]
        sign = "at most" if some[0]["at_most"] else "at least"
        lines += [f"**{what[0].upper()}{what[1:]}: {sign} {some[0]['bar']}**", "", *rows_of_bar(some), ""]
    if grown := growth(result["rounds"]):
        lines += ["**Growth: time as a power of size**", "",
                  "| time, by size | sizes | exponent | exponent of the limit |", "|---|---|--:|---|",
                  *grown, ""]
    counts = {v: sum(row["verdict"] == v for row in rows) for v in ("pass", "touches", "short")}
    lines.append(f"{len(rows)} figures: {counts['pass']} pass, {counts['touches']} touch their bar, "
                 f"{counts['short']} are short.")
    return "\n".join(lines) + "\n"


def write(page, text):
    """Between the markers of the page."""
    old = page.read_text(encoding="utf-8")
    head, _, rest = old.partition(BEGIN)
    _, _, tail = rest.partition(END)
    if not rest or END not in old:
        raise SystemExit(f"{page}: has no lines {BEGIN} and {END}")
    page.write_text(f"{head}{BEGIN}\n{text}{END}{tail}", encoding="utf-8")


def plot(rounds, folder):
    """GB/s by size, by element type and by threads."""
    try:
        import plots  # pylint: disable=import-outside-toplevel
    except ImportError:
        print("no plots: matplotlib is not installed (python3-matplotlib)")
        return
    folder.mkdir(parents=True, exist_ok=True)
    plots.draw(rounds, folder)
