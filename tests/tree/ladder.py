"""The include ladder, as lib/README.md states it: a file may include only what stands on its own rung or
below it."""
import re

ROW = re.compile(r"^\| (\w+) +\| ([^|]*?) +\|")
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.M)

# The one way up: the system is asked for descriptions of machines, so its seam names their plain type.
ALLOWED_UP = {("os", "topology")}


class Ladder:
    """Rungs in order, each with the names of its files: `pages` stands for pages.* and pages_*.*, `os/`
    for a folder."""

    def __init__(self, readme_text):
        rows = [row for row in map(ROW.match, readme_text.splitlines()) if row and row[1] != "rung"]
        self.rungs = [row[1] for row in rows]
        self.names = {name: row[1] for row in rows for name in re.findall(r"`([^`]+)`", row[2])}

    def rung_of(self, path):
        """None where no rung names `path`, which is below lib/, include/ or tools/."""
        top, *folders, name = path.split("/")
        if top == "tools":
            return self.names.get("tools/")
        if top == "lib" and folders:
            return self.names.get(folders[0] + "/")
        stem = name.split(".")[0]
        while stem not in self.names and "_" in stem:
            stem = stem.rpartition("_")[0]
        return self.names.get(stem)


def target_of(tree, path, bracket, included):
    """The file of ours that an include line of `path` names, or None."""
    if bracket == "<":
        return f"include/{included}" if included.startswith("nodewise/") else None
    beside = path.rpartition("/")[0] + "/" + included
    return next((found for found in (f"lib/{included}", beside) if found in tree), None)


def findings(tree):
    """`tree` maps each path to its text."""
    ladder = Ladder(tree.get("lib/README.md", ""))
    for path, text in sorted(tree.items()):
        if not re.match(r"(lib|include|tools)/.*\.[hc]pp$", path):
            continue
        rung = ladder.rung_of(path)
        if rung is None:
            yield f"{path}: on no rung of lib/README.md"
            continue
        for bracket, included in INCLUDE.findall(text):
            target = target_of(tree, path, bracket, included)
            other = ladder.rung_of(target) if target else rung
            if other is None or (rung, other) in ALLOWED_UP:
                continue
            if ladder.rungs.index(other) > ladder.rungs.index(rung):
                yield f"{path}: includes {included}, which runs up the ladder: {rung} < {other}"
