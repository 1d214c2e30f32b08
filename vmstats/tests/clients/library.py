"""qemu.qmp's library against a monitor: prints the answers as one object."""

import asyncio
import json
import sys

from qemu.qmp import ExecuteError, QMPClient


async def main(socket):
    client = QMPClient("test")
    await client.connect(socket)
    answers = {
        "greeting": client.greeting._asdict()["QMP"],
        "version": await client.execute("query-version"),
        "commands": await client.execute("query-commands"),
        "vm": await client.execute("query-stats", {"target": "vm"}),
        "vcpu": await client.execute(
            "query-stats",
            {"target": "vcpu", "providers": [{"provider": "kvm", "names": ["exits"]}]},
        ),
        "schemas": await client.execute("query-stats-schemas", {"provider": "kvm"}),
        "schema": await client.execute("query-qmp-schema"),
        "human": await client.execute(
            "human-monitor-command", {"command-line": "info stats vm"}
        ),
    }
    try:
        await client.execute("query-stats", {"target": "xyz"})
    except ExecuteError as error:
        answers["refusal"] = [error.received["error"]["class"], str(error)]
    try:
        await client.execute("nosuch")
    except ExecuteError as error:
        answers["not found"] = [error.received["error"]["class"], str(error)]
    await client.disconnect()
    json.dump(answers, sys.stdout)


asyncio.run(main(sys.argv[1]))
