/* 6-live.js - parts that refresh themselves, the bell and the menu's counts; what is typed in them stays. */

/* Live: a page asks for its one part that changes every some seconds; with it come the bell and the menu's counts, which a page without such a part
 * asks for alone. One request at a time over one connection; what has not changed is not sent again. A failed one dims the sign, the next
 * good one lights it. Nothing asks in a hidden tab; one that is looked at again, or has a network again, asks at once. */

var looks = new Map();           /* by address: how its answer looked last */
var RING_MS = 10000, rung = 0;

function live(ok) {
	all("[data-live]").forEach(function (sign) {
		var text = sign.getAttribute(ok ? "data-live" : "data-stale");

		/* Said once, when it changes. */
		if (sign.classList.contains("is-stale") === ok)
			say(text);
		sign.classList.toggle("is-stale", !ok);
		sign.querySelector("[data-live-text]").textContent = text;
	});
}

/* The elements of the frame that PAGE has, in place of ours. */
function take_frame(page) {
	all("[data-frame]", page).forEach(function (next) {
		var present = document.querySelector("[data-frame=" + CSS.escape(next.getAttribute("data-frame")) + "]"), had;

		if (!present || present.outerHTML === next.outerHTML)
			return;
		had = document.activeElement === present;
		next = document.importNode(next, true);
		present.replaceWith(next);
		if (next.id === "bell")
			say(next.getAttribute("aria-label"));
		if (had)
			next.focus();
	});
}

document.addEventListener("htmx:config:request", function (event) {
	var request = event.detail.ctx.request;

	if (looks.has(request.action))
		request.headers["If-None-Match"] = looks.get(request.action);
});
document.addEventListener("htmx:before:request", function (event) {
	var from = event.detail.ctx.sourceElement;

	/* Who reads the details of a row, or what is wrong with a form, would lose it. */
	if (document.hidden || (from.hasAttribute("data-rests") && from.querySelector("details[open]"))) {
		event.preventDefault();
	} else if (from.querySelector("[role=alert], [aria-invalid=true]")) {
		live(false);
		event.preventDefault();
	}
});
/* Only the part itself is taken in: not a sign-in page that a redirect led to after the session ended. */
document.addEventListener("htmx:after:request", function (event) {
	var ctx = event.detail.ctx, page, part;

	if (ctx.response.status === 304) {
		looks.set(ctx.request.action, ctx.response.headers.get("etag"));
		live(true);
		event.preventDefault();
		return;
	}
	page = new DOMParser().parseFromString(ctx.text, "text/html");
	part = page.getElementById(ctx.sourceElement.id);
	if (ctx.response.status !== 200 || ctx.response.raw.redirected || !part) {
		live(false);
		/* What nobody may see any more, for a session or a right that has ended, is said by loading the page again. */
		if (!ctx.response.headers.has("hx-refresh"))
			event.preventDefault();
		return;
	}
	live(true);
	if (pressed()) {
		event.preventDefault();
		return;
	}
	looks.set(ctx.request.action, ctx.response.headers.get("etag"));
	take_frame(page);
	ctx.text = part.outerHTML;
});
document.addEventListener("htmx:error", function () { live(false); });

/* While a button of the mouse is down, nothing is replaced under it: the click would be nobody's. The next answer is taken in. Not for ever: that
 * it was let go may be told to somebody else, such as the list of a select. */
var PRESS_MS = 20000, pressed_at = 0;

["pointerdown", "pointerup", "pointercancel", "pointerover", "dragend"].forEach(function (type) {
	document.addEventListener(type, function (event) {
		if (type === "pointerdown")
			pressed_at = Date.now();
		else if (type !== "pointerover" || event.buttons === 0)
			pressed_at = 0;
	}, true);
});

function pressed() {
	return Date.now() - pressed_at < PRESS_MS;
}

/* A part that takes another's place takes over what was typed and chosen there, and the focus. Where it has no such form any more, what was typed
 * is shown above it. */

var HOLD_MS = 1500;
var before = null, moved = new Set();    /* of the swap under way; forms by action whose data-basis has changed under somebody's eyes */

