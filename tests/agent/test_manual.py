"""Help, manual pages, completion and docs/agent.md are made of one table of options; scripts that are installed are sound."""
import pathlib
import re
import shutil
import subprocess

from fixtures import ROOT

AGENT = ROOT / "build" / "sanitize" / "agent"
MANUAL = AGENT / "manual"
PROGRAMS = ("keyward-config", "keyward-agent", "keyward-keytool")
PAGES = ("keyward-config.8", "keyward-agent.8", "keyward-agent.conf.5", "keyward-keytool.8")
QUIET = {"ASAN_OPTIONS": "detect_leaks=0", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"}


def output(*argv, **more):
    return subprocess.run([str(a) for a in argv], check=True, stdout=subprocess.PIPE, text=True, **more).stdout


def options(program):
    """[(letter or None, --name)]"""
    rows = [line.split() for line in output(MANUAL / "manual", "names", program).splitlines()]
    return [(None if letter == "-" else letter, name) for letter, name in rows]


def test_help_manual_and_document_know_the_same_options():
    # covers: CFG-2, OPS-1
    document = (ROOT / "docs" / "agent.md").read_text()
    for program in PROGRAMS:
        known = options(program)
        assert len(known) >= 6
        shown = output(AGENT / program, "--help")
        listed = re.findall(r"^  (?:-(\w), |    )(--[a-z-]+)", shown, re.M)
        assert listed == [(letter or "", name) for letter, name in known]
        page = (MANUAL / f"{program}.8").read_text()
        items = re.findall(r"^\.It (?:Fl (\w) , )?Fl \\-([a-z-]+)", page, re.M)
        assert items == [(letter or "", name.removeprefix("--")) for letter, name in known]
        assert output(MANUAL / "manual", "table", program) in document, f"docs/agent.md: not what manual table {program} prints"
    names = {name for program in PROGRAMS for _, name in options(program)}
    for line in document.splitlines():
        if line.startswith("    keyward-config "):
            assert set(re.findall(r"--[a-z][a-z-]+", line)) <= names, line


def test_manual_pages_are_well_formed():
    # covers: OPS-1
    for name in PAGES:
        page = MANUAL / name
        for argv in (["man", "--warnings", "-E", "UTF-8", "-l", str(page)], ["mandoc", "-T", "lint", "-W", "warning", str(page)]):
            p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=QUIET)
            complaints = p.stderr if argv[0] == "man" else p.stdout
            assert p.returncode == 0 and not complaints.strip(), (argv, complaints)
        assert "@" not in re.sub(r"\S+@\S+", "", page.read_text()), name
    settings = (ROOT / "packaging" / "agent.conf.example").read_text()
    assert re.findall(r"^\.It Cm (\w+)", (MANUAL / PAGES[2]).read_text(), re.M) == re.findall(r"^#(\w+) =", settings, re.M)
    codes = re.findall(r"^\.It (\d+) Pq", (MANUAL / PAGES[0]).read_text(), re.M)
    assert codes == re.findall(r"^\| (\d+) \|", (ROOT / "docs" / "agent.md").read_text(), re.M)


def complete(folder, *words, program="keyward-config"):
    """What bash proposes for the last of WORDS."""
    script = f'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _{program.replace("-", "_")}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    said = output("bash", "--norc", "-c", script, "bash", MANUAL / "keyward-config", program, *words, cwd=folder,
                  env=QUIET)
    return [w for w in said.splitlines() if w]


def test_bash_completes(folder):
    # covers: OPS-1, CFG-2
    (folder / "devices.conf").write_text("")
    (folder / "deep").mkdir()
    for program in PROGRAMS:
        assert complete(folder, "", program=program) == [name for _, name in options(program)]
    assert complete(folder, "--reg") == ["--register"]
    assert complete(folder, "--proxy-settings", "") == ["show", "test", "remove"] and complete(folder, "-y", "t") == ["test"]
    assert sorted(complete(folder, "--devices", "de")) == ["deep", "devices.conf"]
    assert complete(folder, "-r", "--state", "de") == ["deep"]
    assert complete(folder, "--url", "h") == [] and complete(folder, "--log-level", "w", program="keyward-agent") == ["warning"]


def test_installed_scripts_are_sound():
    # covers: OPS-1, CFG-4, AGT-9
    assert shutil.which("shellcheck")
    output("shellcheck", ROOT / "packaging" / "unattended" / "keyward-install", ROOT / "packaging" / "keyward-agent.init.in",
           *(ROOT / "packaging" / "deb" / "keyward-agent").glob("p*[mt]"), ROOT / "tools" / "package")
    output("shellcheck", "-s", "bash", MANUAL / "keyward-config")


def test_everything_is_installed_where_it_belongs(folder):
    # covers: AGT-9, OPS-1, AGT-11
    output("meson", "install", "-C", ROOT / "build" / "release", "--destdir", folder, "--tags", "runtime", "--no-rebuild", "--quiet")
    found = {str(f.relative_to(folder)) for f in folder.rglob("*") if not f.is_dir()}
    for path in ("sbin/keyward-agent", "sbin/keyward-config", "man/man8/keyward-config.8", "man/man8/keyward-agent.8",
                 "man/man5/keyward-agent.conf.5", "bash-completion/completions/keyward-config", "zsh/site-functions/_keyward",
                 "bash-completion/completions/keyward-agent", "keyward/keyward-agent.init", "logrotate.d/keyward-agent",
                 "default/keyward-agent", "systemd/system/keyward-agent.service", "unattended/keyward-install",
                 "agent.conf.example", "libexec/keyward/keyward-volume"):
        assert any(f.endswith("/" + path) for f in found), path
    # Nothing of what a machine keeps is part of the installation, so nothing of it goes when that is removed.
    assert not any(f.startswith(("var/", "run/")) or f.endswith(("agent.conf", "identity.json")) for f in found), found
    unit = next(folder.rglob("keyward-agent.service"))
    assert "@" not in re.sub(r"SystemCallFilter=@.*", "", unit.read_text())


def test_the_unit_keeps_what_hardening_it_can_have():
    # covers: SEC-1, AGT-9
    unit = next((ROOT / "build" / "release" / "agent").glob("keyward-agent.service"))
    work = pathlib.Path(unit)
    p = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", str(work)], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
    score = re.search(r"Overall exposure level for \S+: ([0-9.]+)", p.stdout)
    assert score, p.stdout[-500:]
    # What is left is root with CAP_SYS_ADMIN in the machine's own mount namespace: it mounts volumes for everybody.
    assert float(score.group(1)) <= 8.1, p.stdout
