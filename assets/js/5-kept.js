/* 5-kept.js - what was typed when the session ended or the server failed comes back. */

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
