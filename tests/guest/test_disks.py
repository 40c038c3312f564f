"""Kinds of disks and file systems in one virtual machine with dm-crypt: SCSI, NVMe, IDE, iSCSI, a container file on NFS; XFS, ext3,
ext4; read-only. All of them come back after a reboot."""
import shutil
import subprocess
import uuid

from fixtures import fixture, scratch
from stack.ports import free_port
from stack.process import Process, wait_until
from vm import MIB, Disk, Vm

TARGET = "iqn.2026-01.test.keyward:disk"
EXPORTS = "/export 127.0.0.1(rw,sync,no_root_squash,no_subtree_check,insecure,fsid=0)\n"
CONTAINER = "/mnt/nfs/container.img"
# Mount point: part of the disk's id (of NVMe, "quick" in hex), file system, access
PLACES = {
    "/srv/scsi": ("serial:wide", "xfs", "rw"),
    "/srv/nvme": ("717569636b", "ext3", "rw"),
    "/srv/ide": ("ata-reader", "ext4", "ro"),
    "/srv/iscsi": ("naa.6000", "ext4", "rw"),
    "/srv/nfs": (f"file:{CONTAINER}", "ext4", "rw"),
}


@fixture("file")
def target():
    """An iSCSI target on the host with one disk; its port."""
    folder = scratch() / f"tgt-{uuid.uuid4().hex[:8]}"
    for part in ("pid", "log"):
        (folder / part).mkdir(parents=True)
    port, control = free_port(), str(20000 + uuid.uuid4().int % 10000)
    with open(folder / "lun", "wb") as f:
        f.truncate(64 * MIB)
    process = Process("tgtd", [shutil.which("tgtd") or "/usr/sbin/tgtd", "-f", "-C", control, "--iscsi", f"portal=127.0.0.1:{port}"], folder)
    process.start()

    def admin(*words):
        return subprocess.run(["tgtadm", "-C", control, "--lld", "iscsi", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True).returncode == 0
    wait_until(lambda: admin("--op", "new", "--mode", "target", "--tid", "1", "-T", TARGET), 120, "tgtd does not answer", process.alive)
    assert admin("--op", "new", "--mode", "logicalunit", "--tid", "1", "--lun", "1", "-b", str(folder / "lun"))
    assert admin("--op", "bind", "--mode", "target", "--tid", "1", "-I", "ALL")
    yield port
    process.kill()
    shutil.rmtree(folder, ignore_errors=True)


@fixture("file")
def vm(customer, target):
    it = Vm(scratch() / f"vm-{uuid.uuid4().hex[:8]}", memory_mib=1024,
            disks=[Disk("wide", 512 * MIB, "scsi"), Disk("quick", bus="nvme"), Disk("ata", bus="ide", serial="ata-reader")])
    it.boot()
    it.run(f"iscsiadm -m node -o new -T {TARGET} -p 10.0.2.2:{target} && iscsiadm -m node -T {TARGET} -o update -n node.startup"
           " -v automatic && systemctl enable open-iscsi && systemctl start open-iscsi")
    it.write("/etc/exports", EXPORTS)
    it.run("mkdir -p /export /mnt/nfs; echo '127.0.0.1:/ /mnt/nfs nfs4 _netdev,x-systemd.requires=nfs-server.service 0 0' >>/etc/fstab;"
           f"systemctl enable nfs-server; systemctl daemon-reload; systemctl start /mnt/nfs && truncate -s 64M {CONTAINER}")
    customer.register(it, heartbeat=5, devices=CONTAINER)
    yield it
    it.forget()


def test_each_kind_of_disk_is_encrypted(customer, vm):
    # covers: VOL-1, VOL-2, VOL-3, DEV-1, CSP-2
    # guard: 1500
    for point, (part, filesystem, access) in PLACES.items():
        customer.encrypt(customer.device(part), point, filesystem=filesystem, access=access)
    vm.run("systemctl enable --now --no-block keyward-agent")
    for part, _, _ in PLACES.values():
        customer.becomes(customer.device(part), "in-use")
    for point, (_, filesystem, access) in PLACES.items():
        kind, options = vm.run(f"findmnt -no FSTYPE,OPTIONS {point}").split()
        assert kind == filesystem and options.split(",")[0] == access, (point, kind, options)
        if access == "rw":
            vm.run(f"echo kept >{point}/file; sync")
    assert vm.run("dmsetup ls --target crypt | wc -l") == str(len(PLACES))


def test_read_only_is_read_only_down_to_the_disk(vm):
    # covers: VOL-3
    assert not vm.ok("touch /srv/ide/file")
    assert not vm.ok("mount -o remount,rw /srv/ide")
    assert vm.run("blockdev --getro $(findmnt -no SOURCE /srv/ide)") == "1"
    assert not vm.ok("dd if=/dev/zero of=$(findmnt -no SOURCE /srv/ide) bs=4096 count=1 oflag=direct")


def test_all_come_back_after_a_reboot(customer, vm):
    # covers: VOL-2, AGT-1, AGT-9
    # guard: 900
    ids = {d["provider_id"] for d in customer.devices()}
    vm.reboot()
    vm.wait("systemctl is-active keyward-agent", "the agent is not ready")
    for point, (part, _, access) in PLACES.items():
        customer.becomes(customer.device(part), "in-use")
        assert access == "ro" or vm.run(f"cat {point}/file") == "kept", point
    assert {d["provider_id"] for d in customer.devices()} == ids
    vm.shutdown()
    assert "LEFT OPEN" not in vm.console()
    for part, _, _ in PLACES.values():
        customer.becomes(customer.device(part), "encrypted")
