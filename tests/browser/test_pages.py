"""Every page of both consoles from the route table, as somebody who needs the screen to be right finds it: no violation of WCAG 2.2 A and AA in light
and dark, nothing that the browser complains of, nothing that moves while it loads, no page too heavy; and the same page on a telephone without
scripts: all of it is there, nothing is cut off, every form can be sent."""
from chrome import Person
from fixtures import fixture
from looker import Looker
from showroom import Showroom
from web import Client, make_user

# What leads nowhere: a page that sends on to an identity provider, which there is none of here (test_single_sign_on.py).
NOWHERE = {"/saml/again", "/single-sign-on/test"}
PALE = "#008857"            # white text on it has 4.507 to 1


@fixture("file")
def room(whole_server):
    return Showroom(whole_server, machines=14, tenants=1)


def before(room, site):
    """Paths of what comes before there is a session."""
    if site == "central":
        return "/sign-in", "/forgotten"
    invited = room.people["account-administrator"].api("/users/new", {"name": "Ines Invited", "email": f"ines@{room.slug}.example", "role": "auditor"})
    return "/sign-in", "/forgotten", "/" + invited.json["invitation"]["link"].split("/", 3)[3]


def walk(server, room, site):
    wrong, seen, none = [], [], []
    analyst = Client(server, "console")
    assert analyst.sign_in(make_user(server, room.tenant, "data-analyst"), account=room.slug).status == 303
    with Person(server) as person, Person(server, scripts=False, width=390, height=844) as plain:
        looker = Looker(person, plain)
        for path in before(room, site):
            wrong += looker.faults(site, path, path)
        wrong += looker.faults(site, "/nowhere", "what is not there", quiet=False)
        if site == "console":
            looker.become(site, analyst)
            wrong += looker.faults(site, "/users", "what one may not see", quiet=False)
        for client, path, row in room.pages(site, none):
            looker.become(site, client)
            wrong += looker.faults(site, path, row["path"])
            seen.append(row["path"])
    assert not wrong, "\n".join(wrong)
    assert set(none) <= NOWHERE, none
    return seen


def test_every_page_of_the_console(whole_server, room):
    # covers: WEB-1, WEB-2
    # guard: 1200
    seen = walk(whole_server, room, "console")
    for page in ("/", "/instances", "/requests/{id}", "/instances/{id}/facts", "/devices/{id}", "/policies/{id}/versions", "/policies/drafts/{id}/rules",
                 "/notifications/{id}", "/webhooks/{id}", "/log", "/users/{id}", "/style"):
        assert page in seen, (page, seen)


def test_every_page_of_the_central_console(whole_server, room):
    # covers: WEB-1, WEB-2, WEB-4, ADM-2
    # guard: 900
    # In an operator's own colour, as pale as one may be: all of it can be read in that, too.
    assert room.operator.api("/appearance", {"name": "Harbour Vault", "support": "mailto:help@harbour.example", "colour": PALE}).status == 200
    seen = walk(whole_server, room, "central")
    for page in ("/", "/tenants/{id}", "/licences", "/health", "/keys", "/log", "/operators/{id}", "/appearance"):
        assert page in seen, (page, seen)
