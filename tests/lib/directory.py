"""A real LDAP server for tests: slapd on free ports of 127.0.0.1, with a CA of its own, people, groups in groups, and what Active Directory
and password policies say of people.

    with Directory(folder) as d:
        d.settings()           # as the console keeps them (src/identity/directory.h)
        d.starttls, d.ldaps    # addresses
"""
import pathlib
import shutil
import socket
import struct
import subprocess
import uuid

from stack.ports import free_port
from stack.process import wait_until

BASE = "dc=example,dc=test"
BIND_DN, BIND_PASSWORD = f"cn=search,{BASE}", "Search-pw-1"
PEOPLE, GROUPS = f"ou=people,{BASE}", f"ou=groups,{BASE}"
NAMES_MAX = 100

SLAPD_CONF = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
attributetype ( 1.2.840.113556.1.4.2 NAME 'objectGUID' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.656 NAME 'userPrincipalName' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.782 NAME 'objectCategory' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.159 NAME 'accountExpires' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9 NAME 'user' SUP top AUXILIARY MAY ( objectGUID $ sAMAccountName $ userPrincipalName $
  objectCategory $ userAccountControl $ accountExpires ) )
objectclass ( 1.2.840.113556.1.5.8 NAME 'group' SUP top STRUCTURAL MUST ( cn $ member $ objectGUID ) )
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
pidfile {folder}/slapd.pid
TLSCACertificateFile {folder}/ca.crt
TLSCertificateFile {folder}/server.crt
TLSCertificateKeyFile {folder}/server.key
TLSProtocolMin 3.3
security simple_bind=128
allow bind_anon_dn bind_anon_cred
database mdb
suffix "{base}"
rootdn "cn=root,{base}"
rootpw Root-pw-1
directory {folder}/db
maxsize 67108864
index objectClass,uid,mail,member eq
overlay ppolicy
ppolicy_default "cn=policy,{base}"
access to attrs=userPassword by self write by anonymous auth by * none
access to dn.subtree="{people}" by dn.exact="{bind}" read by users read by anonymous auth
access to * by users read by anonymous auth
"""


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def make_ca(folder, name):
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={name}", "-keyout", str(folder / "ca.key"), "-out",
            str(folder / "ca.crt"))
    return (folder / "ca.crt").read_text()


def make_certificate(folder, ca, names):
    (folder / "ext").write_text(f"extendedKeyUsage=serverAuth\nsubjectAltName={names}\n")
    openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=directory", "-keyout", str(folder / "server.key"), "-out", str(folder / "server.csr"))
    openssl("x509", "-req", "-days", "30", "-in", str(folder / "server.csr"), "-CA", str(ca / "ca.crt"), "-CAkey", str(ca / "ca.key"),
            "-CAcreateserial", "-extfile", str(folder / "ext"), "-out", str(folder / "server.crt"))


def entry(dn, *classes, **attributes):
    lines = [f"dn: {dn}"] + [f"objectClass: {c}" for c in classes]
    for name, values in attributes.items():
        for v in values if isinstance(values, (list, tuple)) else [values]:
            lines.append(f"{name}:: {v[7:]}" if isinstance(v, str) and v.startswith("base64:") else f"{name}: {v}")
    return "\n".join(lines) + "\n\n"


class Directory:
    def __init__(self, folder, names="IP:127.0.0.1"):
        self.folder = pathlib.Path(folder) / f"directory-{uuid.uuid4().hex[:8]}"
        self.folder.mkdir()
        (self.folder / "db").mkdir()
        self.ca = make_ca(self.folder, "test-directory-ca")
        make_certificate(self.folder, self.folder, names)
        self.port, self.port_tls = free_port(), free_port()
        self.starttls, self.ldaps = f"ldap://127.0.0.1:{self.port}", f"ldaps://127.0.0.1:{self.port_tls}"
        self.conf = self.folder / "slapd.conf"
        self.conf.write_text(SLAPD_CONF.format(folder=self.folder, base=BASE, people=PEOPLE, bind=BIND_DN).lstrip())
        self.process = None
        self._fill()

    def person(self, uid, cn, password=None, **more):
        classes = ["inetOrgPerson"] + more.pop("classes", [])
        return entry(f"uid={uid},{PEOPLE}", *classes, uid=uid, cn=cn, sn=cn.split()[-1], mail=more.pop("mail", f"{uid}@example.test"),
                     userPassword=password or f"{uid}-Pw-1", **more)

    def _fill(self):
        text = entry(BASE, "dcObject", "organization", o="Example", dc="example")
        text += entry(f"cn=policy,{BASE}", "pwdPolicy", "device", cn="policy", pwdAttribute="userPassword", pwdLockout="TRUE", pwdMaxFailure=20)
        text += entry(PEOPLE, "organizationalUnit", ou="people") + entry(GROUPS, "organizationalUnit", ou="groups")
        text += entry(BIND_DN, "simpleSecurityObject", "organizationalRole", cn="search", userPassword=BIND_PASSWORD)
        text += self.person("alice", "Alice Test") + self.person("bob", "Bob Test") + self.person("nobody", "Nora Nobody")
        text += self.person("twin1", "Twin One", mail="twin@example.test") + self.person("twin2", "Twin Two", mail="twin@example.test")
        text += self.person("odd", "Odd (One)*\\\\")
        text += self.person("expired", "Ex Pired", classes=["shadowAccount"], shadowExpire=1)
        text += self.person("locked", "Loc Ked")
        text += self.person("addisabled", "Ad Disabled", classes=["user"], sAMAccountName="addisabled", userAccountControl=514)
        text += self.person("adexpired", "Ad Expired", classes=["user"], sAMAccountName="adexpired", userAccountControl=512,
                            accountExpires=116444736000000000 + 10000000)
        text += self.person("adalice", "Ad Alice", classes=["user"], sAMAccountName="adalice", userPrincipalName="adalice@ad.example.test",
                            displayName="Alice of AD", objectCategory="person", userAccountControl=512, accountExpires=9223372036854775807,
                            objectGUID="base64:" + "AAECAwQFBgcICQoLDA0ODw==")
        text += entry(f"cn=adgroup,{GROUPS}", "group", cn="adgroup", member=f"uid=adalice,{PEOPLE}", objectGUID="base64:" + "EBESExQVFhcYGRobHB0eHw==")
        text += entry(f"cn=admins,{GROUPS}", "groupOfNames", cn="admins", member=f"uid=alice,{PEOPLE}")
        text += entry(f"cn=inner,{GROUPS}", "groupOfNames", cn="inner", member=[f"uid=bob,{PEOPLE}", f"cn=outer,{GROUPS}"])
        text += entry(f"cn=outer,{GROUPS}", "groupOfNames", cn="outer", member=f"cn=inner,{GROUPS}")
        text += entry(f"cn=outermost,{GROUPS}", "groupOfNames", cn="outermost", member=f"cn=outer,{GROUPS}")
        text += entry(f"ou=elsewhere,{BASE}", "referral", "extensibleObject", ou="elsewhere", ref="ldap://127.0.0.1:1/ou=elsewhere,dc=other")
        (self.folder / "base.ldif").write_text(text)
        p = subprocess.run(["slapadd", "-f", str(self.conf), "-l", str(self.folder / "base.ldif")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True)
        assert p.returncode == 0, p.stdout
        self.modify = self._modify

    def _modify(self, ldif):
        p = subprocess.run(["ldapmodify", "-x", "-ZZ", "-H", self.starttls, "-D", f"cn=root,{BASE}", "-w", "Root-pw-1", "-e", "relax"],
                           input=ldif, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={"LDAPTLS_CACERT": str(self.folder / "ca.crt"),
                           "PATH": "/usr/bin:/bin"})
        assert p.returncode == 0, p.stdout

    def start(self):
        self.process = subprocess.Popen(["/usr/sbin/slapd", "-f", str(self.conf), "-h", f"{self.starttls} {self.ldaps}", "-d", "0"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._answers, 60, "slapd does not answer", lambda: self.process.poll() is None)

    def _answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port_tls), 1).close()
        except OSError:
            return False
        return True

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def __enter__(self):
        self.start()
        self.modify(f"dn: uid=locked,{PEOPLE}\nchangetype: modify\nadd: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n")
        return self

    def __exit__(self, *exc):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def settings(self, **more):
        return {"enabled": True, "create": True, "servers": [self.starttls], "ca": self.ca, "bind_dn": BIND_DN, "base": PEOPLE,
                "filter": "(&(objectClass=inetOrgPerson)(|(uid={login})(mail={login})))", "id": "entryUUID", "login": "uid", "name": "cn",
                "mail": "mail", "group_base": GROUPS, "group_filter": "(objectClass=groupOfNames)", "member": "member", "nesting": "walk",
                "roles": [], "otherwise": "", **more}

    def active_directory(self, **more):
        return self.settings(filter="(&(objectCategory=person)(objectClass=user)(|(sAMAccountName={login})(userPrincipalName={login})(mail={login})))",
                             id="objectGUID", login="sAMAccountName", name="displayName", group_filter="(objectClass=group)", **more)


# The service's socket, in bytes (src/sso/message.h)

STATUS, TEST, SIGN_IN, FIND, LOOK, LOOK_UP_GROUPS = 1, 10, 11, 12, 13, 14


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack(">I", len(data)) + data


def connect(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(60)
    s.connect(str(path))
    return s


def send(s, type, fields, tenant=None):
    s.send(bytes([1, type]) + uuid.uuid4().bytes + (tenant or uuid.UUID(int=0)).bytes + fields)


def receive(s):
    """(code, what follows): 0, or an error's number (src/base/err.h) with the reason."""
    answer = s.recv(1 << 17)
    return (answer[1], answer[22:].decode()) if answer[1] else (0, answer[18:])


def ask(path, type, fields, tenant=None):
    with connect(path) as s:
        send(s, type, fields, tenant)
        return receive(s)
