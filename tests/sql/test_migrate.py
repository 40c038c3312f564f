"""Migrations: once, in order, never changed, whoever runs them how often at the same time (OPS-4)."""
import pathlib
import shutil
import tempfile
import threading

from pg import DATABASE, ROOT, tool


def migrate(pg, folder, database=DATABASE):
    return tool("migrate", pg.conninfo("postgres", "postgres"), database, str(folder), check=False)


def copy():
    """A folder with this build's migrations, for changing."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kwsql-"))
    for f in sorted((ROOT / "sql").glob("*.sql")):
        shutil.copy(f, folder)
    return folder


def applied(pg, database=DATABASE):
    import psycopg2
    c = psycopg2.connect(pg.conninfo("postgres", database))
    with c, c.cursor() as cur:
        cur.execute("select name from schema_migration order by name")
        rows = [r[0] for r in cur.fetchall()]
    c.close()
    return rows


def test_twice_does_nothing(pg):
    # covers: OPS-4
    p = migrate(pg, ROOT / "sql")
    assert p.returncode == 0 and p.stdout == "", p.stdout
    assert applied(pg) == sorted(f.name for f in (ROOT / "sql").glob("*.sql"))


def test_many_at_the_same_time(pg):
    # covers: OPS-4
    results = []
    threads = [threading.Thread(target=lambda: results.append(migrate(pg, ROOT / "sql", "keyward_many"))) for _ in range(5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert [p.returncode for p in results] == [0] * 5, [p.stdout for p in results]
    done = [line for p in results for line in p.stdout.splitlines()]
    assert sorted(done) == applied(pg, "keyward_many"), "each file once"


def test_changed_missing_and_late_files(pg):
    # covers: OPS-4
    folder = copy()
    try:
        assert migrate(pg, folder, "keyward_changed").returncode == 0
        first = sorted(folder.glob("*.sql"))[0]
        text = first.read_text()
        first.write_text(text + "-- more\n")
        p = migrate(pg, folder, "keyward_changed")
        assert p.returncode == 1 and "conflict" in p.stdout and first.name in p.stdout, p.stdout
        first.write_text(text)
        # An older build's files beside a newer database are no mistake: both run during an upgrade.
        last = sorted(folder.glob("*.sql"))[-1]
        last.unlink()
        assert migrate(pg, folder, "keyward_changed").returncode == 0
        # But one slipped in between is.
        (folder / "0001_zz.sql").write_text("create table slipped_in (a int);")
        p = migrate(pg, folder, "keyward_changed")
        assert p.returncode == 1 and "conflict" in p.stdout, p.stdout
    finally:
        shutil.rmtree(folder)


def test_failed_file_leaves_nothing(pg):
    # covers: OPS-4
    folder = copy()
    try:
        bad = folder / "9000_bad.sql"
        bad.write_text("create table half_done (a int);\nselect nonsense;\n")
        p = migrate(pg, folder, "keyward_bad")
        assert p.returncode == 1 and "9000_bad.sql" in p.stdout, p.stdout
        assert "9000_bad.sql" not in applied(pg, "keyward_bad")
        bad.write_text("create table half_done (a int);\n")
        p = migrate(pg, folder, "keyward_bad")
        assert p.returncode == 0 and p.stdout.split() == ["9000_bad.sql"], p.stdout
        # A file may not end its own transaction.
        (folder / "9001_commit.sql").write_text("create table early (a int); commit;")
        p = migrate(pg, folder, "keyward_bad")
        assert p.returncode == 1 and "9001_commit.sql" not in applied(pg, "keyward_bad"), p.stdout
    finally:
        shutil.rmtree(folder)


def test_names_of_databases(pg):
    # covers: SEC-5
    for name in ("", 'a"; drop table x; --', "a b", "ä", "x" * 64):
        p = migrate(pg, ROOT / "sql", name)
        assert p.returncode == 1 and "invalid" in p.stdout, (name, p.stdout)
