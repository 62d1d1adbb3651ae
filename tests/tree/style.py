#!/usr/bin/env python3
"""The rules of style that a machine can judge, over the whole tree: sizes of lines, functions and files,
the include ladder, names of files that do not exist, who may speak to the system, files that nothing uses,
words for unfinished work.

    style.py [ROOT]

Prints each finding as "path: what"; exits 1 if there is one.
"""
import ast
import pathlib
import re
import sys

import ladder

WIDTH = 110
FUNCTION_LINES = 70
FILE_LINES = 500
FOLDERS = ("include", "lib", "tests", "tools", "bench", "python", "docs")
CODE = re.compile(r"\.(cpp|hpp|h|py|sh)$|(^|/)meson\.build$|^tools/dev$")
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|un" r"implemented)\b|\bnot " r"implemented\b")
SYSTEM_HEADERS = re.compile(r"^((hwloc|numa)\w*|sched|unistd|fcntl|dlfcn|pthread|(hwloc|sys|linux)/.*)\.h$")
NAMED_FILE = re.compile(r"(?<![\w/.<>*-])(?:\.\.?/)*\w[\w.-]*(?:/\w[\w.-]*)*"
                        r"\.(?:cpp|hpp|py|md|sh)\b(?![\w/])")
ENDS_OR_PRINTS = re.compile(r"std::(cout|cerr|clog|terminate)\b"
                            r"|(?<!\w)(f?printf|f?puts|perror|abort|_?exit|quick_exit)\s*\(")


def read_tree(root):
    """Every file of code and every page, by path."""
    tree = {}
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.is_file() and (CODE.search(name) or name.endswith(".md")):
                tree[name] = path.read_text(encoding="utf-8")
    for path in sorted(root.glob("*.md")):
        tree[path.name] = path.read_text(encoding="utf-8")
    return tree


def without_comments(text):
    """C++ with comments, literals and preprocessor lines blanked, line by line where it was."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"'
        r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'|^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.S | re.M)
    return pattern.sub(lambda found: "\n" * found[0].count("\n") or " ", text)


def is_scope(head):
    """Whether a brace after `head` opens a namespace or a type, whose inside is not a function's."""
    while (shorter := re.sub(r"template\s*<[^<>]*>|<[^<>]*>", " ", head)) != head:
        head = shorter
    return "(" not in head and re.search(r"\b(namespace|class|struct|union|enum|extern)\b", head) is not None


def functions(text):
    """(first line, number of lines) of each function of C++, tables of data left out."""
    code = without_comments(text)
    scopes, start, depth = [], 0, 0  # depth counts the braces inside a function
    for place, char in enumerate(code):
        if depth == 0 and char in ";{}":
            head = code[start:place]
            if char == "{" and is_scope(head):
                scopes.append("{")
            elif char == "{":
                depth, data = 1, head.rstrip().endswith(("=", "]"))
                first = start + len(head) - len(head.lstrip())
            start = place + 1
        elif char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                start = place + 1
                if not data:
                    yield code.count("\n", 0, first) + 1, code.count("\n", first, place) + 1


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            yield node.lineno, node.end_lineno - node.lineno + 1


def lengths_of_functions(path, text):
    if path.endswith((".cpp", ".hpp")):
        return functions(text)
    return python_functions(text) if path.endswith(".py") else ()


def sizes(tree):
    for path, text in tree.items():
        if not CODE.search(path):
            continue
        lines = text.splitlines()
        if len(lines) > FILE_LINES:
            yield f"{path}: {len(lines)} lines; {FILE_LINES} are enough"
        for number, line in enumerate(lines, 1):
            if len(line) > WIDTH:
                yield f"{path}:{number}: {len(line)} columns; {WIDTH} are enough"
        for first, length in lengths_of_functions(path, text):
            if length > FUNCTION_LINES:
                yield f"{path}:{first}: a function of {length} lines; {FUNCTION_LINES} are enough"


def words(tree):
    for path, text in tree.items():
        for number, line in enumerate(text.splitlines(), 1):
            if found := UNFINISHED.search(line):
                yield f"{path}:{number}: {found[0]}: finish it, or leave it out"


def system(tree):
    """In the library only lib/os speaks to the system, and nothing prints or ends the process."""
    for path, text in tree.items():
        if not re.match(r"(lib|include)/.*pp$", path):
            continue
        for _, included in ladder.INCLUDE.findall(text):
            if SYSTEM_HEADERS.match(included) and not path.startswith("lib/os/"):
                yield f"{path}: includes {included}, which is for lib/os alone"
        for number, line in enumerate(without_comments(text).splitlines(), 1):
            if found := ENDS_OR_PRINTS.search(line):
                yield f"{path}:{number}: {found[0]}: the library neither prints nor ends the process"


