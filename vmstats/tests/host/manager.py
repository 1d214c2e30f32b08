"""A service manager, as far as `vmstats host` sees one: it keeps the descriptors that its
service stores (FDSTORE=1 of sd_notify(3)), and starts the service again when it ends.

Arguments: the folder of the notification socket, and the service's command line. Prints
"ready PID" whenever the service is ready. Ends with the service when standard input ends.
"""

import os
import select
import signal
import socket
import sys

folder, command = sys.argv[1], sys.argv[2:]
path = os.path.join(folder, "notify.sock")
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(path)
# The descriptors in the order in which they came, each with its name.
store = []


def start():
    """Starts the service with the stored descriptors from number 3 on."""
    pid = os.fork()
    if pid:
        return pid
    # Move the descriptors out of the way of their new numbers.
    high = [os.dup(fd) for _, fd in store]
    base = max([fd for fd in high] + [notify.fileno(), 64]) + 1
    far = []
    for index, fd in enumerate(high):
        os.dup2(fd, base + index)
        far.append(base + index)
    for index, fd in enumerate(far):
        os.dup2(fd, 3 + index, inheritable=True)
    os.closerange(3 + len(far), base + len(far) + 8)
    environment = dict(os.environ, NOTIFY_SOCKET=path)
    if store:
        environment["LISTEN_PID"] = str(os.getpid())
        environment["LISTEN_FDS"] = str(len(store))
        environment["LISTEN_FDNAMES"] = ":".join(name for name, _ in store)
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.execve(command[0], command, environment)


def take():
    """Takes a message of the service."""
    text, fds, _, _ = socket.recv_fds(notify, 65536, 253)
    fields = dict(line.split("=", 1) for line in text.decode().splitlines())
    name = fields.get("FDNAME", "stored")
    if "FDSTORE" in fields:
        store.extend((name, fd) for fd in fds)
    else:
        for fd in fds:
            os.close(fd)
    if "FDSTOREREMOVE" in fields:
        for entry in [entry for entry in store if entry[0] == name]:
            os.close(entry[1])
            store.remove(entry)
    return fields.get("READY") == "1"


service = start()
watch = os.pidfd_open(service)
while True:
    ready, _, _ = select.select([notify, watch, sys.stdin], [], [])
    if notify in ready:
        if take():
            print("ready", service, len(store), flush=True)
        continue
    if sys.stdin in ready:
        os.kill(service, signal.SIGTERM)
        os.waitpid(service, 0)
        break
    if watch in ready:
        os.waitpid(service, 0)
        os.close(watch)
        service = start()
        watch = os.pidfd_open(service)
