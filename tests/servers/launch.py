"""`launch.py USER COMMAND…`: becomes the command, as the user (`-`: as it is), and ends with the thread that started it.

A program of its own and not `preexec_fn`, which may deadlock in a process that has threads.
"""

import ctypes
import os
import pwd
import signal
import sys

_PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    if sys.argv[1] != "-":
        account = pwd.getpwnam(sys.argv[1])
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    # After the change of user, which clears it.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.execvp(sys.argv[2], sys.argv[2:])
