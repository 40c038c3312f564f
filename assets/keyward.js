/* keyward.js - comfort on top of pages that work without it: theme switch, copy and reveal buttons, relative times, confirm
 * pages as dialogs, password strength, filters within a page, keys, forms that are sent once and not lost, parts that refresh themselves. Adds no inline script or style. */
(function () {
	"use strict";

	function all(selector, root) {
		return Array.prototype.slice.call((root || document).querySelectorAll(selector));
	}

	function on(type, selector, act) {
		document.addEventListener(type, function (event) {
			var at = event.target.closest && event.target.closest(selector);

			if (at)
				act(event, at);
		});
	}

	/* Theme */

	on("click", "[data-theme-switch]", function () {
		var root = document.documentElement;
		var chosen = root.getAttribute("data-bs-theme");
		var dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;

		root.setAttribute("data-bs-theme", dark ? "light" : "dark");
		try {
			localStorage.setItem("theme", dark ? "light" : "dark");
		} catch (e) {
			/* Not kept, then. */
		}
	});

	/* Copy and reveal */

	function say(text) {
		var region = document.getElementById("kw-live");

		if (region)
			region.textContent = text;
	}

	on("click", "[data-copy]", function (event, button) {
		var source = document.getElementById(button.getAttribute("data-copy"));
		var text = "value" in source ? source.value : source.textContent;

		navigator.clipboard.writeText(text.trim()).then(function () {
			button.classList.add("is-done");
			say(button.getAttribute("data-done"));
			setTimeout(function () { button.classList.remove("is-done"); }, 2000);
		});
	});

	on("click", "[data-reveal]", function (event, button) {
		var field = document.getElementById(button.getAttribute("data-reveal"));
		var shown = field.type === "text";

		field.type = shown ? "password" : "text";
		button.setAttribute("aria-pressed", shown ? "false" : "true");
	});

	/* Relative times: the server's words until the first minute has passed, then counted on. */

	var steps = [[60, "second"], [60, "minute"], [24, "hour"], [30, "day"], [12, "month"], [Infinity, "year"]];

	function relative(date) {
		var value = (date - Date.now()) / 1000, i;
		var format = new Intl.RelativeTimeFormat(document.documentElement.lang || "en", { numeric: "auto" });

		for (i = 0; i < steps.length; i++) {
			if (Math.abs(value) < steps[i][0])
				return format.format(Math.round(value), steps[i][1]);
			value /= steps[i][0];
		}
	}

	function tick() {
		all("time[data-relative]").forEach(function (time) {
			time.textContent = relative(new Date(time.dateTime));
		});
	}
	setInterval(tick, 20000);

	/* The focus goes back to what had it, or to what has taken its place when its part refreshed meanwhile. */
	function focus_back(opener) {
		var same = document.contains(opener) ? opener : opener.id ? document.getElementById(opener.id) : all("a[data-dialog]").filter(function (link) {
			return link.getAttribute("href") === opener.getAttribute("href");
		})[0];

		(same || document.getElementById("main")).focus();
	}

	/* Confirm pages as dialogs: the page's own form, shown here. Anything unexpected falls back to the page. */

	function show_dialog(form_area, opener) {
		var dialog = document.createElement("dialog");
		var cancel = form_area.querySelector("[data-cancel]");

		dialog.className = "kw-dialog";
		dialog.setAttribute("aria-labelledby", "confirm-title");
		dialog.appendChild(document.importNode(form_area, true));
		cancel = dialog.querySelector("[data-cancel]");
		if (cancel)
			cancel.addEventListener("click", function (event) {
				event.preventDefault();
				dialog.close();
			});
		dialog.addEventListener("click", function (event) {
			if (event.target === dialog)
				dialog.close();
		});
		dialog.addEventListener("close", function () {
			dialog.remove();
			focus_back(opener);
		});
		document.body.appendChild(dialog);
		watch_typed(dialog);
		dialog.showModal();
		/* What destroys something is not done by one press too many of the key that has opened the dialog. */
		if (cancel && document.activeElement.matches(".btn-danger"))
			cancel.focus();
	}

	on("click", "a[data-dialog]", function (event, link) {
		if (event.ctrlKey || event.metaKey || event.shiftKey || event.button)
			return;
		event.preventDefault();
		fetch(link.href, { headers: { Accept: "text/html" }, credentials: "same-origin" }).then(function (response) {
			if (!response.ok || response.redirected)
				throw new Error("not a confirm page");
			return response.text();
		}).then(function (text) {
			var area = new DOMParser().parseFromString(text, "text/html").querySelector(".kw-confirm");

			if (!area)
				throw new Error("not a confirm page");
			show_dialog(area, link);
		}).catch(function () {
			location.href = link.href;
		});
	});

	/* A name that has to be typed enables the button; the server checks it again. */
	function watch_typed(root) {
		all("[data-typed]", root).forEach(function (field) {
			var button = field.form.querySelector("[data-needs-typed]");

			function check() {
				button.disabled = field.value.trim() !== field.getAttribute("data-typed");
			}
			field.addEventListener("input", check);
			check();
		});
	}

	/* Password strength: which rules hold, and how far it is from easily guessed. The server decides. */

	var rules = {
		length: function (s) { return s.length >= 8 && s.length <= 128; },
		long: function (s) { return s.length >= 12 && s.length <= 128; },
		upper: function (s) { return /\p{Lu}/u.test(s); },
		lower: function (s) { return /\p{Ll}/u.test(s); },
		digit: function (s) { return /\p{Nd}/u.test(s); },
		special: function (s) { return /[^\p{L}\p{Nd}\s]/u.test(s); }
	};

	function strength(s) {
		var kinds = ["upper", "lower", "digit", "special"].filter(function (k) { return rules[k](s); }).length;
		var different = new Set(s).size;
		var bits = different * Math.log2(10 + 20 * kinds);

		return s === "" ? 0 : bits < 35 ? 1 : bits < 55 ? 2 : bits < 75 ? 3 : 4;
	}

	function watch_password(box) {
		var field = document.getElementById(box.getAttribute("data-strength"));
		var meter = box.querySelector("meter"), word = box.querySelector("[data-words]");
		var words = word.getAttribute("data-words").split("|");

		field.addEventListener("input", function () {
			var s = strength(field.value);

			meter.value = s;
			word.textContent = words[s];
			all("[data-rule]", box).forEach(function (item) {
				item.classList.toggle("is-met", rules[item.getAttribute("data-rule")](field.value));
			});
		});
	}

	/* A select or a date that submits its form by itself, as if its button (named by id) had been pressed. */
	on("change", "[data-submit]", function (event, field) {
		field.form.requestSubmit(document.getElementById(field.getAttribute("data-submit")));
	});

	/* Forms that are sent again and again while one works on them: the answer takes the page's place, which stays where it is. Anything
	 * unexpected is an ordinary page. */

	var shown = location.pathname + location.search;

	/* What is typed is the field's value; a box or a choice is ticked or not. */
	function each_field(form, act) {
		Array.prototype.forEach.call(form.elements, function (field) {
			if (/^(radio|checkbox)$/.test(field.type))
				act(field.name + "=" + field.value, field, "checked");
			else if (field.id && /^(text|number|search|select-one|textarea)$/.test(field.type))
				act(field.id, field, "value");
		});
	}

	function values(form) {
		var found = {};

		each_field(form, function (name, field, member) { found[name] = field[member]; });
		return found;
	}

	/* What was typed or chosen while the answer was under way, into the same fields of the answer. */
	function carry_over(form, sent, typed) {
		each_field(form, function (name, field, member) {
			if (name in sent && name in typed && typed[name] !== sent[name] && field[member] === sent[name])
				field[member] = typed[name];
		});
	}

	function take_in(text, url, sent, focus) {
		var page = new DOMParser().parseFromString(text, "text/html");
		var next = page.querySelector("main"), main = document.querySelector("main");
		var hash = url.indexOf("#"), form = main.querySelector("form[data-smooth]"), line, typed;

		if (!form || !next || !next.querySelector("form[data-smooth]"))
			return false;
		typed = values(form);
		focus = main.contains(document.activeElement) && document.activeElement.id || focus;
		main.replaceWith(document.importNode(next, true));
		carry_over(document.querySelector("main form[data-smooth]"), sent, typed);
		document.title = page.title;
		history.pushState(null, "", url);
		shown = location.pathname + location.search;
		line = hash >= 0 && document.getElementById(url.slice(hash + 1));
		if (line)
			line.scrollIntoView({ block: "nearest" });
		focus = document.getElementById(focus) || document.querySelector("[aria-invalid=true]");
		if (focus)
			focus.focus();
		else
			document.querySelector("main").focus({ preventScroll: true });
		return true;
	}

	on("submit", "form[data-smooth]", function (event, form) {
		var button = event.submitter, go = button ? button.value : "";
		var body = new URLSearchParams(new FormData(form, button)), focus = document.activeElement.id, sent = values(form);

		if (!/^(stay|up|down|into|out|wrap|unwrap|remove|condition|drop|group|search|page|all|none)\b/.test(go))
			return;
		event.preventDefault();
		fetch(form.action, { method: "POST", body: body, credentials: "same-origin", headers: { Accept: "text/html" } })
			.then(function (response) {
				return response.text().then(function (text) {
					if (!response.ok || !take_in(text, response.url, sent, focus))
						throw new Error("another page");
				});
			}).catch(function () {
				form.removeAttribute("data-smooth");
				form.requestSubmit(button);
			});
	});
	/* Back to another page than the one that is here: not to another place of the same one, as by a link within it. */
	addEventListener("popstate", function () {
		if (location.pathname + location.search !== shown)
			location.reload();
	});

	/* A file chosen is read into the text field below; it is sent as text. */
	on("change", "[data-into]", function (event, field) {
		var into = document.getElementById(field.getAttribute("data-into"));

		if (field.files.length === 0)
			return;
		field.files[0].text().then(function (text) {
			into.value = text;
			into.dispatchEvent(new Event("input", { bubbles: true }));
			into.reportValidity();
		});
	});

	/* Too long is said before it is sent: what is far too long would come to a page without the form. */
	on("input", "[data-most]", function (event, field) {
		var long = field.value.length > Number(field.getAttribute("data-most"));

		field.setCustomValidity(long ? field.getAttribute("data-too-long") : "");
	});

	/* A button that puts its text where the cursor is, or was last, in one of the form's texts. */
	var text_field = null;

	document.addEventListener("focusin", function (event) {
		if (event.target.matches("form[data-variables] textarea, form[data-variables] #f-subject"))
			text_field = event.target;
	});
	on("click", "[data-insert]", function (event, button) {
		var form = button.closest("form");
		var field = text_field && form.contains(text_field) && !/^(recipients)$/.test(text_field.name) ? text_field : form.querySelector("#f-content");

		field.focus();
		field.setRangeText(button.getAttribute("data-insert"), field.selectionStart, field.selectionEnd, "end");
		field.dispatchEvent(new Event("input", { bubbles: true }));
	});

	/* A file that a page holds: saved at once, but not again when the page comes back. */
	function save_held() {
		var link = document.querySelector("[data-held-file]");

		if (link && !(history.state && history.state.saved)) {
			history.replaceState({ saved: true }, "");
			link.click();
		}
	}

	/* A list as a text file, or on paper. */
	on("click", "[data-save]", function (event, button) {
		var lines = all("li", document.getElementById(button.getAttribute("data-save"))).map(function (item) { return item.textContent; });
		var text = [button.getAttribute("data-head")].concat(lines).join("\n") + "\n", link = document.createElement("a");

		link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
		link.download = button.getAttribute("data-file");
		link.click();
		URL.revokeObjectURL(link.href);
	});
	on("click", "[data-print]", function () { print(); });

	/* Search within what the page shows already. */
	on("input", "[data-filter]", function (event, field) {
		var wanted = field.value.toLowerCase().split(" "), area = document.getElementById(field.getAttribute("data-filter"));

		all(".kw-type", area).forEach(function (entry) {
			var text = (entry.closest(".kw-type-group").getAttribute("aria-label") + " " + entry.textContent + " " + entry.getAttribute("data-words")).toLowerCase();

			entry.hidden = !wanted.every(function (word) { return text.indexOf(word) >= 0; });
		});
		all(".kw-type-group", area).forEach(function (group) {
			group.hidden = !group.querySelector(".kw-type:not([hidden])");
		});
		all(".kw-filter-none", area).forEach(function (none) {
			none.hidden = area.querySelector(".kw-type:not([hidden])") !== null;
		});
	});

	/* Keys: "/" to the page's search box, "?" to what keys there are; Esc is the browser's, of dialogs and popovers, and gives focus back. */

	function is_typing() {
		var at = document.activeElement;

		return /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName) || at.isContentEditable;
	}

	function show_keys() {
		var keys = document.getElementById("keys"), from = document.activeElement;

		if (!keys || keys.open)
			return;
		keys.addEventListener("close", function () { focus_back(from); }, { once: true });
		keys.showModal();
	}
	on("click", "[data-keys]", show_keys);
	on("click", "dialog [data-close]", function (event, button) { button.closest("dialog").close(); });

	document.addEventListener("keydown", function (event) {
		var box = document.querySelector("main input[type=search]");

		if (event.ctrlKey || event.metaKey || event.altKey || is_typing() || document.querySelector("dialog[open]"))
			return;
		if (event.key === "/" && box) {
			event.preventDefault();
			box.focus();
			box.select();
		} else if (event.key === "?") {
			event.preventDefault();
			show_keys();
		}
	});
	/* A search box is left with Esc. */
	document.addEventListener("keydown", function (event) {
		if (event.key === "Escape" && event.target.matches && event.target.matches("input[type=search]")) {
			event.target.blur();
			document.getElementById("main").focus({ preventScroll: true });
		}
	});

	/* A form is sent once, however often its button is pressed, until its answer is there; a page that comes back from the browser's history can be
	 * sent again, and the server says what has changed meanwhile. */
	document.addEventListener("submit", function (event) {
		var form = event.target;

		if (event.defaultPrevented || form.method !== "post")
			return;
		if (form.hasAttribute("data-sent")) {
			event.preventDefault();
			return;
		}
		form.setAttribute("data-sent", "");
		/* A download leaves the page where it is. */
		setTimeout(function () { form.removeAttribute("data-sent"); }, 5000);
	});
	addEventListener("pageshow", function () {
		all("form[data-sent]").forEach(function (form) { form.removeAttribute("data-sent"); });
	});

	/* What was typed when the session ended or the server failed, for the same form when it is there again: in this tab alone, for one try, never a secret. */
	var KEPT_MS = 30 * 60000;

	function worth_keeping(field) {
		return field.name && field.name !== "csrf" && /^(text|search|email|url|number|date|time|textarea|select-one|checkbox|radio)$/.test(field.type) &&
			!/secret|password|passphrase|code|token|private|^key$|_key$/.test(field.name);
	}

	/* [name, value, whether it is ticked, how many of its name come before it] of each, or of those that WANTED says. */
	function kept_of(form, wanted) {
		var seen = {};

		return Array.prototype.filter.call(form.elements, worth_keeping).map(function (field) {
			seen[field.name] = (seen[field.name] || 0) + 1;
			return wanted && !wanted(field) ? null : [field.name, field.value, field.checked, seen[field.name] - 1];
		}).filter(Boolean);
	}

	function keep(form) {
		var kept = kept_of(form);

		return kept.length && JSON.stringify({ action: form.getAttribute("action"), at: Date.now(), user: document.body.getAttribute("data-user"), fields: kept });
	}

	document.addEventListener("submit", function (event) {
		if (event.defaultPrevented || event.target.method !== "post" || !document.body.hasAttribute("data-user"))
			return;
		try {
			if (keep(event.target))
				sessionStorage.setItem("form", keep(event.target));
		} catch (e) {
			/* Not kept, then. */
		}
	});

	function fill(form, fields) {
		fields.forEach(function (kept) {
			all("[name=" + CSS.escape(kept[0]) + "]", form).filter(worth_keeping).forEach(function (field, n) {
				if (field.type === "checkbox" || field.type === "radio")
					field.checked = field.value === kept[1] ? kept[2] : field.checked;
				else if (n === kept[3] && field.value !== kept[1])
					field.value = kept[1];
			});
		});
	}

	/* A sign-in page after a form, or an error: the form was lost. Any other page of somebody who is signed in: it has arrived, or its page is here
	 * again. */
	function give_back() {
		var user = document.body.getAttribute("data-user"), sent, kept, form;

		try {
			sent = sessionStorage.getItem("form");
			sessionStorage.removeItem("form");
			if (!user || document.querySelector("[data-not-taken]")) {
				if (sent)
					sessionStorage.setItem("lost", sent);
				return;
			}
			/* The server has kept it, too. */
			if (document.querySelector("[data-given-back]"))
				sessionStorage.removeItem("lost");
			kept = JSON.parse(sessionStorage.getItem("lost"));
			if (kept && (kept.user !== user || Date.now() - kept.at > KEPT_MS))
				sessionStorage.removeItem("lost");
			else if (kept)
				form = all("form").filter(function (f) { return f.getAttribute("action") === kept.action && f.method === "post"; })[0];
		} catch (e) {
			return;
		}
		if (!form)
			return;
		sessionStorage.removeItem("lost");
		fill(form, kept.fields);
		form.before(document.getElementById("kw-given-back").content.firstElementChild.cloneNode(true));
	}

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

	function start() {
		all("[data-strength]").forEach(watch_password);
		watch_typed(document);
		give_back();
		save_held();
	}
	if (document.readyState === "loading")
		document.addEventListener("DOMContentLoaded", start);
	else
		start();
})();
