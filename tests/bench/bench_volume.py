#!/usr/bin/python3
"""Measures the user-space engine with fio against a plain loop device, both on the file system of FOLDER.

    bench_volume.py FOLDER [--program keyward-volume] [--seconds 5] [--size 2G] [--direct]

Direct I/O on ext4, depth 16 (libaio) and depth 1 (psync). Use a keyward-volume built without sanitizers; the figures mean
nothing while other work runs, so the load is printed beside them. Needs root.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "build/sanitize/tests/unit/volume_tool"
WORK = [("write", "1M"), ("read", "1M"), ("randwrite", "4k"), ("randread", "4k")]


def run(*argv):
    return subprocess.run([str(a) for a in argv], check=True, stdout=subprocess.PIPE, text=True, timeout=600).stdout


def tool(command, folder, program, **values):
    argv = [TOOL, command, f"env={folder / 'run'}", f"program={program}", f"key={folder / 'key'}"]
    out = run(*argv, *(f"{k}={v}" for k, v in values.items()))
    return dict(line.split("=", 1) for line in out.splitlines())


def fio(file, mode, block, o, engine, depth):
    out = run("fio", "--name=x", f"--filename={file}", f"--size={o.size}", "--direct=1", f"--ioengine={engine}",
              f"--iodepth={depth}", "--time_based", f"--runtime={o.seconds}", f"--rw={mode}", f"--bs={block}", "--randrepeat=0",
              "--output-format=json")
    job = json.loads(out[out.index("{"):])["jobs"][0]
    side = job["write" if "write" in mode else "read"]
    return side["bw_bytes"] / 2**20, side["iops"]


def measure(name, point, o):
    file = point / "file"
    run("fio", "--name=x", f"--filename={file}", f"--size={o.size}", "--direct=1", "--bs=1M", "--rw=write", "--ioengine=psync")
    for engine, depth in (("libaio", 16), ("psync", 1)):
        for mode, block in WORK:
            mib, iops = fio(file, mode, block, o, engine, depth)
            load = os.getloadavg()[0]
            print(f"{name:10} {engine:6} {mode:9} {block:3} {mib:8.0f} MiB/s {iops:9.0f} IOPS   load {load:.1f}", flush=True)


def plain(folder, o):
    point = folder / "plain"
    point.mkdir()
    image = folder / "plain.img"
    run("truncate", "-s", o.image, image)
    run("mkfs.ext4", "-q", image)
    loop = run("losetup", "--find", "--show", "--direct-io=on" if o.direct else "--direct-io=off", image).strip()
    try:
        run("mount", "-o", "noatime", loop, point)
        measure("plain loop", point, o)
    finally:
        subprocess.run(["umount", str(point)])
        subprocess.run(["losetup", "--detach", loop])
    image.unlink()


def volume(folder, o):
    point = folder / "volume"
    image = folder / "volume.img"
    (folder / "key").write_bytes(os.urandom(32))
    run("truncate", "-s", o.image, image)
    tool("provision", folder, o.program, path=image, name="bench", fs="ext4")
    device = tool("open", folder, o.program, path=image, name="bench")["device"]
    try:
        tool("mount", folder, o.program, device=device, point=point)
        measure("userspace", point, o)
    finally:
        subprocess.run(["umount", str(point)])
        tool("close", folder, o.program, name="bench", force=1)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("folder", type=pathlib.Path)
    a.add_argument("--program", type=pathlib.Path, default=ROOT / "build/release/agent/keyward-volume")
    a.add_argument("--seconds", type=int, default=5)
    a.add_argument("--size", default="2G")
    a.add_argument("--image", default="3G")
    a.add_argument("--direct", action="store_true", help="the plain loop device bypasses the page cache, too")
    o = a.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="keyward-bench-", dir=o.folder))
    try:
        plain(folder, o)
        volume(folder, o)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
