"""A real SAML identity provider for tests: SimpleSAMLphp on PHP's own server, on a free port of 127.0.0.1, with people of its own.

    with IdentityProvider(folder) as idp:
        idp.metadata()                              # XML, as anybody can fetch it
        idp.trust(metadata_xml_of_a_service)        # so that it sends people there
"""
import base64
import html
import http.cookiejar
import os
import pathlib
import re
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request

from stack.ports import free_port
from stack.process import wait_until

WWW = pathlib.Path("/usr/share/simplesamlphp/www")
PEOPLE = {"alice": ("Alice Ashdown", ["keyward-admins", "staff"]), "bob": ("Bob Barlow", ["staff"]), "carol": ("Carol Chase", ["visitors"])}
PREFIX = "/simplesaml"

ROUTER = """<?php
// PHP's own server gives no PATH_INFO to scripts outside of its folder: each is called by hand.
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$kinds = ['js' => 'text/javascript', 'css' => 'text/css', 'png' => 'image/png', 'svg' => 'image/svg+xml', 'ico' => 'image/x-icon'];
if (preg_match('#^%(prefix)s(/.*\\.(js|css|png|svg|ico))$#', $path, $found)) {
    $file = realpath('%(www)s' . $found[1]);
    if ($file === false) { http_response_code(404); return true; }
    header('Content-Type: ' . $kinds[$found[2]]);
    readfile($file);
    return true;
}
if (!preg_match('#^%(prefix)s(/.*\\.php)(/.*)?$#U', $path, $found)) { http_response_code(404); return true; }
$file = realpath('%(www)s' . $found[1]);
if ($file === false || strpos($file, '%(www)s/') !== 0) { http_response_code(404); return true; }
$_SERVER['SCRIPT_NAME'] = '%(prefix)s' . $found[1];
$_SERVER['PHP_SELF'] = $path;
$_SERVER['SCRIPT_FILENAME'] = $file;
unset($_SERVER['PATH_INFO']);
if (!empty($found[2])) $_SERVER['PATH_INFO'] = $found[2];
chdir(dirname($file));
require $file;
return true;
"""

CONFIG = """<?php
$config = ['baseurlpath' => '%(base)s/', 'certdir' => '%(folder)s/cert/', 'loggingdir' => '%(folder)s/log/', 'datadir' => '%(folder)s/data/',
 'tempdir' => '%(folder)s/tmp', 'metadatadir' => '%(folder)s/metadata/', 'technicalcontact_name' => 'Test',
 'technicalcontact_email' => 'na@example.org', 'timezone' => 'UTC', 'secretsalt' => 'of-the-tests-0123456789abcdef',
 'auth.adminpassword' => 'of-the-tests', 'admin.checkforupdates' => false, 'logging.level' => SimpleSAML\\Logger::NOTICE,
 'logging.handler' => 'file', 'logging.logfile' => 'idp.log', 'enable.saml20-idp' => true,
 'module.enable' => ['exampleauth' => true, 'core' => true, 'saml' => true], 'session.cookie.secure' => false,
 'session.cookie.samesite' => null, 'session.phpsession.cookiename' => 'IDP', 'session.phpsession.savepath' => '%(folder)s/tmp',
 'store.type' => 'phpsession', 'language.default' => 'en', 'metadata.sources' => [['type' => 'flatfile', 'directory' => '%(folder)s/metadata']]];
"""

HOSTED = """<?php
$metadata['%(entity)s'] = ['host' => '__DEFAULT__', 'privatekey' => 'idp.key', 'certificate' => 'idp.crt', 'auth' => 'people',
 'NameIDFormat' => 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent', 'userid.attribute' => 'uid', 'saml20.sign.response' => %(sign_response)s,
 'saml20.sign.assertion' => true, 'validate.authnrequest' => true, 'redirect.sign' => true, 'redirect.validate' => true, 'sign.logout' => true,
 'validate.logout' => true, 'SingleLogoutServiceBinding' => [%(bindings)s],
 'signature.algorithm' => 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256'];
"""


