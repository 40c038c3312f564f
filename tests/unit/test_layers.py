"""The layers: the build's grants, the map's table and the sources say the same; and what no file of the repository may hold."""
import ast
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
CODE = ("*.c", "*.h")
# Written in pieces, so that this file does not hold them itself.
FORBIDDEN = [re.compile(p) for p in (
    r"(?<![\w.])/wo" r"rk/", r"deb\.debian" r"\.org", r"registry\.npmjs" r"\.org", r"deb\.node" r"source\.com",
    r"\bTO" r"DO\b", r"\bFIX" r"ME\b", r"\bHA" r"CK\b")]
LICENCE = {"LICENSE"}


def grants():
    text = (ROOT / "meson.build").read_text()
    return ast.literal_eval(re.search(r"^grants = (\{.*?^\})", text, re.M | re.S).group(1))


def rows_of_map():
    """folder -> folders it uses, from the table of docs/map.md."""
    out = {}
    for folder, uses in re.findall(r"^\| `(?:src/)?([a-z/]+)` \| ([a-z/ –]+) \|", (ROOT / "docs" / "map.md").read_text(), re.M):
        out[folder] = [] if uses.strip() == "–" else uses.split()
    return out


def sources(folder):
    top = ROOT / folder if folder.startswith("agent/") else ROOT / "src" / folder
    return [f for pattern in CODE for f in top.rglob(pattern)]


def tracked():
    """The repository's files; in a tree without git, all that lie there."""
    p = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached"], cwd=ROOT, stdout=subprocess.PIPE, check=False)
    assert p.returncode == 0 and p.stdout, "git lists no files"
    return [ROOT / n for n in p.stdout.decode().split("\0") if n and (ROOT / n).is_file() and not (ROOT / n).is_symlink()]


def test_build_and_map_grant_the_same():
    # covers: SEC-1
    want = {folder: sorted(may) for folder, may in rows_of_map().items()}
    got = {folder: sorted(may) for folder, may in grants().items()}
    assert len(want) > 10
    assert got == want


def test_folders_exist_and_nothing_else_does():
    # covers: SEC-1
    there = {p.name for p in (ROOT / "src").iterdir() if p.is_dir()} | {f"agent/{p.name}" for p in (ROOT / "agent").iterdir() if p.is_dir()}
    assert there == set(grants())
    assert [f.name for pattern in CODE for f in (ROOT / "agent").glob(pattern)] == []


def test_sources_include_only_what_is_granted():
    # covers: SEC-1
    wrong, seen = [], 0
    for folder, may in grants().items():
        for file in sources(folder):
            for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', file.read_text(), re.M):
                seen += 1
                if not any(name.startswith(f"{f}/") for f in (folder, *may)) or ".." in name.split("/"):
                    wrong.append(f"{file.relative_to(ROOT)} includes {name}")
    assert seen > 100
    assert wrong == []


def test_nobody_includes_upwards():
    # covers: SEC-1
    wrong = [str(f.relative_to(ROOT)) for top in ("src", "agent", "tests") for pattern in CODE
             for f in (ROOT / top).rglob(pattern) if re.search(r'#\s*include\s+["<]\.\./', f.read_text())]
    assert wrong == []


def test_c_files_say_their_role():
    # covers: SEC-1
    wrong = [str(f.relative_to(ROOT)) for top in ("src", "agent", "tests") for pattern in CODE for f in (ROOT / top).rglob(pattern)
             if not f.read_text().startswith(f"/* {f.name} - ")]
    assert wrong == []


def test_repository_holds_no_forbidden_words():
    # covers: SEC-4
    wrong = []
    for file in tracked():
        if file.name in LICENCE:
            continue
        try:
            lines = file.read_text().splitlines()
        except UnicodeDecodeError:
            continue
        wrong += [f"{file.relative_to(ROOT)}:{i}: {line.strip()[:120]}" for i, line in enumerate(lines, 1)
                  if any(p.search(line) for p in FORBIDDEN)]
    assert wrong == []


def test_operations_explain_every_setting():
    # covers: OPS-5
    table = re.findall(r'^\tX\([A-Z_]+, "([a-z_.]+)", (NULL|"[^"]*"), "([^"]+)"\)', (ROOT / "src/base/conf.h").read_text(), re.M)
    text = (ROOT / "docs/operations.md").read_text().split("## What errors mean")[0]
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \| [^|]+ \| (.+) \|$", text, re.M))
    assert len(table) > 10
    assert {name: help for name, _, help in table} == rows


def test_migrations_have_a_number_each():
    # covers: OPS-4
    numbers = [f.name.split("_")[0] for f in sorted((ROOT / "sql").glob("*.sql"))]
    assert len(numbers) > 10 and all(re.fullmatch(r"\d{4}", n) for n in numbers)
    assert len(set(numbers)) == len(numbers), [n for n in numbers if numbers.count(n) > 1]
