"""A token (SoftHSM) in which a root key can live, for tests of a whole installation. A key server is in kmip.py."""
import os
import pathlib
import pwd
import shutil
import subprocess

MODULE, PIN, KEYD_USER = "/usr/lib/softhsm/libsofthsm2.so", "24681357", "keyward-keys"
LOCKING_MODULE = pathlib.Path(__file__).resolve().parents[2] / "build" / "sanitize" / "tests" / "unit" / "token_that_locks.so"


def shell(command, **more):
    p = subprocess.run(command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    assert p.returncode == 0, p.stdout
    return p.stdout


class Token:
    """A token of keyd's user in FOLDER, whose parents that user may pass. Whoever uses it needs ENV."""
    module = MODULE

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.tokens, self.pin = self.folder / "tokens", self.folder / "pin"
        self.tokens.mkdir(parents=True)
        self.env = {"SOFTHSM2_CONF": str(self.folder / "softhsm2.conf")}
        (self.folder / "softhsm2.conf").write_text(f"directories.tokendir = {self.tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
        self.pin.write_text(PIN + "\n")
        self.pin.chmod(0o600)
        user = pwd.getpwnam(KEYD_USER)
        os.chown(self.tokens, user.pw_uid, user.pw_gid)
        shell(f"setpriv --reuid {KEYD_USER} --clear-groups softhsm2-util --init-token --free --label keyward --pin {PIN} --so-pin 12345678",
              env={**os.environ, **self.env})

    def where(self, with_pin=True):
        return f"pkcs11:token=keyward?module-path={self.module}" + (f"&pin-source=file:{self.pin}" if with_pin else "")

    def take_out(self):
        for token in self.tokens.iterdir():
            token.rename(self.folder / f"out-{token.name}")

    def put_back(self):
        for token in self.folder.glob("out-*"):
            token.rename(self.tokens / token.name[4:])

    def objects(self):
        return shell(f"setpriv --reuid {KEYD_USER} --clear-groups pkcs11-tool --module {MODULE} --login --pin {PIN} --list-objects --type secrkey",
                     env={**os.environ, **self.env})


class LockingToken(Token):
    """One that takes three wrong PINs, as hardware does (tests/unit/token_that_locks.c)."""
    module = LOCKING_MODULE

    def __init__(self, folder):
        super().__init__(folder)
        self.counts = self.folder / "counts"
        self.counts.mkdir()
        user = pwd.getpwnam(KEYD_USER)
        os.chown(self.counts, user.pw_uid, user.pw_gid)
        self.env["LOCKING_FOLDER"] = str(self.counts)

    def tries(self):
        """How often a PIN was tried."""
        file = self.counts / "tries"
        return file.stat().st_size if file.exists() else 0

    def reset(self):
        """What the token's security officer does."""
        (self.counts / "wrong").unlink()