function the_form(part, kept) {
	return all("form", part).filter(function (form) { return form.getAttribute("action") === kept.action; })[kept.number];
}

function is_typed(field) {
	return /^(text|email|url|number|textarea)$/.test(field.type) && worth_keeping(field) && is_changed(field);
}

function is_changed(field) {
	if (field.options)
		return Array.prototype.some.call(field.options, function (option) { return option.selected !== option.defaultSelected; });
	return field.checked !== field.defaultChecked || field.value !== field.defaultValue;
}

/* What tells an element from others of its part. */
function sign_of(element) {
	return element.id || [element.tagName, element.getAttribute("href"), element.name, element.value, element.textContent].join("|");
}

function remember(part) {
	var seen = {};

	return {
		id: part.id,
		focus: part.contains(document.activeElement) ? sign_of(document.activeElement) : null,
		forms: all("form", part).map(function (form) {
			var action = form.getAttribute("action");

			seen[action] = (seen[action] || 0) + 1;
			return { action: action, number: seen[action] - 1, basis: form.getAttribute("data-basis"), fields: kept_of(form, is_changed),
				typed: Array.prototype.filter.call(form.elements, is_typed).map(function (field) { return field.value; }) };
		})
	};
}

/* The form is about something else than its user has seen: it says so, and is not sent by a click that was meant for the other. */
function basis_changed(form) {
	form.setAttribute("data-held", Date.now() + HOLD_MS);
	moved.add(form.getAttribute("action"));
	say(form.querySelector("[data-changed]").textContent);
}

function show_lost(part, kept) {
	var notice = document.getElementById("kw-lost").content.firstElementChild.cloneNode(true);

	kept.typed.forEach(function (text) {
		var quote = document.createElement("blockquote");

		quote.textContent = text;
		notice.lastElementChild.appendChild(quote);
	});
	part.before(notice);
	say(notice.textContent);
}

function give_over(part) {
	before.forms.forEach(function (kept) {
		var form = the_form(part, kept), basis = form && form.getAttribute("data-basis");

		if (!form && kept.typed.length)
			show_lost(part, kept);
		if (!form)
			return;
		fill(form, kept.fields);
		if (basis !== kept.basis)
			basis_changed(form);
		if (moved.has(kept.action))
			all("[data-changed]", form).forEach(function (notice) { notice.hidden = false; });
	});
	if (before.focus && !part.contains(document.activeElement))
		(all("a, button, input, select, textarea, summary", part).filter(function (e) { return sign_of(e) === before.focus; })[0] ||
			document.getElementById("main")).focus({ preventScroll: true });
}

document.addEventListener("htmx:before:swap", function (event) { before = remember(event.detail.ctx.sourceElement); });
document.addEventListener("htmx:after:swap", function () {
	var part = before && document.getElementById(before.id);

	tick();
	if (part)
		give_over(part);
	before = null;
});
document.addEventListener("submit", function (event) {
	if (Date.now() < Number(event.target.getAttribute("data-held")))
		event.preventDefault();
}, true);

function ring() {
	var bell = document.getElementById("bell"), address, headers;

	if (!bell || document.hidden || document.querySelector("[hx-get]"))
		return;
	rung = Date.now();
	address = bell.getAttribute("data-bell");
	headers = looks.has(address) ? { Accept: "text/html", "If-None-Match": looks.get(address) } : { Accept: "text/html" };
	fetch(address, { headers: headers, credentials: "same-origin" }).then(function (response) {
		if (response.status !== 200 || response.redirected || pressed())
			return "";
		looks.set(address, response.headers.get("etag"));
		return response.text();
	}).then(function (text) {
		if (text)
			take_frame(new DOMParser().parseFromString(text, "text/html"));
	}).catch(function () {
		/* The next time, then. */
	});
}

function look() {
	if (document.hidden)
		return;
	all("[hx-get]").forEach(function (part) { part.dispatchEvent(new CustomEvent("look")); });
	if (Date.now() - rung > 1000)
		ring();
}
setInterval(ring, RING_MS);
document.addEventListener("visibilitychange", look);
addEventListener("online", look);
