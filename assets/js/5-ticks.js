/* 5-ticks.js - what is ticked in a list stays ticked while one turns its pages and searches: in this tab, until it is sent. */

function kept_ticks() {
	var kept;

	try {
		kept = JSON.parse(sessionStorage.getItem("ticks"));
	} catch (e) {
		return [];
	}
	return kept && kept.path === location.pathname && kept.user === document.body.getAttribute("data-user") && Date.now() - kept.at < KEPT_MS ? kept.ids : [];
}

function keep_ticks(ids) {
	try {
		sessionStorage.setItem("ticks", JSON.stringify({ path: location.pathname, user: document.body.getAttribute("data-user"), at: Date.now(), ids: ids }));
	} catch (e) {
		/* Then they count on this page alone, as without scripts. */
	}
}

function ids_of(fields) {
	return fields.map(function (field) { return field.value; });
}

/* NOTE says how many there are on other pages: they are sent, so one must see that they are. */
function watch_ticks(note) {
	var form = note.closest("form"), boxes = all(".kw-tickbox input", form), kept = kept_ticks();
	var hint = form.querySelector("[name=scope][value=selected] + span .kw-sub");

	function others() {
		return all("[data-ticked-there]", form);
	}

	function show() {
		note.hidden = others().length === 0;
		note.querySelector("b").textContent = others().length;
		keep_ticks(ids_of(others()).concat(ids_of(boxes.filter(function (box) { return box.checked; }))));
	}

	kept.forEach(function (id) {
		var box = boxes.filter(function (b) { return b.value === id; })[0], field = document.createElement("input");

		if (box) {
			box.checked = true;
			return;
		}
		field.type = "hidden";
		field.name = note.getAttribute("data-ticked");
		field.value = id;
		field.setAttribute("data-ticked-there", "");
		form.append(field);
	});
	if (hint)
		hint.hidden = true;
	show();
	form.addEventListener("change", show);
	form.addEventListener("submit", function () { keep_ticks([]); });
	note.querySelector("button").addEventListener("click", function () {
		others().forEach(function (field) { field.remove(); });
		show();
	});
}
