/* keyward.js - comfort on top of pages that work without it: theme switch, copy and reveal buttons, relative times, confirm
 * pages as dialogs, password strength, filters within a page, lists that refresh themselves. Adds no inline script or style. */
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
	setInterval(tick, 60000);

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
			opener.focus();
		});
		document.body.appendChild(dialog);
		watch_typed(dialog);
		dialog.showModal();
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

	function values(form) {
		var found = {};

		Array.prototype.forEach.call(form.elements, function (field) {
			if (field.id && /^(text|number|search|select-one|textarea)$/.test(field.type))
				found[field.id] = field.value;
		});
		return found;
	}

	/* What was typed while the answer was under way, into the same fields of the answer. */
	function carry_over(sent, typed) {
		Object.keys(sent).forEach(function (id) {
			var field = document.getElementById(id);

			if (field && id in typed && typed[id] !== sent[id] && field.value === sent[id])
				field.value = typed[id];
		});
	}

	function take_in(text, url, form, sent, focus) {
		var page = new DOMParser().parseFromString(text, "text/html");
		var next = page.querySelector("main"), main = document.querySelector("main");
		var hash = url.indexOf("#"), typed = values(form), line;

		if (!next || !next.querySelector("form[data-smooth]"))
			return false;
		focus = main.contains(document.activeElement) && document.activeElement.id || focus;
		main.replaceWith(document.importNode(next, true));
		carry_over(sent, typed);
		document.title = page.title;
		history.pushState(null, "", url);
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
					if (!response.ok || !take_in(text, response.url, form, sent, focus))
						throw new Error("another page");
				});
			}).catch(function () {
				form.removeAttribute("data-smooth");
				form.requestSubmit(button);
			});
	});
	addEventListener("popstate", function () { location.reload(); });

	/* A file chosen is read into the text field below; it is sent as text. */
	on("change", "[data-into]", function (event, field) {
		field.files[0].text().then(function (text) {
			document.getElementById(field.getAttribute("data-into")).value = text;
		});
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
		var wanted = field.value.toLowerCase(), area = document.getElementById(field.getAttribute("data-filter"));

		all(".kw-type", area).forEach(function (entry) {
			entry.hidden = entry.textContent.toLowerCase().indexOf(wanted) < 0;
		});
		all(".kw-type-group", area).forEach(function (group) {
			group.hidden = !group.querySelector(".kw-type:not([hidden])");
		});
		all(".kw-filter-none", area).forEach(function (none) {
			none.hidden = area.querySelector(".kw-type:not([hidden])") !== null;
		});
	});

	/* "/" goes to the page's search box, as is usual. */
	document.addEventListener("keydown", function (event) {
		var box = document.querySelector("input[type=search]");

		if (event.key === "/" && box && !/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) {
			event.preventDefault();
			box.focus();
		}
	});

	/* Live lists. A failed refresh dims the sign; the next good one lights it again. Nothing refreshes in a hidden tab. */

	function live(ok) {
		all("[data-live]").forEach(function (sign) {
			sign.classList.toggle("is-stale", !ok);
			sign.querySelector("[data-live-text]").textContent = sign.getAttribute(ok ? "data-live" : "data-stale");
		});
	}
	document.addEventListener("htmx:before:request", function (event) {
		var from = event.detail.ctx.sourceElement;

		/* Who reads the details of a row would lose them. */
		if (document.hidden || (from.hasAttribute("data-rests") && from.querySelector("details[open]")))
			event.preventDefault();
	});
	/* Only the list itself is taken in: not a sign-in page that a redirect led to after the session ended. */
	document.addEventListener("htmx:after:request", function (event) {
		var ctx = event.detail.ctx;
		var good = ctx.response.status === 200 && !ctx.response.raw.redirected && ctx.text.includes('id="' + ctx.sourceElement.id + '"');

		live(good);
		if (!good)
			event.preventDefault();
	});
	document.addEventListener("htmx:error", function () { live(false); });
	document.addEventListener("htmx:after:swap", tick);

	/* The bell asks for itself: its own element, nothing else that an answer may hold. */
	function ring() {
		var bell = document.getElementById("bell");

		if (!bell || document.hidden)
			return;
		fetch(bell.getAttribute("data-bell"), { headers: { Accept: "text/html" }, credentials: "same-origin" }).then(function (response) {
			return response.ok && !response.redirected ? response.text() : "";
		}).then(function (text) {
			var next = new DOMParser().parseFromString(text, "text/html").getElementById("bell"), had = document.activeElement === bell;

			if (!next || next.outerHTML === bell.outerHTML)
				return;
			next = document.importNode(next, true);
			bell.replaceWith(next);
			say(next.getAttribute("aria-label"));
			if (had)
				next.focus();
		}).catch(function () {
			/* The next time, then. */
		});
	}
	setInterval(ring, 10000);
	document.addEventListener("visibilitychange", ring);

	function start() {
		all("[data-strength]").forEach(watch_password);
		watch_typed(document);
	}
	if (document.readyState === "loading")
		document.addEventListener("DOMContentLoaded", start);
	else
		start();
})();
