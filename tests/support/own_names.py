"""Names in /dev/shm, where the files of the user and of other tests lie too. A test touches only its own."""
import os
import pathlib
import secrets
import shutil

SHM = pathlib.Path("/dev/shm")

# All names that a test program gives begin with this. It is drawn at random, because containers may share
# /dev/shm, and processes in them have the same numbers.
OWN_PREFIX = f"test.{secrets.token_hex(4)}."


def own_files(part=OWN_PREFIX):
    """The files in /dev/shm that have one of the program's own names, or whose names contain `part`."""
    return sorted(SHM.glob(f"*{part}*"))


def remove_own_files():
    for path in own_files():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def remove_openmp_file(child):
    """Removes the file by which LLVM's OpenMP runtime registers a process, and which a process that is killed
    leaves."""
    (SHM / f"__KMP_REGISTERED_LIB_{child}_{os.getuid()}").unlink(missing_ok=True)
