#!/usr/bin/env python3
"""Runs a command under a seccomp filter like Docker's default one, as far as memory placement goes.

    docker_filter.py [--allow CALL]... [--refuse CALL]... COMMAND...

Without CAP_SYS_NICE that profile refuses mbind, set_mempolicy and get_mempolicy; with it they are allowed.
move_pages and migrate_pages it never allows. sched_setaffinity it allows; other filters do not. A refused
call gives EPERM. Exits with 125 where this machine cannot be filtered.
"""
import ctypes
import os
import struct
import sys

REFUSED = ("mbind", "set_mempolicy", "get_mempolicy", "migrate_pages", "move_pages")  # by Docker's default
CALLS = {
    "x86_64": (0xC000003E, {"mbind": 237, "set_mempolicy": 238, "get_mempolicy": 239, "migrate_pages": 256,
                            "move_pages": 279, "sched_setaffinity": 203}),
    "aarch64": (0xC00000B7, {"mbind": 235, "get_mempolicy": 236, "set_mempolicy": 237, "migrate_pages": 238,
                             "move_pages": 239, "sched_setaffinity": 122}),
}
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, REFUSE_EPERM = 0x7FFF0000, 0x00050001
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def instructions(architecture, refused):
    """A classic BPF program over seccomp_data: the call's number is at 0, the architecture at 4."""
    program = [(LOAD, 0, 0, 4), (JUMP_IF_EQUAL, 1, 0, architecture), (RETURN, 0, 0, ALLOW), (LOAD, 0, 0, 0)]
    for left, number in zip(range(len(refused), 0, -1), refused):
        program.append((JUMP_IF_EQUAL, left, 0, number))
    program += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE_EPERM)]
    return b"".join(struct.pack("HBBI", *step) for step in program), len(program)


def install(refused):
    architecture, calls = CALLS[os.uname().machine]
    code, length = instructions(architecture, [calls[name] for name in sorted(refused)])
    libc = ctypes.CDLL(None, use_errno=True)
    program = Program(length, code)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
            PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def main():
    words, refused = sys.argv[1:], set(REFUSED)
    while words[:1] in (["--allow"], ["--refuse"]):
        (refused.discard if words[0] == "--allow" else refused.add)(words[1])
        words = words[2:]
    try:
        install(refused)
    except (KeyError, OSError) as error:
        print(f"docker_filter.py: no filter here: {error}", file=sys.stderr)
        return 125
    os.execvp(words[0], words)


if __name__ == "__main__":
    sys.exit(main())
