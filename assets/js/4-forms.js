/* 4-forms.js - help while a form is filled in, and how it is sent: once, or again and again while one works on it. */

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

/* What is no text, such as a picture. */
function as_url(file) {
	return new Promise(function (done, failed) {
		var reader = new FileReader();

		reader.onload = function () { done(reader.result); };
		reader.onerror = failed;
		reader.readAsDataURL(file);
	});
}

/* A file chosen is read into the text field below; it is sent as text. */
on("change", "[data-into]", function (event, field) {
	var into = document.getElementById(field.getAttribute("data-into")), most = Number(field.getAttribute("data-bytes")), file = field.files[0];
	var large = file && most && file.size > most;

	field.setCustomValidity(large ? field.getAttribute("data-too-large") : "");
	if (large)
		field.reportValidity();
	if (!file || large)
		return;
	(field.getAttribute("data-as") === "url" ? as_url(file) : file.text()).then(function (text) {
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
