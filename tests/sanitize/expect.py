#!/usr/bin/env python3
"""The planted defect must be reported.

    expect.py PROGRAM DEFECT
"""
import subprocess
import sys

REPORTS = {
    "race": "WARNING: ThreadSanitizer: data race",
    "address": "ERROR: AddressSanitizer: heap-buffer-overflow",
    "undefined": "runtime error: signed integer overflow",
}


def main():
    program, defect = sys.argv[1:]
    done = subprocess.run([program, defect], capture_output=True, text=True)
    if done.returncode == 0 or REPORTS[defect] not in done.stderr:
        print(f"the planted defect was not reported: exit code {done.returncode}\n{done.stderr}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
