"""Goal: every subcommand ends as docs/command.md says, whatever happens to its process, and every exit code
is reached for each of the reasons that the page gives. Method: the page's two tables are read. A reason or an
event that no test here brings about fails, and so does one that the page does not list. With EXITS_OF=count,
the rows of `nodewise count`, which boots machines."""
import os
import pathlib
import re
import resource
import signal
import subprocess
import time
import unittest

from command import (COMMAND, DIGITS, OWN_PREFIX, SOURCE, Case, closing, environment, nodewise, own_files,
                     without)

PAGE = (SOURCE / "docs/command.md").read_text(encoding="utf-8")
ONLY_COUNT = os.environ.get("EXITS_OF") == "count"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SMALL = ("--samples", 5, "--features", 2, "--dtype", "u8")
LARGE = ("--bytes", "8GiB", "--features", 1, "--dtype", "u8")
RUN = ("run", DIGITS, "--batch-size", 32)
NAME = OWN_PREFIX + "exits"
SUBCOMMANDS = {
    "topology": [("topology",)],
    "plan": [("plan", DIGITS, "--batch-size", 32), ("plan", DIGITS, "--batch-size", 32, "--save", "-")],
    "run": [RUN],
    "generate": [("generate", "-", *SMALL)],
    "placement": [("placement", "--pid", os.getpid()), ("placement", "--segment", NAME)],
    "segments": [("segments",), ("segments", "list"), ("segments", "gc", "--prefix", NAME),
                 ("segments", "remove", NAME)],
    "doctor": [("doctor",)],
    "count": [("count", "--topology", "1x2", "--skip-boot", "--json", "--", "true")],
}


def table(first_heading):
    """The cells of the rows of the table whose first column has this heading."""
    lines = PAGE[PAGE.index(f"| {first_heading} |"):].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def started(words, **options):
    options = {"stdout": subprocess.DEVNULL, "env": environment()} | options
    return subprocess.Popen([COMMAND, *map(str, words)], cwd=SOURCE, stderr=subprocess.PIPE, text=True,
                            **options)


def ignore_signals():
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def few_open_files():
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300))


def small_files_only():
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


