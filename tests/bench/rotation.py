"""Keys in numbers for the row that has them wrapped anew: made by the real key service, put straight into the database."""
import sys
import time
import uuid

import console
from load import ROOT, processor_time
from stack.process import Failed

sys.path.append(str(ROOT / "tests" / "lib"))

from keymaker import Keyd  # noqa: E402

SECONDS = 1800               # until a rotation is given up
PROCESSES = ("database", "keyd", "jobd")


def _copy(it, table, columns, lines):
    file = it.state / "copy.tsv"
    file.write_text("\n".join("\t".join(line) for line in lines) + "\n")
    console.sql(it, f"\\copy {table} ({columns}) from '{file}'")
    file.unlink()


def _keyd(it):
    return Keyd(it.state / "run" / "keyd.sock")


def fill_keys(it, slug, count):
    """COUNT devices of the account, each with a key."""
    tenant, wrapped, policy = console.sql(it, f"select t.id, encode(t.wrapped_key, 'hex'), p.id from tenant t join policy p on p.tenant = t.id"
                                              f" and p.is_default where t.slug = '{slug}'").strip().split("|")
    wrapped, ids = bytes.fromhex(wrapped), [str(uuid.uuid4()) for _ in range(count)]
    with _keyd(it) as k:
        keys = [(tenant, id, "1", "\\\\x" + k.device(tenant, wrapped, id).hex()) for id in ids]
    _copy(it, "device", "tenant, id, provider, provider_device, policy", ((tenant, id, "ec2", id, policy) for id in ids))
    _copy(it, "device_key", "tenant, device, version, wrapped", keys)
    console.sql(it, "vacuum analyze device, device_key")


def fill_tenants(it, count):
    """COUNT accounts with a key each and nothing else."""
    ids = [str(uuid.uuid4()) for _ in range(count)]
    with _keyd(it) as k:
        _copy(it, "tenant", "id, slug, name, wrapped_key", ((id, f"m{id}", "Many", "\\\\x" + k.tenant(id).hex()) for id in ids))


def measure(it, table, *command):
    """(seconds, seconds of processor time by process) of the rotation that the administrator's COMMAND begins."""
    pids = [it.processes[p].pid for p in PROCESSES]
    before, began = processor_time(*pids), time.monotonic()
    it.keyward(*command)
    while (state := console.sql(it, f"select state from {table} order by started desc limit 1").strip()) != "done":
        if time.monotonic() - began > SECONDS:
            raise Failed(f"{' '.join(command)} is still {state}")
        time.sleep(0.1)
    took = time.monotonic() - began
    return took, dict(zip(PROCESSES, (b - a for a, b in zip(before, processor_time(*pids)))))


def bare(it, table, column, slug):
    """Seconds that PostgreSQL takes to write the rows of that account anew with one statement, durably."""
    began = time.monotonic()
    console.sql(it, f"update {table} set {column} = {column} where tenant = (select id from tenant where slug = '{slug}')")
    return time.monotonic() - began
