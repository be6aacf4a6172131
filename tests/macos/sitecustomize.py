"""Found on PYTHONPATH before anything else runs: takes away what only Linux has, as on macOS."""

import os
import select
import signal
import socket
from typing import Any

LINUX_ALONE = {
    os: """
        copy_file_range eventfd getrandom getresgid getresuid getxattr listxattr memfd_create pidfd_open posix_fadvise
        posix_fallocate process_cpu_count sched_getaffinity sched_getparam sched_getscheduler sched_setaffinity
        sched_setscheduler setns setresgid setresuid setxattr splice unshare
    """,
    select: "epoll",
    signal: "sigtimedwait sigwaitinfo",
    socket: """
        AF_NETLINK AF_PACKET SO_BINDTODEVICE SO_DOMAIN SO_PASSSEC SO_PEERSEC SO_PROTOCOL SOCK_CLOEXEC SOCK_NONBLOCK
        TCP_DEFER_ACCEPT TCP_QUICKACK TCP_USER_TIMEOUT
    """,
}
for module, names in LINUX_ALONE.items():
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)

stat = os.stat


def stat_elsewhere(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
    if str(path).startswith(("/dev/shm", "/proc")):  # noqa: S108 - to hide it
        raise FileNotFoundError(path)
    return stat(path, *args, **kwargs)


os.stat = stat_elsewhere
