"""What several tests of the Python package share."""

import os
import tempfile
import unittest

import nodewise


def needs_managers():
    """Skips the test that calls it if this build has no managers. Any other error is a failure."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            nodewise.Manager(folder)
        except nodewise.InvalidArgument as error:
            if "LMDB" not in str(error):
                raise
            raise unittest.SkipTest("managers: this build has no LMDB") from None


def forked(work):
    """Runs `work` in a forked child, and returns how the child ended, as os.waitpid() tells it. The child
    exits with what `work` returns (None is 0), and with 99 if it raises: it never goes on as a second test
    runner."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            code = work() or 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]
