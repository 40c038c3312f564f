"""Where state can live. PostgreSQL and the services run as users of their own, so every folder above their files must let
them through, and the path of a Unix socket may have only 107 characters. A checkout below /root, say, fails the first."""
import hashlib
import os
import pathlib
import stat

LONGEST = 70                 # leaves room for run/pg/.s.PGSQL.5432 and the like
ELSEWHERE = pathlib.Path("/var/lib/keyward-checkouts")


def open_to_all(folder):
    """Whether any user can pass through FOLDER's parents."""
    return all(p.stat().st_mode & stat.S_IXOTH for p in folder.parents if p.exists())


def place(folder):
    """FOLDER itself, made if need be; or, where it would not do, a folder in /var/lib to which FOLDER becomes a link."""
    folder = pathlib.Path(os.path.abspath(folder))
    if folder.is_symlink():
        folder.readlink().mkdir(mode=0o755, parents=True, exist_ok=True)
        return folder.resolve()
    if open_to_all(folder.parent.resolve() / "x") and len(str(folder)) <= LONGEST:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        return folder.resolve()
    if folder.is_dir():
        folder.rmdir()           # fails where something is in it: that would be lost from sight
    real = ELSEWHERE / hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    for f in (ELSEWHERE, real):
        f.mkdir(mode=0o755, parents=True, exist_ok=True)
        f.chmod(0o755)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(real)
    return real
