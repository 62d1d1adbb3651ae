#!/usr/bin/env python3
"""Goal: a reader finds every page and every environment variable, and no link or path leads nowhere. Method:
docs/README.md is held against the pages of the tree, docs/environment.md against the variables that the code
reads; each link is followed, with its heading, and each path of a file of the tree is looked up.
"""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "lib").rglob("*.md"),
                *(ROOT / "tests").glob("*/README.md")])
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([\w-]+))?\)")
# Names that are read from the environment as they stand in the code, by C++, Python and the shell.
READ = re.compile(r"""(?:getenv|from_environment<?\w*>?|number_from|variable|is_set|environ\.get)"""
                  r"""\(\s*"([A-Z_]+)\"""")
PATH = re.compile(r"`(?!build/)((?:\.\./)*[\w./-]+/[\w.-]+\.(?:cpp|hpp|py|sh|md|json|txt|in|build))`")
INSIDE = {"PATH"}  # `nodewise count` looks for its program there, as any shell does


def anchors(page):
    """The names that a page's headings have in links, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


class Docs(unittest.TestCase):
    def test_the_index_names_every_page(self):
        index = ROOT / "docs" / "README.md"
        links = LINK.findall(index.read_text(encoding="utf-8"))
        named = {(index.parent / target).resolve() for target, _ in links}
        self.assertEqual({page for page in PAGES if page != index} - named, set())

    def test_every_link_leads_somewhere(self):
        seen = 0
        for page in PAGES:
            for target, heading in LINK.findall(page.read_text(encoding="utf-8")):
                seen += 1
                there = (page.parent / target).resolve() if target else page
                with self.subTest(page=page.name, link=f"{target}#{heading}"):
                    self.assertTrue(there.exists())
                    if heading:
                        self.assertIn(heading, anchors(there))
        self.assertGreater(seen, 50)

    def test_every_path_of_the_tree_exists(self):
        seen = 0
        for page in PAGES:
            for path in PATH.findall(page.read_text(encoding="utf-8")):
                seen += 1
                with self.subTest(page=page.name, path=path):
                    folders = (ROOT, page.parent, ROOT / "include")
                    self.assertTrue(any((folder / path).exists() for folder in folders))
        self.assertGreater(seen, 30)

    def test_every_variable_is_on_its_page(self):
        sources = [path for folder in ("lib", "tools", "bench") for path in (ROOT / folder).rglob("*")
                   if path.suffix in (".cpp", ".hpp", ".py")]
        read = {name for path in sources for name in READ.findall(path.read_text(encoding="utf-8"))}
        self.assertLessEqual({"NODEWISE_WORKERS", "NODEWISE_PAGES", "NODEWISE_BINDING", "NODEWISE_REPORT",
                              "NO_COLOR", "OMP_NUM_THREADS", "NODEWISE_BENCH_MIB"}, read)
        page = (ROOT / "docs" / "environment.md").read_text(encoding="utf-8")
        self.assertEqual({name for name in read - INSIDE if f"`{name}" not in page}, set())


if __name__ == "__main__":
    unittest.main(verbosity=2)
