"""The include ladder, as lib/README.md states it: a file may include only what stands on its own rung or
below it, and the tools only public headers."""
import re

ROW = re.compile(r"^\| `(\w+)(?:/|\.\*)` \|([^|]*)\|")
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.M)


class Ladder:
    """Rungs in order. A rung is a folder of lib/, or a file of its own; its row names its public headers."""

    def __init__(self, readme_text):
        rows = [row for row in map(ROW.match, readme_text.splitlines()) if row]
        self.rungs = [row[1] for row in rows] + ["tools"]
        self.headers = {name: row[1] for row in rows for name in re.findall(r"`([^`]+)`", row[2])}

    def rung_of(self, path):
        """None where no rung has `path`, which is below lib/, include/ or tools/."""
        top, *folders, name = path.split("/")
        if top == "tools":
            return "tools"
        rung = self.headers.get(name) if top == "include" else (folders or [name.split(".")[0]])[0]
        return rung if rung in self.rungs else None


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
            if path.startswith("tools/") and (target or "").startswith("lib/"):
                yield f"{path}: includes {included}, which is private to the library"
            if other is not None and ladder.rungs.index(other) > ladder.rungs.index(rung):
                yield f"{path}: includes {included}, which runs up the ladder: {rung} < {other}"
