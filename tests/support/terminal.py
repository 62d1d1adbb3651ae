"""Runs programs on a terminal, for tests of what they show there."""
import os
import pty
import subprocess


def on_a_terminal(args, **options):
    """What a program whose standard output is a terminal shows on it, and the program's exit code."""
    leader, follower = pty.openpty()
    with subprocess.Popen(args, stdout=follower, **options) as process:
        os.close(follower)
        shown = b""
        try:
            while piece := os.read(leader, 65536):
                shown += piece
        except OSError:
            pass  # how a terminal says that the other side has gone
    os.close(leader)
    return shown.decode(), process.returncode
