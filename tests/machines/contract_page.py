"""Writes docs/placement-contract.md from what the worlds printed: contract_head.md, then for each world
what it promised, what was reported, and by which test.

    contract_page.py PAGE     fails where the page does not name exactly the worlds of worlds.json
"""
import json
import pathlib
import re
import sys

from worlds import WORLDS

HERE = pathlib.Path(__file__).resolve().parent
HEAD = HERE / "contract_head.md"
SHOWN = re.compile(r"^\[shown\] (.*)$", re.M)
CASE = re.compile(r"^[0-9.]+ s: (.*)$", re.M)
ABOUT_WORLDS = (
    "The name `4x2` means a machine with four nodes and two CPUs on each. Each row of the tables is a run of",
    "`nodewise run` on a dataset of 64 MiB. The columns are: the promise; how the run differs from a plain",
    "one (options, variables, calls and files that it lacks, commands that were run while it waited under",
    "`--hold`); and what it reported.")
WORLD = re.compile(r"^### `(.*)`: ", re.M)


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")


def machine(world):
    prepared = ", prepared by these commands:" if world.get("prepare") else "."
    return (f"Machine `{world['topology']}` with {world.get('mib', 384)} MiB on each node and "
            f"Linux {world.get('kernel', '6.12')}{prepared}")


def section(result):
    """A world: how it is made, and what was shown in it."""
    world = WORLDS[result.name]
    lines = [f"### `{result.name}`: {world['about']}", "", machine(world), ""]
    if world.get("prepare"):
        lines += ["```sh", *world["prepare"], "```", ""]
    cases = CASE.findall(result.text)
    if cases:
        lines += [f"Cases of the hardware tests that ran here: {len(cases)}.", ""]
    rows = [json.loads(line) for line in SHOWN.findall(result.text)]
    if rows:
        lines += ["| promise | run with | report |", "|---|---|---|"]
        lines += [f"| {cell(row['promise'])} | {cell(row['asked']) or 'no option'} | {cell(row['shown'])} |"
                  for row in rows]
        lines.append("")
    return lines


def text(results):
    lines = HEAD.read_text(encoding="utf-8").rstrip().splitlines() + [""]
    cases = {}
    for result in results:
        for case in CASE.findall(result.text):
            cases.setdefault(case, []).append(result.name)
    lines += ["## What the hardware tests show", "", "| case | worlds |", "|---|---|"]
    everywhere = max((len(names) for names in cases.values()), default=0)
    for case, names in cases.items():
        where = "every world with hardware tests" if len(names) == everywhere else ", ".join(names)
        lines.append(f"| {cell(case)} | {where} |")
    lines += ["", "## The worlds", "", *ABOUT_WORLDS, ""]
    for result in results:
        lines += section(result)
    return "\n".join(lines).rstrip() + "\n"


def main():
    named = WORLD.findall(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    wrong = sorted(set(named) ^ set(WORLDS))
    if wrong or len(named) != len(WORLDS):
        print(f"the page and worlds.json differ: {', '.join(wrong)}; run.py --all --contract writes it anew")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