class FullPipe:
    """A pipe that takes no more, so that a process that writes to it waits."""

    def __init__(self):
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.writer, False)
        try:
            while True:
                os.write(self.writer, bytes(4096))
        except BlockingIOError:
            os.set_blocking(self.writer, True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for end in (self.reader, self.writer):
            if end is not None:
                os.close(end)

    def start(self, words, **options):
        process = started(words, stdout=self.writer, **options)
        os.close(self.writer)
        self.writer = None
        asleep = 0
        while asleep < 5 and process.poll() is None:  # a signal that comes earlier ends it in the same way
            state = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
            asleep = asleep + 1 if state == "S" else 0
            time.sleep(0.02)
        return process

    def drain(self):
        while os.read(self.reader, 65536):
            pass


class Events(Case):
    """A method for each row of the page's table of events. It gets one call of one subcommand, and gives how
    that ended, in the page's words."""

    def prepare(self, words):
        """Makes the segment that a call is about."""
        if NAME in words and words[0] != "run":
            nodewise(*RUN, "--segment", NAME, "--keep")

    def ended(self, words, **options):
        """How it ended, for ends by an exit code. Each failure prints one line."""
        self.prepare(words)
        with started(words, **options) as process:
            err = process.communicate(timeout=120)[1]
        if process.returncode != 0:
            self.assertRegex(err, r"\Anodewise[^\n]*\n\Z", words)
        return f"with {process.returncode}"

    def the_reader_goes_away(self, words):
        reader, writer = os.pipe()
        os.close(reader)
        try:
            return self.ended(words, stdout=writer)
        finally:
            os.close(writer)

    def output_is_closed(self, words):
        return self.ended(words, stdout=None, preexec_fn=closing(1))

    def output_is_full(self, words):
        with open("/dev/full", "w") as full:
            return self.ended(words, stdout=full)

    def other_streams_are_closed(self, words):
        self.prepare(words)
        codes = set()
        for descriptors in ((0, 2),) if ONLY_COUNT else ((0,), (2,), (0, 2)):  # a boot takes long
            self.prepare(words)
            done = subprocess.run([COMMAND, *map(str, words)], cwd=SOURCE, env=environment(), timeout=120,
                                  stdout=subprocess.DEVNULL, preexec_fn=closing(*descriptors))
            codes.add(done.returncode)
        return "as usual" if codes == {0} else str(codes)

    def a_file_is_too_large(self, words):
        too_large = ("generate", self.folder / "a.npy", *LARGE)
        words = (*RUN, "--segment", NAME) if words[0] == "run" else too_large
        how = self.ended(words, preexec_fn=small_files_only)
        self.assertEqual((list(self.folder.iterdir()), own_files()), ([], []))
        return how

    def begun(self, words):
        """One of the subcommands that clean up, while it has something to remove."""
        if words[0] == "run":
            process = started((*RUN, "--segment", NAME, "--hold", 60))
            self.assertIn("holding", process.stderr.readline())
            self.assertEqual(len(own_files()), 1)
            return process
        if words[0] == "generate":
            process = started(("generate", self.folder / "slow.npy", *LARGE))
        else:
            process = started((*words[:-1], "sleep", "1000"), env=environment(TMPDIR=str(self.folder)))
        while not list(self.folder.iterdir()) and process.poll() is None:
            time.sleep(0.01)
        return process

    def a_signal_while_something_is_to_be_removed(self, words):
        for number in SIGNALS:
            with self.begun(words) as process:
                process.send_signal(number)
                err = process.communicate(timeout=120)[1]
            self.assertEqual(process.returncode, -number, err)
            self.assertRegex(err, rf"\Anodewise {words[0]}: interrupted by signal {int(number)} [^\n]*\n\Z")
            self.assertEqual((list(self.folder.iterdir()), own_files()), ([], []))
        return "by the signal, but first"

    def a_second_signal(self, words):
        for number in SIGNALS:
            with FullPipe() as pipe:
                process = self.begun(words) if words[0] == "count" else pipe.start(words)
                with process:
                    until = time.monotonic() + 60
                    while process.poll() is None and time.monotonic() < until:
                        process.send_signal(number)
                        time.sleep(0.05)
                    process.kill()
                self.assertEqual(process.returncode, -number)
        return "by the signal, at once"

    def a_signal(self, words):
        for number in SIGNALS:
            self.prepare(words)
            with FullPipe() as pipe, pipe.start(words) as process:
                process.send_signal(number)
                process.wait(timeout=60)
            self.assertEqual(process.returncode, -number)
        return "by the signal, at once"

    def an_ignored_signal(self, words):
        self.prepare(words)
        with FullPipe() as pipe, pipe.start(words, preexec_fn=ignore_signals) as process:
            for number in SIGNALS:
                process.send_signal(number)
            pipe.drain()
            process.wait(timeout=120)
        return "as usual" if process.returncode == 0 else f"with {process.returncode}"

    def no_kernel_files(self, words):
        for folders in (("/proc",), ("/sys",)):
            if subprocess.run([*without(*folders), "true"], stderr=subprocess.DEVNULL).returncode != 0:
                self.skipTest("SKIP: no mount namespace without /proc or /sys can be had here")
        self.prepare(words)
        needs_proc = words[0] in ("placement", "count")
        done = subprocess.run([*without("/proc"), COMMAND, *map(str, words)], cwd=SOURCE, env=environment(),
                              stdout=subprocess.DEVNULL, timeout=120)
        self.assertEqual(done.returncode, 3 if needs_proc else 0)
        return "as usual, or with 3"

    EVENTS = {
        "the reader of its output stops reading, as in `nodewise run … \\| head`": the_reader_goes_away,
        "standard output is closed": output_is_closed,
        "standard output is full": output_is_full,
        "standard input or standard error is closed": other_streams_are_closed,
        "a file becomes larger than `ulimit -f` allows": a_file_is_too_large,
        "SIGINT, SIGTERM or SIGHUP": a_signal,
        "a second one of these signals": a_second_signal,
        "one of these signals that was ignored at the start, as by `nohup`": an_ignored_signal,
        "`/proc` or `/sys` is not mounted": no_kernel_files,
    }

    def test_every_event_in_every_subcommand_as_the_page_says(self):
        rows = table("what happens")
        self.assertEqual({row[0] for row in rows}, set(self.EVENTS))
        for event, which, how in rows:
            subcommands = SUBCOMMANDS if which == "all" else re.findall(r"`(\w+)`", which)
            bring_about = type(self).EVENTS[event]
            if event == "SIGINT, SIGTERM or SIGHUP" and "run" in subcommands:
                bring_about = type(self).a_signal_while_something_is_to_be_removed
            for subcommand in subcommands:
                if (subcommand == "count") != ONLY_COUNT:
                    continue
                for words in SUBCOMMANDS[subcommand]:
                    with self.subTest(event=event, words=words):
                        try:
                            ended = bring_about(self, words)
                        finally:
                            nodewise("segments", "remove", NAME)
                        self.assertEqual(ended, how[:len(ended)])

    def test_the_tables_have_every_signal_and_every_subcommand(self):
        self.assertEqual(set(re.findall(r"^## nodewise (\w+)", PAGE, re.M)), set(SUBCOMMANDS))
        listed = [re.findall(r"`(\w+)`", which) for event, which, _ in table("what happens")
                  if event == "SIGINT, SIGTERM or SIGHUP"]
        self.assertEqual(sorted(sum(listed, [])), sorted(SUBCOMMANDS))


@unittest.skipIf(ONLY_COUNT, "SKIP: these rows are tested without EXITS_OF=count")
class Codes(Case):
    """Each reason that the page's table of exit codes gives, brought about."""

    def setUp(self):
        super().setUp()
        self.elsewhere = self.folder / "elsewhere.json"
        nodewise("plan", DIGITS, "--batch-size", 32, "--topology", "numa:4 core:2 pu:1",
                 "--save", self.elsewhere)
        self.huge = self.folder / "huge.npy"  # a sparse file of 1 TiB
        header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({2**34}, 64), }}".ljust(117) + "\n"
        self.huge.write_bytes(b"\x93NUMPY\1\0\x76\0" + header.encode())
        os.truncate(self.huge, 128 + 2**40)

    def reasons(self):
        """(exit code, the page's reason): (what the error says, words, options)"""
        huge = ("run", self.huge, "--batch-size", 32)
        return {
            ("1", "`--binding required`"): (r"binding is `required`", (*huge, "--binding", "required"), {}),
            ("1", "`--fail-on`"): (r"--fail-on=note: ", ("doctor", "--fail-on=note"),
                                   {"preexec_fn": few_open_files}),
            ("2", "a flag"): (r"--speed", (*RUN, "--speed", 9), {}),
            ("2", "a file"): (r"nowhere.npy.*ENOENT", ("run", "nowhere.npy", "--batch-size", 32), {}),
            ("2", "a plan"): (r"LICENSE", ("run", DIGITS, "--plan", "LICENSE"), {}),
            ("2", "a topology"): (r"nonsense", ("topology", "--topology", "nonsense:3"), {}),
            ("3", "too little memory"): (r"needs 1 TiB", huge, {}),
            ("3", "a refused system call"): (r"ulimit -f", ("generate", self.folder / "a.npy", *LARGE),
                                             {"preexec_fn": small_files_only}),
            ("3", "a full disk"): (r"ENOSPC", ("generate", "/dev/full", *SMALL, "--force"), {}),
            ("3", "a plan for another machine"): (r"machine", ("run", DIGITS, "--plan", self.elsewhere), {}),
        }

    def test_every_reason_for_every_exit_code(self):
        self.assertEqual(nodewise(*RUN)[0], 0)
        listed = {(code, reason) for code, meaning in table("exit code") if ": " in meaning
                  for reason in meaning.split(": ")[1].split(", ")}
        reasons = self.reasons()
        # On a machine with one node all is local. tests/machines holds this row against real kernels.
        contract = (SOURCE / "docs/placement-contract.md").read_text(encoding="utf-8")
        self.assertRegex(contract, r"\| `--require-local [\d.]+`[^|]*\| exit code 1: ")
        self.assertEqual(listed, {*reasons, ("1", "`--require-local`")})
        for (code, reason), (pattern, words, options) in reasons.items():
            with self.subTest(code=code, reason=reason):
                got, _, err = nodewise(*words, **options)
                self.assertEqual(str(got), code, err)
                self.assertRegex(err, r"\A[^\n]+\n\Z")
                self.assertRegex(err, pattern)


if __name__ == "__main__":
    unittest.main(verbosity=2)
