#!/usr/bin/env python3
"""Goal: what lies in shared memory is shown as it is, a look changes nothing, and what goes is what nobody
will miss. Method: real segments of real processes, held, kept, killed, damaged, of names that no other test
has; collecting only where /dev/shm is a folder of the test's own, as others' segments are there too."""
import contextlib
import fcntl
import os
import pathlib
import re
import resource
import shutil
import struct
import subprocess
import tempfile
import time
import unittest
import zlib

from command import (COMMAND, DIGITS, DOCKER_FILTER, OWN_PREFIX, SOURCE, Case, answer, environment, nodewise,
                     remove_openmp_file)

DIGITS_BYTES = 1797 * 64
RUN = ("run", DIGITS, "--batch-size", "100", "--workers", "1")
# A mount namespace in which the first folder is what is seen at the second.
ELSEWHERE = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
             'mount --bind "$0" "$1" && shift && exec "$@"']


def listed(name, **options):
    """What the list says of one segment; nothing where it is not there."""
    rows = [row for row in answer("segments", **options)["segments"] if row["name"] == name]
    return rows[0] if rows else None


def bytes_seen(row):
    """Of its data, those in memory; of some the kernel may hide where."""
    return sum(node["bytes"] for node in row["nodes"]) + row["unknown_bytes"]


def change_header(path, offset, form, value):
    """Another value for a field, and the checksum that goes with it."""
    whole = bytearray(path.read_bytes())
    size, = struct.unpack_from("=I", whole, 40)
    struct.pack_into(form, whole, offset, value)
    struct.pack_into("=I", whole, 44, 0)
    struct.pack_into("=I", whole, 44, zlib.crc32(whole[:size]))
    path.write_bytes(whole)


def works(under):
    return subprocess.run([*under, "true"], stderr=subprocess.DEVNULL).returncode == 0


class SegmentCase(Case):
    def setUp(self):
        super().setUp()
        self.name = f"{OWN_PREFIX}{self._testMethodName[-60:]}"
        self.path = pathlib.Path(f"/dev/shm/nodewise.{os.getuid()}.{self.name}")
        self.addCleanup(self.path.unlink, missing_ok=True)

    @contextlib.contextmanager
    def held(self, *, under=(), name=None, seconds="60"):
        """A run that has the segment, until it is left."""
        words = [*under, COMMAND, *RUN, "--segment", name or self.name, "--hold", seconds]
        with subprocess.Popen(words, cwd=SOURCE, env=environment(), stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True) as run:
            try:
                wanted = re.escape(name or self.name)
                self.assertRegex(run.stderr.readline(), rf"look with: \S+ placement --segment {wanted}\n")
                yield run
            finally:
                run.kill()
                run.wait()
                remove_openmp_file(run.pid)

    def leave(self, **options):
        """What a killed process leaves."""
        with self.held(**options):
            pass

    def keep(self, *, name=None, **options):
        return answer(*RUN, "--segment", name or self.name, "--keep", **options)


