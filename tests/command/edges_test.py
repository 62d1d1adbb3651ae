"""Goal: at the edges of its process the command loses nothing, writes over nothing and ends as documented.
Method: it is started with closed and full streams, interrupted, and pointed at devices, pipes, links and
text that steers terminals; what is left in the folder and in /dev/shm is looked at."""
import os
import signal
import stat
import subprocess
import time
import unittest

from command import (COMMAND, DIGITS, OWN_PREFIX, SOURCE, Case, answer, closing, environment, nodewise,
                     on_a_terminal, own_files)

SMALL = ("--samples", 5, "--features", 2, "--dtype", "u8")
SMALL_BYTES = 138
LARGE = ("--bytes", "8GiB", "--features", "1", "--dtype", "u8")
SETS = 'cpuset="0x1" complete_cpuset="0x1" nodeset="0x1" complete_nodeset="0x1"'
MACHINE = f"""<topology version="2.0"><object type="Machine" os_index="0" {SETS} gp_index="1">
<object type="NUMANode" os_index="0" {SETS} gp_index="2" local_memory="1073741824"/>
<object type="PU" os_index="0" {SETS} gp_index="3"/>
<object type="Bridge" gp_index="5" bridge_type="0-1" depth="0" bridge_pci="0000:[00-05]">
<object type="PCIDev" gp_index="6" pci_busid="0000:00:02.0" pci_type="0200 [8086:1234] [8086:1234] 00">
<object type="OSDev" gp_index="7" name="NAME" osdev_type="2"/></object></object></object></topology>"""
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def started(*words, cwd=SOURCE):
    return subprocess.Popen([COMMAND, *map(str, words)], cwd=cwd, env=environment(), text=True,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Streams(Case):
    def ends_with_closed(self, descriptors, *words):
        return subprocess.run([COMMAND, *map(str, words)], cwd=SOURCE, env=environment(), timeout=120,
                              preexec_fn=closing(*descriptors)).returncode

    def test_what_is_printed_never_gets_into_a_file(self):
        for descriptors in ((0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)):
            path = self.folder / f"{len(descriptors)}-{descriptors[0]}.npy"
            code = self.ends_with_closed(descriptors, "generate", path, *SMALL)
            self.assertEqual((code, path.stat().st_size), (3 if 1 in descriptors else 0, SMALL_BYTES))

    def test_a_segment_is_whole_whatever_was_closed(self):
        name = OWN_PREFIX + "closed"
        self.addCleanup(nodewise, "segments", "remove", name)
        words = ("run", DIGITS, "--batch-size", 32, "--segment", name, "--keep")
        code = self.ends_with_closed((0, 1, 2), *words)
        self.assertEqual(code, 3)
        found = [s for s in answer("segments")["segments"] if s["name"] == name]
        self.assertEqual([s["state"] for s in found], ["published"])

    def test_output_that_is_lost_is_an_error_of_every_subcommand(self):
        plan = ("plan", DIGITS, "--batch-size", 9)
        for words in (("topology",), ("doctor",), ("segments",), ("--help",), ("--version",),
                      ("run", "--help"), plan, (*plan, "--save", "-"),
                      ("run", DIGITS, "--batch-size", 32),
                      ("placement", "--pid", os.getpid())):
            self.assertEqual(self.ends_with_closed((1,), *words), 3, words)
            with open("/dev/full", "w") as full:
                done = subprocess.run([COMMAND, *map(str, words)], stdout=full, stderr=subprocess.PIPE,
                                      text=True, cwd=SOURCE, env=environment())
            self.assertEqual(done.returncode, 3, words)
            self.assertRegex(done.stderr, r"\A[^\n]*ENOSPC[^\n]*\n\Z")


class Interrupts(Case):
    def test_run_leaves_no_segment_and_dies_by_the_signal(self):
        for number in INTERRUPTS:
            name = f"{OWN_PREFIX}{int(number)}"
            with started("run", DIGITS, "--batch-size", 32, "--segment", name, "--hold", 60) as run:
                self.assertIn("holding", run.stderr.readline())
                self.assertTrue(own_files(name))
                run.send_signal(number)
                err = run.communicate(timeout=60)[1]
            self.assertEqual(run.returncode, -number)
            self.assertRegex(err, r"\Anodewise run: interrupted by signal \d+ [^\n]*\n\Z")
            self.assertFalse(own_files(name))

    def test_generate_leaves_nothing(self):
        for number in INTERRUPTS:
            with started("generate", self.folder / "slow.npy", *LARGE) as writing:
                while not list(self.folder.iterdir()) and writing.poll() is None:
                    time.sleep(0.01)
                writing.send_signal(number)
                err = writing.communicate(timeout=60)[1]
            self.assertEqual((writing.returncode, list(self.folder.iterdir())), (-number, []))
            self.assertIn("interrupted", err)

    def test_a_loop_of_a_shell_ends(self):
        generate = f"'{COMMAND}' generate {self.folder}/$i.npy {' '.join(LARGE)}"
        line = f"for i in 1 2 3; do {generate}; done"
        with subprocess.Popen(["bash", "-c", line], start_new_session=True, env=environment(),
                              stderr=subprocess.DEVNULL) as shell:
            while not list(self.folder.iterdir()) and shell.poll() is None:
                time.sleep(0.01)
            os.killpg(shell.pid, signal.SIGINT)
            shell.wait(timeout=60)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_what_was_ignored_stays_ignored(self):
        words = [COMMAND, "run", DIGITS, "--batch-size", "32", "--hold", "0.5"]
        with subprocess.Popen(words, cwd=SOURCE, env=environment(), stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True,
                              preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as run:
            run.stderr.readline()
            run.send_signal(signal.SIGHUP)
            run.communicate(timeout=60)
        self.assertEqual(run.returncode, 0)


class Files(Case):
    def test_force_never_replaces_what_is_no_file_of_ours(self):
        before = os.stat("/dev/null")
        self.assertEqual(nodewise("generate", "/dev/null", *SMALL, "--force")[0], 0)
        self.assertEqual((os.stat("/dev/null").st_ino, stat.S_ISCHR(os.stat("/dev/null").st_mode)),
                         (before.st_ino, True))
        target, link = self.folder / "target", self.folder / "link"
        target.write_bytes(b"old")
        link.symlink_to(target)
        self.assert_fails(2, r"exists; --force", "generate", link, *SMALL)
        self.assertEqual(nodewise("generate", link, *SMALL, "--force")[0], 0)
        self.assertEqual((link.is_symlink(), target.stat().st_size), (True, SMALL_BYTES))
        other = self.folder / "other"
        os.link(target, other)
        self.assertEqual(nodewise("generate", target, *SMALL, "--seed", 1, "--force")[0], 0)
        self.assertEqual(target.read_bytes(), other.read_bytes())
        self.assert_fails(2, r"is a directory", "generate", self.folder, *SMALL, "--force")
        os.mkfifo(self.folder / "pipe")
        self.assert_fails(3, r"ENXIO", "generate", self.folder / "pipe", *SMALL, "--force")

    def test_what_is_replaced_keeps_its_mode(self):
        for words in (("generate", self.folder / "a.npy", *SMALL, "--force"),
                      ("plan", DIGITS, "--batch-size", 9, "--save", self.folder / "a.npy")):
            path = self.folder / "a.npy"
            path.write_bytes(b"old")
            path.chmod(0o640)
            self.assertEqual(nodewise(*words)[0], 0)
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o640)
            self.assertEqual(list(self.folder.iterdir()), [path])

    def test_a_dash_is_standard_output_and_nothing_else_goes_there(self):
        done = subprocess.run([COMMAND, "generate", "-", *map(str, SMALL)], capture_output=True,
                              env=environment())
        self.assertEqual((done.returncode, len(done.stdout)), (0, SMALL_BYTES))
        code, out, err = nodewise("plan", DIGITS, "--batch-size", 9, "--save", "-")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(out, nodewise("plan", DIGITS, "--batch-size", 9, "--json")[1])

    def test_a_name_that_cannot_be_is_bad_input_and_a_full_disk_is_the_machines_fault(self):
        save = ("plan", DIGITS, "--batch-size", 9, "--save")
        for code, path in ((2, "/nosuch/file"), (2, SOURCE / "LICENSE/below"), (2, "x" * 300),
                           (3, "/dev/full")):
            self.assertEqual(nodewise(*save, path)[0], code, path)
            self.assertEqual(nodewise("generate", path, *SMALL, "--force")[0], code, path)

    def test_reading_ends(self):
        os.mkfifo(self.folder / "pipe")
        for words in (("run", DIGITS, "--plan"), ("topology", "--topology")):
            self.assert_fails(2, r"more than 64 MiB|has no end", *words, "/dev/zero")
            self.assert_fails(2, r"g(a|i)ves? nothing", *words, self.folder / "pipe")
        saved = nodewise("plan", DIGITS, "--batch-size", 9, "--save", "-")[1]
        line = f"'{COMMAND}' run {DIGITS} --plan <(sleep 0.5; cat {self.folder}/plan) >/dev/null"
        (self.folder / "plan").write_text(saved)
        self.assertEqual(subprocess.run(["bash", "-c", line], cwd=SOURCE, env=environment()).returncode, 0)


class Words(Case):
    """What cannot be meant: one line with the word, the number and the remedy, and exit code 2."""

    def test_an_empty_text_is_not_taken_for_none(self):
        name = ("--samples", 4, "--features", 2, "--dtype", "u8", "--batch-size", 2)
        for flag, words in (("FILE", ("run", "", "--batch-size", 32)), ("FILE", ("plan", "", *name)),
                            ("FILE", ("generate", "", *SMALL)), ("--save", ("plan", *name, "--save", "")),
                            ("--plan", ("run", DIGITS, "--plan", "")),
                            ("--topology", ("topology", "--topology", "")),
                            ("--segment", ("run", DIGITS, "--batch-size", 32, "--segment", "")),
                            ("--segment", ("placement", "--segment", "")),
                            ("NAME", ("segments", "remove", ""))):
            self.assert_fails(2, rf"{flag}: the text is empty; ", *words)

    def test_nodes_and_weights_that_cannot_be(self):
        plan = ("plan", DIGITS, "--batch-size", 32)
        for nodes in ("0-99999999", "0-4294967295", "1024", "99999999999999999999"):
            self.assert_fails(2, rf'"{nodes}" is not a list .* from 0 to 1023', *plan, "--nodes", nodes)
        self.assert_fails(2, r"there is no node 1023 on this machine; it has ", *plan, "--nodes", "1023")
        for weights in ("0", "0,0", "-0"):
            self.assert_fails(2, rf'--weights: "{weights}" is not .* above 0', *plan, "--weights", weights)

    def test_a_dataset_is_no_pipe_or_device(self):
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        for path in (pipe, "/dev/zero", "/dev/null"):
            for command in ("run", "plan"):
                self.assert_fails(2, rf"{path} is a pipe or a device.* copy it",
                                  command, path, "--batch-size", 32)
        line = f"cat {DIGITS} | '{COMMAND}' run /dev/stdin --batch-size 32"
        done = subprocess.run(["bash", "-c", line], cwd=SOURCE, env=environment(),
                              capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertRegex(done.stderr, r"\A[^\n]*/dev/stdin is a pipe[^\n]*\n\Z")

    def test_variables_of_hwloc_that_it_would_ignore(self):
        for variable, value, why in (("HWLOC_XMLFILE", "-", "standard input"),
                                     ("HWLOC_SYNTHETIC", "foo:3", "refuses it"),
                                     ("HWLOC_SYNTHETIC", "", "refuses it")):
            for words in (("doctor",), ("topology",), ("run", DIGITS, "--batch-size", 32)):
                self.assert_fails(2, rf"{why}.* the variable {variable} or unset it", *words,
                                  env={variable: value})


class ForeignText(Case):
    STEERING = "a\033]0;b\007\r\u009b31m\u202ec"
    SHOWN = r"a\u001b]0;b\u0007\u000d\u009b31m\u202ec"

    def assert_clean(self, text):
        for character in "\033\007\r\u009b\u202e":
            self.assertNotIn(character, text)

    def test_names_of_files_and_devices(self):
        path = self.folder / f"{self.STEERING}.npy"
        path.write_bytes((SOURCE / DIGITS).read_bytes())
        for words in (("run", path, "--batch-size", 100), ("plan", path, "--batch-size", 100),
                      ("run", path, "--batch-size", 100, "--json")):
            out = nodewise(*words)[1]
            self.assert_clean(out)
            self.assertIn(self.SHOWN, out.replace(r"\r", r"\u000d"))  # which JSON writes shorter
        machine = self.folder / "machine.xml"
        machine.write_text(MACHINE.replace("NAME", self.STEERING.replace("\r", "")))
        out = nodewise("topology", "--topology", machine)[1]
        self.assert_clean(out)
        self.assertIn(r"nic a\u001b]0;b\u0007", out)

    def test_json_reads_back_as_it_was(self):
        path = self.folder / f"{self.STEERING}.npy"
        path.write_bytes((SOURCE / DIGITS).read_bytes())
        self.assertTrue(answer("run", path, "--batch-size", 100)["input"]["path"].endswith(path.name))

    def test_errors_and_processes(self):
        err = nodewise("run", self.STEERING, "--batch-size", 100)[2]
        self.assert_clean(err)
        self.assertIn(self.SHOWN, err)
        script = ("import ctypes; set_name = 15; "
                  f"ctypes.CDLL(None).prctl(set_name, {self.STEERING.encode()!r}); "
                  "print(flush=True); input()")
        with subprocess.Popen(["python3", "-c", script], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as named:
            named.stdout.readline()
            out = nodewise("placement", "--pid", named.pid)[1]
            named.communicate(b"\n")
        self.assert_clean(out)

    def test_variables_in_doctor(self):
        self.assert_clean(nodewise("doctor", env={"OMP_PLACES": self.STEERING})[1])

    def test_a_terminal_gets_the_commands_own_colours_alone(self):
        path = self.folder / f"{self.STEERING}.npy"
        path.write_bytes((SOURCE / DIGITS).read_bytes())
        shown, _ = on_a_terminal("run", path, "--batch-size", "100")
        self.assertIn("\033[32m", shown)
        self.assertNotIn("\033]", shown)
        self.assertIn(self.SHOWN, shown)


if __name__ == "__main__":
    unittest.main(verbosity=2)
