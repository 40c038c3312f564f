"""Forms as a browser without scripts sees them: what their fields hold, and what pressing a button sends."""
import html.parser
import urllib.parse


class _Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.forms, self.form, self.select, self.area, self.option = [], None, None, None, None
        self.errors, self.error = [], None

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        if tag == "form":
            self.form = {"action": a.get("action"), "method": a.get("method", "get"), "fields": [], "buttons": []}
            self.forms.append(self.form)
        elif tag == "p" and "kw-error" in (a.get("class") or ""):
            self.error = ""
        if self.form is None:
            return
        fields = self.form["fields"]
        if tag == "input" and a.get("name"):
            kind = a.get("type", "text")
            if kind in ("checkbox", "radio"):
                if "checked" in a:
                    fields.append((a["name"], a.get("value", "on")))
            elif kind != "file":
                fields.append((a["name"], a.get("value") or ""))
        elif tag == "button" and a.get("name"):
            self.form["buttons"].append((a["name"], a.get("value", "")))
        elif tag == "select":
            self.select = [a["name"], None, None]
        elif tag == "option" and self.select:
            value = a.get("value") or ""
            if self.select[1] is None:
                self.select[1] = value
            if "selected" in a:
                self.select[2] = value
        elif tag == "textarea":
            self.area = [a["name"], ""]

    def handle_data(self, data):
        if self.area:
            self.area[1] += data
        if self.error is not None:
            self.error += data

    def handle_endtag(self, tag):
        if tag == "form":
            self.form = None
        elif tag == "select" and self.select:
            name, first, chosen = self.select
            if first is not None:
                self.form["fields"].append((name, first if chosen is None else chosen))
            self.select = None
        elif tag == "textarea" and self.area:
            self.form["fields"].append((self.area[0], self.area[1].removeprefix("\n")))
            self.area = None
        elif tag == "p" and self.error is not None:
            self.errors.append(self.error.strip())
            self.error = None


class Page:
    """A page with the forms on it; what it links to is followed with what a browser would send."""

    def __init__(self, client, path):
        self.client = client
        self.follow(client.get(path), path)

    def follow(self, answer, path):
        for _ in range(5):
            if answer.status != 303:
                break
            path = answer.header("location")
            answer = self.client.get(path.split("#")[0])
        self.answer, self.path = answer, path
        reader = _Reader()
        reader.feed(answer.text)
        self.forms, self.errors = reader.forms, reader.errors
        return self

    @property
    def text(self):
        return self.answer.text

    def form(self, action=None):
        found = [f for f in self.forms if f["method"] == "post" and f["action"] != "/sign-out" and (action is None or action in f["action"])]
        assert len(found) == 1, (self.path, [f["action"] for f in found], self.text[-2000:])
        return found[0]

    def value(self, name):
        found = [v for n, v in self.form()["fields"] if n == name]
        return found if len(found) > 1 else found[0] if found else None

    def body(self, button=None, form=None, **changes):
        """What the form sends; a change is a text, a list (the field several times), or None (not at all)."""
        pairs = [(n, v) for n, v in form["fields"] if n not in changes]
        for name, value in changes.items():
            pairs += [(name, v) for v in (value if isinstance(value, list) else [] if value is None else [value])]
        if button:
            assert button in form["buttons"], (button, form["buttons"])
            pairs.append(button)
        return urllib.parse.urlencode(pairs).encode()

    def send(self, button=None, action=None, **changes):
        """The answer itself, not followed."""
        form = self.form(action)
        return self.client.send("POST", form["action"], self.body(button, form, **changes),
                                {"Content-Type": "application/x-www-form-urlencoded"})

    def press(self, go, **changes):
        """Presses the button "go" of that value and goes where it leads."""
        return self.follow(self.send(("go", go), **changes), self.path)
