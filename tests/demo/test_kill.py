"""The main job while processes are killed: any of them, at any moment, started again as an init system would. What was
acknowledged stays, no key goes out twice, the log is whole, the data is there. KEYWARD_SEED=N repeats a run."""
import os
import random
import re
import signal
import subprocess
import threading
import time

from fixtures import fixture
from stack.installation import Installation
from stack.mainjob import MainJob
from stack.ports import free_port
from stack.process import Failed

ROUNDS = 7                   # kills in one run of the job, each in another step
PATIENCE = 300               # seconds that a step may need with all its repetitions
SERVICES = ("database", "keyd", "jobd", "web")


@fixture("test")
def job(folder):
    j = MainJob(Installation(folder / "demo", "sanitize", free_port()), settings={"heartbeat": "2"})
    yield j
    j.clean_up()


def children(pid):
    p = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(pid)], stdout=subprocess.PIPE, text=True)
    return [(int(line.split()[0]), line) for line in p.stdout.splitlines()]


class Killer:
    def __init__(self, job, seed):
        self.job, self.random = job, random.Random(seed)
        self.agent_wanted = False
        self.lock = threading.Lock()

    # Victims, and who brings them back

    def service(self, name):
        self.job.it.kill(name)

    def revive(self):
        """As init does with a service that has ended, by whatever way: Kore's parent ends all when its key manager is gone."""
        with self.lock:
            for name in SERVICES:
                if self.job.it.alive(name):
                    continue
                try:
                    self.job.it.start(name)
                except Failed as e:              # such as: what was killed still holds the port. Init tries again, too.
                    print(f"    {name} does not come back yet: {str(e).splitlines()[0]}", flush=True)
                    return
            if self.agent_wanted:
                self.job.guest.start()

    def child(self, service, pattern):
        found = [pid for pid, text in children(self.job.it.processes[service].pid) if re.search(pattern, text)]
        if found:
            os.kill(self.random.choice(found), signal.SIGKILL)

    def agent(self):
        pid = self.job.guest.process.pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)

    def engine(self):
        for pid in self.job.engines()[:1]:
            os.kill(pid, signal.SIGKILL)

    def victims(self):
        both = [(name, lambda name=name: self.service(name)) for name in SERVICES]
        both += [("web worker", lambda: self.child("web", r"\[wrk")), ("keymgr", lambda: self.child("web", r"\[keymgr")),
                 ("postgres session", lambda: self.child("database", "postgres: .* keyward"))]
        return both + ([("agent", self.agent), ("engine", self.engine)] if self.agent_wanted else [])

    def strike(self, name, kill, delay):
        time.sleep(delay)
        print(f"    {delay:.2f} s later: kill -9 {name}", flush=True)
        try:
            kill()
        except ProcessLookupError:       # it had ended by itself
            pass
        for _ in range(10):
            time.sleep(0.2)
            self.revive()

    def run(self, step):
        """STEP, with a kill somewhere in it."""
        name, kill = self.random.choice(self.victims())
        thread = threading.Thread(target=self.strike, args=(name, kill, self.random.uniform(0, 1.5)))
        thread.start()
        try:
            self.until_done(step)
        finally:
            thread.join()

    # Going on

    def until_done(self, step):
        """Repeats a step that was broken off, as its people would."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return step(self.job)
            except (Failed, OSError) as e:
                assert time.monotonic() < end, f"{step.__doc__} is not done: {e}"
                print(f"    again: {str(e).splitlines()[0][:200]}", flush=True)
            self.revive()
            time.sleep(1)


def opens(job):
    """the volume is open: approved at first, or anew after it was lost with its engine or its agent"""
    rows = [r for r in job.approver.rows("/instances?limit=200") if r["device"]["id"] == job.device_id]
    newest = max(rows, key=lambda r: r["id"]) if rows else {"state": "missing"}
    if newest["state"] in ("pending", "denied"):
        job._decide(newest["id"], "approve", "")
    if newest["state"] != "delivered" or not job.guest.mounted() or not job.engines():
        raise Failed(f"the request is {newest['state']}, the volume {'' if job.guest.mounted() else 'not '}mounted")
    job.second_request = newest["id"]


def writes(job):
    """a file is written"""
    opens(job)
    job.write()


def reads(job):
    """the file is there"""
    opens(job)
    job.check_file()


def check_deliveries(job):
    """Each request that got a key: was approved, and delivered once. The same key to the same one-time key, because an answer was
    lost, is logged as such and counts for nothing."""
    approved, delivered = {}, {}
    for e in job.log():
        if e["name"] in ("key.approved", "key.approved-automatically"):
            approved[e["object_url"]] = approved.get(e["object_url"], 0) + 1
        if e["name"] == "key.delivered" and "again: true" not in (e["detail"] or ""):
            delivered[e["object_url"]] = delivered.get(e["object_url"], 0) + 1
    assert delivered and all(n == 1 for n in delivered.values()), delivered
    assert set(delivered) <= set(approved), (approved, delivered)


STEPS = (MainJob.set_up, MainJob.create_tenant, MainJob.join_administrator, MainJob.read_account, MainJob.invite_approver,
         MainJob.register, MainJob.configure, MainJob.provision, MainJob.ask_key, MainJob.deny, opens, writes, reads, reads, reads)


def test_any_process_may_be_killed_at_any_moment(job):
    # covers: SEC-7, KEY-4, LOG-3, AGT-5, VOL-6
    # guard: 900
    seed = int(os.environ.get("KEYWARD_SEED") or random.SystemRandom().randrange(1 << 31))
    print(f"KEYWARD_SEED={seed}", flush=True)
    killer = Killer(job, seed)
    struck = set(killer.random.sample(range(len(STEPS)), ROUNDS))
    job.start()
    for number, step in enumerate(STEPS):
        print(step.__doc__, flush=True)
        killer.agent_wanted |= step is MainJob.ask_key
        (killer.run if number in struck else killer.until_done)(step)
    # A kill that came late may have hit what the last step had done.
    for step in (reads, MainJob.revoke):
        killer.until_done(step)
    check_deliveries(job)
    print(killer.until_done(MainJob.verify))
    job.finish()
