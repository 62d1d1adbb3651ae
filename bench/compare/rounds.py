"""What the times of all rounds say of a case: its names in order, its medians, its fastest way."""
import fnmatch
import statistics


def cases_of(rounds):
    return sorted({case for times in rounds for case in times}, key=natural)


def natural(case):
    """So that kib:32 stands before kib:256."""
    return [int(part) if part.isdigit() else part for part in case.replace("/", ":").split(":")]


def times_of(rounds, case, way):
    """One for each round; None where a round has none."""
    return [times.get(case, {}).get(way) for times in rounds]


def median_of(rounds, case, way):
    known = [time for time in times_of(rounds, case, way) if time is not None]
    return statistics.median(known) if known else None


def fastest(rounds, case, patterns):
    """The way that fits a pattern and has the least median time; the same one in all rounds, for the best of
    each round would be a bound that nothing reaches."""
    ways = {way for times in rounds for way in times.get(case, {})
            if any(fnmatch.fnmatchcase(way, pattern) for pattern in patterns)}
    return min(sorted(ways), key=lambda way: median_of(rounds, case, way), default=None)
