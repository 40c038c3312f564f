/* 2-page.js - comfort on any page: the theme, copying and revealing, relative times, what a page holds as a file or a list, search within it. */

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
