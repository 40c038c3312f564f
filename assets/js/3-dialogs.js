/* 3-dialogs.js - pages that ask before something is done, as dialogs; the list of keys; where the focus goes back to. */

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
