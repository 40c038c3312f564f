"""A CA of the installation's own, and a P-256 certificate for each host name. By the openssl command: nothing else to install."""
import os
import subprocess

from stack.process import Failed

CA_DAYS = 3650
DAYS = 397
RENEW_BEFORE = 14 * 86400    # seconds


def openssl(*args, stdin=None):
    p = subprocess.run(["openssl", *args], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if p.returncode != 0:
        raise Failed(f"openssl {args[0]} failed: {p.stderr.strip()}")
    return p.stdout


def _key(path):
    old = os.umask(0o077)
    try:
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(path))
    finally:
        os.umask(old)


def make_ca(folder, certificate):
    """FOLDER/ca.key, for root alone, and CERTIFICATE, for everybody."""
    if certificate.exists() and (folder / "ca.key").exists():
        return
    folder.mkdir(mode=0o700, exist_ok=True)
    _key(folder / "ca.key")
    openssl("req", "-x509", "-new", "-key", str(folder / "ca.key"), "-sha256", "-days", str(CA_DAYS), "-out", str(certificate),
            "-subj", "/O=Keyward/CN=Keyward CA of this installation", "-addext", "basicConstraints=critical,CA:TRUE,pathlen:0",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    certificate.chmod(0o644)


def _good(certificate, name, ca):
    """Valid for long enough, for this name, by this CA."""
    checks = (["x509", "-in", str(certificate), "-noout", "-checkend", str(RENEW_BEFORE)],
              ["verify", "-CAfile", str(ca), "-verify_hostname", name, str(certificate)])
    return certificate.exists() and all(
        subprocess.run(["openssl", *c], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0 for c in checks)


def make_certificate(folder, ca_folder, ca, name, usage="serverAuth"):
    """FOLDER/NAME.key and NAME.crt, made anew when they end soon. Modes are the caller's to widen."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.crt"
    if key.exists() and _good(certificate, name, ca):
        return
    _key(key)
    request = openssl("req", "-new", "-key", str(key), "-subj", f"/CN={name}")
    extensions = folder / "extensions"
    extensions.write_text(f"basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                          f"extendedKeyUsage={usage}\nsubjectAltName=DNS:{name}\n")
    serial = "0x" + os.urandom(16).hex()
    openssl("x509", "-req", "-sha256", "-days", str(DAYS), "-CA", str(ca), "-CAkey", str(ca_folder / "ca.key"), "-set_serial",
            serial, "-extfile", str(extensions), "-out", str(certificate), stdin=request)
    extensions.unlink()


def make_dh_group(path):
    """The standard group ffdhe3072 (RFC 7919): a name in a file, nothing secret."""
    if not path.exists():
        openssl("genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe3072", "-out", str(path))
