"""The main job from an empty folder to a verified log, on the sanitized programs: the very steps of `make demo`."""
from fixtures import fixture
from stack.installation import Installation
from stack.mainjob import MainJob
from stack.ports import free_port
from stack.process import Failed


@fixture("test")
def job(folder):
    j = MainJob(Installation(folder / "demo", "sanitize", free_port()))
    yield j
    j.clean_up()


def test_main_job(job):
    # covers: ADM-3, CFG-2, DEV-1, DEV-3, RUN-2, RUN-5, INT-3, LOG-1, LOG-3, VOL-3, AGT-1
    # guard: 600
    for step in job.steps:
        try:
            note = step(job)
        except Failed as e:
            raise AssertionError(f"{step.__doc__}: {e}") from e
        print(f"{step.__doc__}: {note or 'ok'}")