def switch_of(code, place):
    """The switch around `place` in code without comments, from its word to its last brace."""
    begin = code.rfind("switch", 0, place)
    depth, end = 1, code.find("{", begin) + 1
    while depth > 0 and end < len(code):
        depth += {"{": 1, "}": -1}.get(code[end], 0)
        end += 1
    return code[begin:end]


def defaults(tree):
    """A `default:` hides from the compiler what a new enumerator forgets. Only switches over what is not an
    enumeration of ours may have one: numbers, characters, the constants of others (in capitals)."""
    for path, text in tree.items():
        if not re.match(r"(include|lib|tools|bench)/.*pp$", path):
            continue
        code = without_comments(text)
        for found in re.finditer(r"\bdefault\s*:", code):
            labels = re.findall(r"\bcase\b([^:]*(?:::[^:]*)*):(?!:)", switch_of(code, found.start()))
            if any(re.search(r"[a-z]", re.sub(r"\b\d\w*", "", label)) for label in labels):
                line = code.count("\n", 0, found.start()) + 1
                yield f"{path}:{line}: a default: in a switch over an enumeration; name every enumerator"


def public_enumerations(tree):
    """Each has a to_string in a public header, and stands in the list of tests/base/names_test.cpp."""
    public = {path: without_comments(text) for path, text in tree.items() if path.startswith("include/")}
    every = "".join(public.values())
    listed = tree.get("tests/base/names_test.cpp", "")
    for path, text in public.items():
        for name in re.findall(r"\benum\s+(?:class\s+)?(\w+)", text):
            if not re.search(rf"\bto_string\((\w+::)*{name}\b", every):
                yield f"{path}: enum {name} has no to_string"
            elif not re.search(rf"\b{name}\b", listed):
                yield f"{path}: enum {name} is not in the list of tests/base/names_test.cpp"


def names(tree, folder, path):
    """Whether the folder's meson.build names `path`, which is relative to it, with or without its ending."""
    return re.search(rf"'{path[:-4]}(\.[hc]pp)?'", tree.get(f"{folder}/meson.build", "")) is not None


def dead_files(tree):
    """A source file that no meson.build above it names, a header that none names and nothing includes."""
    included = {name.rpartition("/")[2] for text in tree.values() for _, name in ladder.INCLUDE.findall(text)}
    for path in tree:
        if not path.endswith("pp"):
            continue
        *folders, name = path.split("/")
        named = any(names(tree, "/".join(folders[:n]), "/".join(folders[n:] + [name]))
                    for n in range(1, len(folders) + 1))
        if not named and (path.startswith("include/") or not (name.endswith(".hpp") and name in included)):
            yield f"{path}: no meson.build names it"


def named_files(path, text):
    """(line, name) of each source file or page that a comment or a page names. Pages also name files of
    their readers', so there only what stands in a folder counts."""
    page = path.endswith(".md")
    comment = re.compile(r".*" if page else r"//.*" if path.endswith("pp") else r"(?:^|\s)# .*")
    for number, line in enumerate(text.splitlines(), 1):
        for part in comment.findall(line)[:1]:
            for found in NAMED_FILE.finditer(part):
                if not page or "/" in found[0]:
                    yield number, found[0]


def signposts(tree):
    """A comment or page that names a file of the tree names one that exists, from the root, from a folder
    above, or from a folder of sources."""
    ends = {"/".join(parts[n:]) for parts in (path.split("/") for path in tree) for n in range(len(parts))}
    for path, text in tree.items():
        for number, name in named_files(path, text):
            if re.sub(r"^(\.\.?/)+", "", name) not in ends:
                yield f"{path}:{number}: names {name}, which does not exist"


def included_files(tree, path, found):
    """Adds `path` and every header of lib/ that it includes, directly or not, to `found`."""
    if path not in tree or path in found:
        return
    found.add(path)
    for bracket, included in ladder.INCLUDE.findall(tree[path]):
        if bracket == '"':
            included_files(tree, f"lib/{included}", found)


def marked_sources(tree):
    """The crash test builds every source that has marks once more: one that is missing
    never kills a process at its marks, and the test waits for that in vain."""
    listed = tree.get("tests/crash/meson.build", "")
    for path in tree:
        if not re.match(r"lib/.*\.cpp$", path):
            continue
        included_files(tree, path, found := set())
        if "lib/base/mark.hpp" in found and f"'../../{path}'" not in listed:
            yield f"{path}: has marks, and tests/crash/meson.build does not name it"


RULES = (sizes, signposts, marked_sources, words, system, defaults, public_enumerations, dead_files,
         ladder.findings)


def findings(tree):
    return [finding for rule in RULES for finding in rule(tree)]


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]
    found = findings(read_tree(root))
    print("\n".join(found) or "style: no finding")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
