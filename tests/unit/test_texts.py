"""Catalogues of texts (po/): complete, and what holds them to the source."""
import json
import pathlib
import re
import subprocess

TEXTS = pathlib.Path(__file__).resolve().parents[2] / "tools" / "texts"
HEAD = ('msgid ""\nmsgstr ""\n"Language: xx\\n"\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
        '"Plural-Forms: nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 ? 1 : 2);\\n"\n'
        '"X-Name: Xx\\n"\n"X-Decimal: ,\\n"\n"X-Group: .\\n"\n')


def compiled(folder, entries):
    po = folder / "xx.po"
    po.write_text(HEAD + "\n" + entries)
    done = subprocess.run([TEXTS, "compile", folder, po], capture_output=True, text=True)
    return done.stderr if done.returncode else json.loads((folder / "xx.json").read_text())


def test_a_complete_language_lacks_nothing():
    # covers: WEB-1
    done = subprocess.run([TEXTS, "missing"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr + "\nput them in: tools/texts update, then translate in po/"


def test_catalogues_are_compiled_and_held_to_what_they_translate(folder):
    # covers: WEB-1
    good = compiled(folder, 'msgid "One <b>%{n}</b>"\nmsgstr "<b>%{n}</b> x"\n\nmsgid "%{n} key"\nmsgid_plural "%{n} keys"\n'
                    'msgstr[0] "a %{n}"\nmsgstr[1] "b %{n}"\nmsgstr[2] "c %{n}"\n\n#, fuzzy\nmsgid "Two"\nmsgstr "y"\n\nmsgid "Three"\nmsgstr ""\n')
    assert good["One <b>%{n}</b>"] == "<b>%{n}</b> x" and good["%{n} key"] == ["a %{n}", "b %{n}", "c %{n}"], good
    assert "Two" not in good and "Three" not in good, "what is fuzzy or missing is shown in English"
    forms = good[""]["forms"]
    assert len(forms) == 200 and forms[:6] == "201112" and forms[11] == "2" and forms[21] == "0" and forms[122] == "1", forms
    for wrong in ('msgid "One <b>%{n}</b>"\nmsgstr "<i>%{n}</i> x"\n', 'msgid "a {{b}}"\nmsgstr "a"\n', 'msgid "a %{b}"\nmsgstr "a %{c}"\n',
                  'msgid "%s of %d"\nmsgstr "%s"\n', 'msgid "a|b"\nmsgstr "ab"\n',
                  'msgid "%{n} key"\nmsgid_plural "%{n} keys of %{x}"\nmsgstr[0] "a %{n}"\nmsgstr[1] "b %{n}"\nmsgstr[2] "c %{n}"\n'):
        assert "keeps" in str(compiled(folder, wrong)), wrong


ROOT = TEXTS.parent.parent
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')


def known(file):
    """The sentences of a table (base/known.h), as expressions."""
    texts = [t.replace('\\"', '"') for row in re.findall(r"^\t\{ (.*?) \},?$", (ROOT / file).read_text(), re.M) for t in LITERAL.findall(row)]
    return [re.compile("".join(".+" if p.startswith("%{") else re.escape(p) for p in re.split(r"(%\{\w+\})", t))) for t in texts]


def sentences(files, called):
    """What the files' calls of functions CALLED say, with something in each place of printf."""
    for file in files:
        text = (ROOT / file).read_text()
        for call in re.finditer(rf"(?:{called})(.*?);\n", text, re.S):
            for literal in LITERAL.findall(re.sub(r'"\s*\n\s*"', "", call.group(1))):
                said = re.sub(r"%\.0s", "", literal)
                said = re.sub(r"%[-.*0-9]*(?:ll|z)?[sd]|%zu|%lld", "7", said.replace('\\"', '"'))
                if " " in said.strip() and "_" not in said and "{s:" not in said and not re.fullmatch(r"[7 ]+", said):
                    yield file, literal, said


def test_what_is_wrong_with_a_policy_can_be_said_in_other_languages():
    # covers: WEB-1, WEB-3, POL-8
    table = known("src/policy/faults.c")
    files = [f"src/policy/{f}.c" for f in ("rule", "document", "value", "value_time", "value_text")]
    # Put together of pieces: no operator "x" for this rule, 2 people, image x.
    pieces = {"Only %zu %s may give an approval: no key could ever be released.", "there is no %s %s here, or several are called so",
              'no operator \\"', '\\" for this rule', "no operator", "%s%.40s%s: one of these is needed: %s"}
    found = [*sentences(files, r"\bfault\(|wrong\(|rule_fault\(|err_set\(ERR_INVALID,|why = "),
             *sentences(["src/store/policy.c", "src/console/policy_transfer.c"], r"add_fault\(")]
    assert len(found) > 60, found
    lacking = [f"{file}: {literal}" for file, literal, said in found if literal not in pieces and not any(k.fullmatch(said) for k in table)]
    assert not lacking, "\n".join(["not in src/policy/faults.c:", *lacking])


def test_why_something_was_done_can_be_said_in_other_languages():
    # covers: WEB-1, LOG-1, NTF-2
    table = known("src/notice/reasons.c")
    said = (ROOT / "src/health/judge.c").read_text()
    health = [t for pair in re.findall(r'phrase_count\("([^"]+)", "([^"]+)"', said) for t in pair]
    # What is bad is kept as a reason, what is good is shown alone.
    good = {"%{n} runs", "%{n} run", "all run %{version}", "none waits; %{running} run, %{later} are for later", "%{n} of %{most}", "%{host} answers",
            "PostgreSQL %{version}, schema %{schema}", "open on %{host} (%{provider})", "%{n}, the first ends in %{days}", "%{version} beside %{other}"}
    names = {"xml", "dtd"}
    health += [t for t in re.findall(r'phrase_say\("([^"]+)"', said)]
    closed = [name for name in re.findall(r'"([a-z]+)"', re.search(r"#define PROTO_REASONS\(X\)(.*?)\n\n", (ROOT / "src/proto/message.h").read_text(), re.S).group(1))]
    saml = [name for name in re.findall(r'^\tX\([A-Z_]+, "([a-z-]+)"\)', (ROOT / "src/saml/saml.h").read_text(), re.M)]
    assert len(health) > 20 and len(closed) >= 10 and len(saml) > 15, (health, closed, saml)
    lacking = [t for t in [*health, *closed, *saml] if t not in good | names and not any(k.fullmatch(re.sub(r"%\{\w+\}", "7", t)) for k in table)]
    assert not lacking, "\n".join(["not in src/notice/reasons.c:", *lacking])


def test_what_other_servers_and_forms_are_refused_for_can_be_said_in_other_languages():
    # covers: WEB-1, WEB-3, IDN-2, IDN-3, KEY-3
    # Whatever stands behind a name would fit them all.
    table = [k for k in known("src/notice/reasons.c") if k.pattern not in (r".+:\ .+", r".+\.\ .+")]
    # Put together of pieces, or for who reads the server's own log: of an installation that is broken, or a caller that is.
    inner = re.compile(r"libldap|libcurl|zlib|poll:|socket:|port %u|not an id of|not base64|cut off|not well-formed|(the message|the address) cannot be signed|described in full|"
                       r"shorter than a tag|the key server (en|de)crypts|names an object with|tag has 7 bytes|host name has 7 bytes|an address is a text|none, walk or chain|"
                       r"makes no sense|no state of a person|setting sso.socket|sign-on service is asked|too long or no text|that is no text|trusted certificates: ")
    pieces = {"%s: %s: the server refers to another one, which is not followed: name the one that has the data", "%s: %s: %s%s%.300s%s", "(none named)", "%s inside of %s",
              "an address begins with https:// and has no user name%s", " and no #", ", ? or #", "%s (status %ld)", "%s: %s", "%s more than one key of the name %s",
              "%s no key of the name %s"}
    files = [*(f"src/sso/{f}.c" for f in ("ldap_link", "ldap_person", "answer_directory")), *(f"src/identity/{f}.c" for f in ("arrival", "directory")),
             *(f"src/saml/{f}.c" for f in ("logout", "metadata", "redirect", "response", "sign", "xml")), "src/outside/https.c", "src/outside/deep_security.c",
             *(f"src/keys/{f}.c" for f in ("kmip", "kmip_link", "kmip_message", "keyserver")), "src/tls/context.c", "src/tls/link.c", "src/web/ask.c"]
    found = [*sentences(files, r"err_set\(|saml_refuse\(")]
    assert len(found) > 120, len(found)
    lacking = [f"{file}: {literal}" for file, literal, said in found if literal not in pieces and not literal[0].isupper() and not inner.search(said)
               and not any(k.fullmatch(said) for k in table)]
    assert not lacking, "\n".join(["not in src/notice/reasons.c:", *lacking])