class Segments(SegmentCase):
    def test_what_one_terminal_holds_another_sees(self):
        with self.held() as run:
            row = listed(self.name)
            code, out, err = nodewise("placement", "--segment", self.name)
            placement = answer("placement", "--segment", self.name)
            self.assertEqual(listed(self.name)["attached"], 1)
        self.assertEqual(list(row), ["name", "path", "state", "fault", "bytes", "held", "attached", "kind",
                                     "owner", "created_ns", "age_seconds", "kept", "origin", "dataset",
                                     "nodes", "absent_bytes", "unknown_bytes"])
        self.assertEqual((row["path"], row["state"], row["fault"]), (str(self.path), "published", None))
        self.assertEqual((row["kind"], row["kept"]), ("dataset", False))
        self.assertEqual((row["held"], row["attached"]), (True, 1))
        self.assertEqual(row["owner"], {"pid": run.pid, "uid": os.getuid(), "state": "alive"})
        self.assertLess(row["age_seconds"], 60)
        source = SOURCE / DIGITS
        self.assertEqual(row["origin"]["name"], str(source.resolve()))
        for digest in ("state", "content"):
            self.assertRegex(row["origin"][digest], "^[0-9a-f]{32}$")
        self.assertEqual(row["dataset"],
                         {"samples": 1797, "features": 64, "dtype": "u8", "batch_size": 100,
                          "layout": "rows"})
        self.assertGreaterEqual(bytes_seen(row), DIGITS_BYTES)
        self.assertLess(bytes_seen(row) + row["absent_bytes"], row["bytes"])  # the header is not counted
        self.assertEqual(placement["schema"], "nodewise.placement/1")
        self.assertEqual((placement["planned_bytes"], placement["absent_bytes"]), (DIGITS_BYTES, 0))
        self.assertEqual((code, err), (0, ""))
        for pattern in (rf"^Data +segment {re.escape(self.name)}: 1797 samples x 64 features .* of 100$",
                        r"^Segment +.*, removed when the last process closes it$", r"^node \d+ +batch(es)? 0",
                        r"^bytes on +planned +local", r"^Verdict +\S"):
            self.assertRegex(out, re.compile(pattern, re.M))

    def test_it_goes_with_its_run(self):
        with self.held(seconds="1") as run:
            self.assertTrue(self.path.exists())
            run.wait(60)
            self.assertEqual((run.returncode, self.path.exists()), (0, False))

    def test_kept_it_stays_until_it_is_removed(self):
        self.assertEqual(self.keep()["segment"], {"name": self.name, "path": str(self.path), "kept": True})
        self.assert_fails(2, rf'the name "{re.escape(self.name)}" .* is taken', *RUN, "--segment", self.name)
        placement = answer("placement", "--segment", self.name)
        self.assertEqual(placement["planned_bytes"], DIGITS_BYTES)
        row = listed(self.name)
        self.assertEqual((row["kept"], row["attached"], row["owner"]["state"]), (True, 0, "dead"))
        out = nodewise("segments", "remove", self.name)[1]
        self.assertRegex(out, rf"\Aremoved {re.escape(self.name)} \(\d+ KiB\)\n\Z")
        self.assertFalse(self.path.exists())
        self.assert_fails(2, r"there is no segment", "segments", "remove", self.name)

    def test_without_a_segment_nothing_is_said_of_one(self):
        self.assertNotIn("segment", answer(*RUN))
        self.assertNotIn("Segment", nodewise(*RUN)[1])

    def test_who_has_what_is_removed_keeps_it(self):
        with self.held() as run:
            out = nodewise("segments", "remove", self.name)[1]
            self.assertIn("processes that have it open keep its memory", out)
            self.assertIsNone(listed(self.name))
            self.assertIsNone(run.poll())

    def test_a_look_takes_nothing_away(self):
        self.leave()
        for look in (("segments",), ("segments", "list"), ("placement", "--segment", self.name),
                     ("segments", "gc", "--dry-run"), ("doctor",)):
            self.assertEqual(nodewise(*look)[0], 0)
            self.assertTrue(self.path.exists(), look)
        row = listed(self.name)
        self.assertEqual((row["owner"]["state"], row["attached"], row["held"]), ("dead", 0, False))
        self.assertGreaterEqual(bytes_seen(row), DIGITS_BYTES)
        found = answer("segments", "gc", "--dry-run")
        self.assertTrue(found["dry_run"])
        self.assertIn(self.name, [removed["name"] for removed in found["removed"]])
        self.assertNotIn(self.name, [left["name"] for left in found["left"]])
        self.assertRegex(nodewise("segments")[1], r"\nNext\n .* segments gc\n")

    def test_a_segment_of_another_kind(self):
        self.keep()
        change_header(self.path, 48, "=I", 1)
        row = listed(self.name)
        self.assertEqual((row["kind"], row["dataset"], row["state"]), ("objects", None, "published"))
        self.assertGreaterEqual(bytes_seen(row), DIGITS_BYTES)
        self.assert_fails(2, r"of kind objects, not a dataset", "placement", "--segment", self.name)
        nodewise("segments", "remove", self.name)
        self.assertFalse(self.path.exists())

    def test_where_single_pages_cannot_be_asked_about_none_is_called_absent(self):
        if nodewise("--version", under=DOCKER_FILTER)[0] == 125:
            self.skipTest("SKIP: this kernel takes no seccomp filter")
        self.keep()
        row = listed(self.name, under=DOCKER_FILTER)
        self.assertEqual(row["absent_bytes"], 0)
        self.assertGreaterEqual(bytes_seen(row), DIGITS_BYTES)
        placement = answer("placement", "--segment", self.name, under=DOCKER_FILTER)
        self.assertEqual((placement["asking_rung"], placement["absent_bytes"]), ("numa_maps", 0))

    def test_a_damaged_one_is_shown_and_can_be_removed(self):
        self.path.write_bytes(b"\033[31mred" * 100)
        row = listed(self.name)
        self.assertEqual((row["state"], row["kind"], row["owner"], row["nodes"]),
                         ("damaged", None, None, None))
        self.assertIn("is no segment: it begins with", row["fault"])
        out = nodewise("segments")[1]
        self.assertRegex(out, rf'\nDamaged  "{re.escape(self.name)}" is no segment')
        self.assertNotIn("\033", out)
        self.assert_fails(2, r"is no segment", "placement", "--segment", self.name)
        left = {left["name"]: left["reason"] for left in answer("segments", "gc", "--dry-run")["left"]}
        self.assertEqual(left[self.name], "damaged")
        self.assertEqual(nodewise("segments", "remove", self.name)[0], 0)
        self.assertFalse(self.path.exists())

    def test_one_that_is_being_made_and_one_that_never_was_finished(self):
        self.path.write_bytes(bytes(4096))
        with open(self.path, "rb") as file:
            holder = struct.pack("@hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, 1, 1, 0)
            fcntl.fcntl(file, 37, holder)  # F_OFD_SETLK
            self.assertEqual(listed(self.name)["state"], "being_made")
            self.assertRegex(nodewise("segments")[1], rf"{re.escape(self.name)} +being made +4 KiB +- ")
        self.assertEqual(listed(self.name)["state"], "unfinished")
        found = [removed["name"] for removed in answer("segments", "gc", "--dry-run")["removed"]]
        self.assertIn(self.name, found)
        self.assertEqual(nodewise("segments", "remove", self.name)[0], 0)

    def test_whether_a_maker_of_another_pid_namespace_lives_is_not_known(self):
        under = ["unshare", "--user", f"--map-user={os.getuid()}", "--pid", "--fork", "--kill-child"]
        if not works(under):
            self.skipTest("SKIP: no pid namespace can be had here")
        self.leave(under=under)
        deadline = time.monotonic() + 60
        while listed(self.name)["held"] and time.monotonic() < deadline:
            time.sleep(0.05)  # the child ends after its parent
        self.assertEqual(listed(self.name)["owner"]["state"], "unknown")
        left = {left["name"]: left["reason"] for left in answer("segments", "gc", "--dry-run")["left"]}
        self.assertEqual(left[self.name], "maker_unknown")


class Collecting(SegmentCase):
    """In a mount namespace, alone with its segments."""

    def setUp(self):
        super().setUp()
        self.shm = pathlib.Path(tempfile.mkdtemp(prefix=OWN_PREFIX, dir="/dev/shm"))
        self.addCleanup(shutil.rmtree, self.shm)
        self.under = [*ELSEWHERE, str(self.shm), "/dev/shm"]
        if not works(self.under):
            self.skipTest("SKIP: no mount namespace can be had here")

    def names(self):
        return sorted(path.name.removeprefix("nodewise.0.") for path in self.shm.iterdir())

    def collect(self, *words):
        found = answer("segments", "gc", *words, under=self.under)
        self.assertEqual(found["removed_bytes"], sum(removed["bytes"] for removed in found["removed"]))
        return ([removed["name"] for removed in found["removed"]],
                {left["name"]: left["reason"] for left in found["left"]})

    def test_what_nobody_will_miss_goes_and_the_rest_stays_for_a_reason(self):
        self.leave(under=self.under, name="orphan")
        self.keep(under=self.under, name="kept")
        (self.shm / "nodewise.0.damaged").write_bytes(b"nonsense")
        (self.shm / "nodewise.0.unfinished").write_bytes(bytes(4096))
        (self.shm / "nodewise.7.other").write_bytes(bytes(4096))
        everything = self.names()
        stays = {"damaged": "damaged", "held": "in_use", "kept": "kept"}
        with self.held(under=self.under, name="held"):
            evidence = self.shared_memory()
            self.assertEqual(evidence["level"], "note")
            self.assertRegex(evidence["evidence"], r"5 segments of yours with \d+ KiB; dead processes left 2")
            self.assertEqual(evidence["remedy"], "nodewise segments gc")
            shown = nodewise("segments", "gc", "--dry-run", under=self.under)[1]
            self.assertRegex(shown, r"(?m)^would remove orphan \(\d+ KiB\): its maker, process \d+, is d")
            self.assertRegex(shown, r"(?m)^2 segments would be removed, \d+ KiB to be freed$")
            self.assertEqual(self.collect("--dry-run"), (["orphan", "unfinished"], stays))
            self.assertEqual(self.names(), sorted([*everything, "held"]))
            self.assertEqual(self.collect("--prefix", "k"), ([], {"kept": "kept"}))
            self.assertEqual(self.collect("--dry-run", "--prefix", "un"), (["unfinished"], {}))
            self.assertEqual(self.names(), sorted([*everything, "held"]))
            self.assertEqual(self.collect(), (["orphan", "unfinished"], stays))
            self.assertEqual(self.collect("--older-than", "1h"), ([], stays))
            shown = nodewise("segments", "gc", "--older-than", "0s", under=self.under)[1]
            self.assertRegex(shown, r"\Aremoved kept \(\d+ KiB\): it was kept for \d+ s\n1 segment rem")
            self.assertRegex(shown, r"(?m)^left 1 segment \(in use\): held$")
            self.assertRegex(shown, r"(?m)^left 1 segment \(damaged\): damaged; ")
        self.assertEqual(self.names(), ["damaged", "held", "nodewise.7.other"])

    def test_how_old_is_old_enough(self):
        self.keep(under=self.under, name="kept")
        change_header(self.shm / "nodewise.0.kept", 120, "=Q", time.time_ns() - 90 * 60 * 10**9)
        for age in ("5000s", "89m", "1h", "0d"):
            self.assertEqual(self.collect("--dry-run", "--older-than", age)[0], ["kept"], age)
        for age in ("6000s", "91m", "2h", "1d"):
            self.assertEqual(self.collect("--dry-run", "--older-than", age)[1], {"kept": "kept"}, age)
        self.assertRegex(nodewise("segments", under=self.under)[1], r"(?m)^kept .* 90 min +yes ")
        shown = nodewise("segments", "gc", "--older-than", "1d", under=self.under)[1]
        self.assertRegex(shown, r"(?m)^left 1 segment \(kept, and younger than that\): kept$")

    def shared_memory(self):
        findings = answer("doctor", under=self.under)["findings"]
        return next(finding for finding in findings if finding["name"] == "shared-memory")

    def test_where_there_is_none(self):
        self.assertRegex(nodewise("segments", under=self.under)[1], r"\Ano segments of user 0\n\Z")
        self.assertEqual(answer("segments", under=self.under)["segments"], [])
        self.assertEqual(nodewise("segments", "gc", under=self.under)[1], "0 segments removed, 0 B freed\n")
        self.assertEqual(self.shared_memory()["level"], "ok")


class Doctor(Case):
    def finding(self, name, **options):
        return next(found for found in answer("doctor", **options)["findings"] if found["name"] == name)

    def with_logind(self, *drop_ins, uid=1000):
        """The finding where systemd runs and logind has these drop-ins."""
        run = self.folder / "run"
        shutil.rmtree(run, ignore_errors=True)
        (run / "systemd/system").mkdir(parents=True)
        (run / "systemd/logind.conf.d").mkdir()
        for number, text in enumerate(drop_ins):
            (run / f"systemd/logind.conf.d/zz-{number}.conf").write_text(text)
        under = [*ELSEWHERE, str(run), "/run", "unshare", "--user", f"--map-user={uid}"]
        if not works(under):
            self.skipTest("SKIP: no mount namespace can be had here")
        return self.finding("remove-ipc", under=under)

    def test_a_logout_that_deletes_segments(self):
        found = self.with_logind("[Login]\n# RemoveIPC=no\nRemoveIPC = yes\n[Other]\nRemoveIPC=no\n")
        self.assertEqual(found["level"], "note")
        self.assertIn("RemoveIPC = yes in systemd-logind; your segments are deleted", found["evidence"])
        self.assertRegex(found["remedy"], r"RemoveIPC=no in .*, or loginctl enable-linger \w+")
        self.assertEqual(self.with_logind("[Login]\nRemoveIPC=No\n")["level"], "ok")
        self.assertEqual(self.with_logind("[Login]\nRemoveIPC=yes", "[Login]\nRemoveIPC=f")["level"], "ok")
        self.assertEqual(self.with_logind("[Login]\nRemoveIPC=0", "[Login]\nRemoveIPC=1")["level"], "note")
        system = self.with_logind("[Login]\nRemoveIPC=yes\n", uid=999)
        self.assertEqual(system["level"], "ok")
        self.assertIn("without effect on user 999", system["evidence"])

    def test_memory_in_which_no_file_can_be_made(self):
        kinds = ("ro,size=128m", "may only be read"), ("nr_inodes=1,size=128m", "no inode")
        for options, evidence in kinds:
            under = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
                     f'mount -t tmpfs -o {options} tmpfs /dev/shm && exec "$@"', "sh"]
            if not works(under):
                self.skipTest("SKIP: no mount namespace can be had here")
            found = self.finding("shared-memory", under=under)
            self.assertEqual(found["level"], "warning")
            self.assertIn(evidence, found["evidence"])
            self.assertIn("mount -o remount", found["remedy"])

    def test_few_open_files(self):
        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300))
        found = self.finding("open-files", preexec_fn=few)
        self.assertEqual((found["level"], found["remedy"]), ("note", "ulimit -n 300"))
        self.assertIn("200 files may be open", found["evidence"])
        self.assertIn("vm.max_map_count = ", self.finding("mappings")["evidence"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
