"""The disk image of the virtual machines in tests/guest: Debian with systemd, its cloud kernel, and Keyward as it is installed.

    image = vmimage.image()      # image.disk (raw ext4, read only), image.kernel

Made in two steps, each only when something has changed: Debian's part (packages of [guest] in packaging/packages, minutes, from
Debian's registry) in build/guest/base-KEY, and the image with the programs of build/release (seconds) in build/guest/image-KEY.
KEYWARD_GUEST_CACHE names another folder than build/guest, for several checkouts on one machine."""
import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess

from stack.process import Failed

ROOT = pathlib.Path(__file__).resolve().parents[2]
SUITE = "bookworm"
OVERLAY = ROOT / "tests" / "guest" / "root"
IMAGE_BYTES = 1 << 30            # what is not used takes no room
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

# A part of each package that no test wants.
EXCLUDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/usr/share/i18n/*")
# What only packages' own scripts want.
REMOVED = ("usr/lib/python3*", "usr/share/perl*", "usr/lib/*/perl*", "usr/share/zoneinfo", "etc/init.d/*", "var/cache/*", "var/lib/apt/*")
# Drivers of hardware that QEMU either has not or that no test needs: the emulated processor takes a second for ten of them.
NO_MODULES = ("arch/x86/kvm", "arch/x86/events", "drivers/acpi", "drivers/bus", "drivers/comedi", "drivers/cpufreq", "drivers/cxl",
              "drivers/dax", "drivers/firmware", "drivers/hid", "drivers/hv", "drivers/infiniband", "drivers/input", "drivers/leds",
              "drivers/media", "drivers/mfd", "drivers/misc", "drivers/nvdimm", "drivers/platform", "drivers/power",
              "drivers/powercap", "drivers/pps", "drivers/ptp", "drivers/soundwire", "drivers/thermal", "drivers/tty", "drivers/uio",
              "drivers/vfio", "drivers/vhost", "drivers/video", "drivers/watchdog", "drivers/xen")
# What would start at each boot and is nobody's concern here; some wait for hardware that is not there.
MASKED = ("systemd-firstboot.service", "getty.target", "dev-mqueue.mount", "dev-hugepages.mount", "sys-kernel-debug.mount",
          "sys-kernel-tracing.mount", "sys-kernel-config.mount", "modprobe@configfs.service", "modprobe@efi_pstore.service",
          "systemd-pstore.service", "systemd-update-utmp.service", "systemd-update-utmp-runlevel.service", "e2scrub_reap.service",
          "systemd-journal-flush.service", "systemd-network-generator.service", "proc-sys-fs-binfmt_misc.automount",
          "systemd-ask-password-console.path", "systemd-ask-password-wall.path", "systemd-logind.service",
          "systemd-user-sessions.service", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer",
          "systemd-tmpfiles-clean.timer", "systemd-random-seed.service", "systemd-remount-fs.service", "modprobe@loop.service",
          "systemd-modules-load.service", "modprobe@dm_mod.service", "modprobe@fuse.service", "sys-fs-fuse-connections.mount",
          "systemd-sysusers.service", "systemd-hwdb-update.service", "ldconfig.service")
DISABLED = ("nfs-server", "rpcbind.service", "rpcbind.socket", "nfs-client.target", "nfs-blkmap", "open-iscsi", "iscsid.socket")
ENABLED = ("systemd-networkd", "systemd-networkd-wait-online", "test-commands")
NO_GENERATORS = ("bless-boot", "cryptsetup", "debug", "getty", "gpt-auto", "hibernate-resume", "integritysetup", "rc-local", "run",
                 "system-update", "sysv", "veritysetup")
KERNEL = """set -e
cd "$1"
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
name=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: //p' | grep ^linux-image- | head -n 1)
apt-get -o APT::Sandbox::User=root download "$name"
dpkg-deb -x "$name"_*.deb kernel
rm "$name"_*.deb
cp -a kernel/lib/modules usr/lib/
cp -a kernel/boot/vmlinuz-* boot/
rm -r kernel
"""


class Image:
    def __init__(self, folder):
        self.folder, self.disk, self.kernel = folder, folder / "disk.img", folder / "vmlinuz"


def cache():
    return pathlib.Path(os.environ.get("KEYWARD_GUEST_CACHE") or ROOT / "build" / "guest")


def packages():
    text = (ROOT / "packaging" / "packages").read_text()
    lines = text.split("\n# [guest] ", 1)[1].split("\n# [", 1)[0].splitlines()[1:]
    return [line for line in lines if line]


def _key(*parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]


def _run(argv, **more):
    p = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                       **more)
    if p.returncode != 0:
        raise Failed(f"{argv[0]} failed:\n" + "\n".join(p.stdout.splitlines()[-30:]))
    return p.stdout


@contextlib.contextmanager
def _alone():
    """Two runs must not make the same thing at once."""
    cache().mkdir(parents=True, exist_ok=True)
    with open(cache() / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _made(name, make):
    """The folder NAME, by MAKE where it is missing."""
    folder = cache() / name
    if not folder.is_dir():
        new = cache() / f"{name}.new"
        shutil.rmtree(new, ignore_errors=True)
        make(new)
        new.rename(folder)
    os.utime(folder)
    return folder


def _tidy(kind, kept):
    """Of each kind the newest few stay: other checkouts may share the folder, and virtual machines may still run from them."""
    old = sorted((f for f in cache().glob(f"{kind}-*") if f.is_dir()), key=lambda f: f.stat().st_mtime)[:-kept]
    for f in old:
        shutil.rmtree(f, ignore_errors=True)


def _debian(new):
    names = [p for p in packages() if not p.startswith("linux-image-")]
    argv = ["mmdebstrap", "--quiet", "--mode=root", "--variant=essential", "--format=directory",
            *(f"--dpkgopt=path-exclude={e}" for e in EXCLUDED), "--dpkgopt=force-unsafe-io", "--aptopt=Apt::Install-Recommends false",
            "--include=" + ",".join(names), f"--customize-hook={KERNEL}", SUITE, new]
    _run(argv, env=dict(os.environ, TMPDIR=str(cache())))


def _trim(tree):
    """What would only cost room, or time at each boot."""
    for pattern in REMOVED:
        for f in tree.glob(pattern):
            shutil.rmtree(f) if f.is_dir() and not f.is_symlink() else f.unlink()
    modules = next((tree / "lib" / "modules").iterdir())
    for name in NO_MODULES:
        shutil.rmtree(modules / "kernel" / name, ignore_errors=True)
    _run(["chroot", tree, "depmod", modules.name], env={"PATH": PATH})
    _run(["chroot", tree, "systemctl", "mask", *MASKED], env={"PATH": PATH})
    _run(["chroot", tree, "systemctl", "disable", *DISABLED], env={"PATH": PATH})
    _run(["chroot", tree, "systemctl", "set-default", "multi-user.target"], env={"PATH": PATH})
    generators = tree / "etc" / "systemd" / "system-generators"
    generators.mkdir(parents=True, exist_ok=True)
    for name in NO_GENERATORS:
        (generators / f"systemd-{name}-generator").symlink_to("/dev/null")
    (tree / "etc" / "hostname").write_text("guest\n")
    (tree / "etc" / "machine-id").write_text(hashlib.sha256(b"keyward test guest").hexdigest()[:32] + "\n")


def base():
    """Debian's part, as a folder."""
    return _made("base-" + _key(packages(), SUITE, EXCLUDED, KERNEL), _debian)


def _overlay(tree, source):
    """Copies files over TREE."""
    for f in sorted(source.rglob("*")):
        target = tree / f.relative_to(source)
        if f.is_dir() and not f.is_symlink():
            target.mkdir(parents=True, exist_ok=True)
        else:
            shutil.copy2(f, target, follow_symlinks=False)


def install(tree):
    """The guest's part of `meson install`, as a package would bring it."""
    _run(["meson", "install", "-C", ROOT / "build" / "release", "--no-rebuild", "--quiet", "--destdir", tree, "--tags", "runtime"])


def _files(folder):
    return [(str(f.relative_to(folder)), f.lstat().st_mode, f.read_bytes()) for f in sorted(folder.rglob("*")) if f.is_file()]


def _make_image(debian, installed, new):
    new.mkdir()
    tree = new / "tree"
    _run(["cp", "-a", debian, tree])
    _trim(tree)
    for source in (OVERLAY, installed):
        _overlay(tree, source)
    _run(["chroot", tree, "systemctl", "enable", *ENABLED], env={"PATH": PATH})
    shutil.copy(next((tree / "boot").glob("vmlinuz-*")), new / "vmlinuz")
    for f in (tree / "boot").iterdir():
        f.unlink()
    _run(["mke2fs", "-q", "-F", "-t", "ext4", "-L", "root", "-d", tree, new / "disk.img", f"{IMAGE_BYTES >> 10}k"])
    shutil.rmtree(tree)


def image():
    """The image of today's build/release."""
    with _alone():
        debian = base()
        installed = cache() / f"installed-{os.getpid()}"
        try:
            install(installed)
            name = "image-" + _key(debian.name, pathlib.Path(__file__).read_bytes(), _files(OVERLAY), _files(installed))
            made = _made(name, lambda new: _make_image(debian, installed, new))
        finally:
            shutil.rmtree(installed, ignore_errors=True)
        _tidy("image", 6)
        _tidy("base", 2)
        return Image(made)
