"""The consoles' style sheet says nothing for what no page has, and nothing twice."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
SAME_LEAST = 3               # declarations from which on two rules that say the same are one


def style():
    text = "\n".join(p.read_text() for p in sorted((ROOT / "assets" / "css").glob("*.css")))
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


def sources():
    return "\n".join(p.read_text() for d in ("templates", "src", "assets") for p in sorted((ROOT / d).rglob("*")) if p.suffix in (".html", ".c", ".h", ".js"))


def test_every_class_of_the_style_sheet_is_used():
    # covers: WEB-1
    text = sources()
    words = set(re.findall(r"(?<![\w-])(?:kw|is|has)-[\w-]+", text))
    # "is-{{colour}}", "kw-series-%d": what follows is a number, or stands in quotes somewhere.
    made = {m for m in re.findall(r"(?<![\w-])((?:kw|is)-(?:[a-z]+-)*)(?=\{\{|%)", text)}
    quoted = set(re.findall(r"[\"']([a-z]+)[\"']", text))
    assert len(words) > 100 and {"is-", "kw-depth-"} <= made, made

    def is_used(name):
        return name in words or any(name.startswith(p) and (name[len(p):].isdigit() or name[len(p):] in quoted) for p in made)
    dead = sorted(n for n in set(re.findall(r"\.((?:kw|is)-[\w-]+)", style())) if not is_used(n))
    assert not dead, dead


def test_no_rule_is_written_twice():
    # covers: WEB-1
    plain, seen, twice = re.sub(r"@[^{}]*\{(?:[^{}]*\{[^{}]*\})*\s*\}", "", style(), flags=re.S), {}, []
    for selector, body in re.findall(r"([^{}]+)\{([^{}]*)\}", plain):
        said = tuple(sorted(d.strip() for d in body.split(";") if d.strip()))
        if said in seen and len(said) >= SAME_LEAST:
            twice.append((seen[said], selector.strip()))
        seen.setdefault(said, selector.strip())
    assert len(seen) > 200 and not twice, twice
