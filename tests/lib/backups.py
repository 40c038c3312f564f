"""An installation that makes backups, encrypted to a certificate whose key lies apart."""
import contextlib
import shutil
import subprocess

from fixtures import installation, scratch


@contextlib.contextmanager
def backed_up(name, **settings):
    """(installation, the folder apart: backups, backup.crt, backup.key); SETTINGS beside those of the backup."""
    apart = scratch() / f"{name}-apart"
    shutil.rmtree(apart, ignore_errors=True)
    apart.mkdir()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:3072", "-nodes", "-days", "30", "-subj", "/CN=backup", "-keyout",
                    str(apart / "backup.key"), "-out", str(apart / "backup.crt")], check=True, stderr=subprocess.DEVNULL)
    own = {"backup.folder": str(apart), "backup.certificate": str(apart / "backup.crt")}
    with installation(name, settings={**own, **settings}) as it:
        yield it, apart