class IdentityProvider:
    def __init__(self, folder, sign_response=True, post_logout=False):
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}{PREFIX}"
        self.entity = f"{self.base}/saml2/idp/metadata.php"
        self.sign_response, self.post_logout = sign_response, post_logout
        self.services = {}
        self.process = None

    def __enter__(self):
        for name in ("cert", "log", "data", "tmp", "metadata", "config", "www"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=test-idp", "-keyout",
                        self.folder / "cert/idp.key", "-out", self.folder / "cert/idp.crt"], check=True, stderr=subprocess.DEVNULL)
        names = {"folder": self.folder, "base": self.base, "entity": self.entity, "www": WWW, "prefix": PREFIX,
                 "sign_response": "true" if self.sign_response else "false",
                 "bindings": "'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-" + ("POST'" if self.post_logout else "Redirect'")}
        people = ", ".join(f"'{n}:{n}-Pw-1' => ['uid' => ['{n}'], 'mail' => ['{n}@idp.example'], 'displayName' => ['{full}'], 'groups' => "
                           f"[{', '.join(repr(g) for g in groups)}]]" for n, (full, groups) in PEOPLE.items())
        (self.folder / "www/router.php").write_text(ROUTER % names)
        (self.folder / "config/config.php").write_text(CONFIG % names)
        (self.folder / "config/authsources.php").write_text(
            f"<?php\n$config = ['admin' => ['core:AdminPassword'], 'people' => ['exampleauth:UserPass', {people}]];\n")
        (self.folder / "metadata/saml20-idp-hosted.php").write_text(HOSTED % names)
        self._write_services()
        log = open(self.folder / "log/php.log", "ab")
        self.process = subprocess.Popen(
            ["php", "-d", f"session.save_path={self.folder}/tmp", "-d", "opcache.enable=0", "-S", f"127.0.0.1:{self.port}", "-t",
             self.folder / "www", self.folder / "www/router.php"], stdout=log, stderr=log, start_new_session=True,
            env={"PATH": "/usr/bin:/bin", "SIMPLESAMLPHP_CONFIG_DIR": str(self.folder / "config"), "PHP_CLI_SERVER_WORKERS": "3"})
        wait_until(self._answers, 60, "the identity provider does not answer", lambda: self.process.poll() is None)
        return self

    def __exit__(self, *exc):
        # Its workers too: they do not end with it.
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait()

    def _answers(self):
        try:
            return b"IDPSSODescriptor" in self.fetch(self.entity)
        except OSError:
            return False

    def fetch(self, url):
        with urllib.request.urlopen(url, timeout=60) as r:
            return r.read()

    def metadata(self):
        return self.fetch(self.entity).decode()

    def _write_services(self):
        rows = "".join(f"$metadata['{entity}'] = {php};\n" for entity, php in self.services.items())
        new = self.folder / "metadata/new"
        new.write_text("<?php\n" + rows)
        new.rename(self.folder / "metadata/saml20-sp-remote.php")        # whole, whoever reads it in this moment

    def trust(self, xml, encrypt=False, encrypt_name=False):
        """What is in a service provider's metadata, as SimpleSAMLphp keeps it. ENCRYPT: assertions; ENCRYPT_NAME: name identifiers."""
        entity = re.search(r'entityID="([^"]+)"', xml).group(1)
        keys = "".join(f"['type' => 'X509Certificate', 'signing' => {str(use == 'signing').lower()}, 'encryption' => {str(use == 'encryption').lower()}, "
                       f"'X509Certificate' => '{text}'], " for use, text in keys_in(xml))
        acs = re.search(r'AssertionConsumerService[^>]+Location="([^"]+)"', xml).group(1)
        slo = re.search(r'SingleLogoutService[^>]+Location="([^"]+)"', xml).group(1)
        binding = "HTTP-POST" if self.post_logout else "HTTP-Redirect"
        self.services[entity] = (
            f"['AssertionConsumerService' => '{acs}', 'SingleLogoutService' => [['Binding' => 'urn:oasis:names:tc:SAML:2.0:bindings:{binding}', "
            f"'Location' => '{slo}']], 'keys' => [{keys}], 'assertion.encryption' => {'true' if encrypt else 'false'}, "
            f"'nameid.encryption' => {'true' if encrypt_name else 'false'}, "
            f"'attributes.NameFormat' => 'urn:oasis:names:tc:SAML:2.0:attrname-format:basic']")
        self._write_services()


def keys_in(xml):
    """[(use, certificate)] of a service provider's metadata, in their order."""
    return re.findall(r'<md:KeyDescriptor use="([a-z]+)">.*?<ds:X509Certificate>([^<]+)<', xml, re.S)


class Visitor:
    """A browser at the identity provider, for tests that need none with a screen."""

    def __init__(self):
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def open(self, url, fields=None):
        data = urllib.parse.urlencode(fields).encode() if fields is not None else None
        with self.opener.open(url, data, timeout=60) as r:
            return r.geturl(), r.read().decode()

    def sign_in(self, url, name):
        """Goes to URL and signs in as NAME where that is asked for; the form that is to be posted: its address and fields."""
        here, page = self.open(url)
        if "SAMLResponse" not in page:
            state = html.unescape(re.search(r'name="AuthState" value="([^"]*)"', page).group(1))
            here, page = self.open(here.split("?")[0], {"username": name, "password": f"{name}-Pw-1", "AuthState": state})
        return form_of(page)


def form_of(page):
    fields = {n: html.unescape(v) for n, v in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)}
    return html.unescape(re.search(r'<form[^>]* action="([^"]+)"', page).group(1)), fields


def xml_of(fields):
    return base64.b64decode(fields["SAMLResponse"]).decode()
