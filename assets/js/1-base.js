/* 1-base.js - what the script of all pages stands on: finding elements, listening to the document, saying something to who cannot see it.
 *
 * The pages work without it. tools/assets joins the files of this folder in their order, within one function; none adds an inline script or style. */

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

function say(text) {
	var region = document.getElementById("kw-live");

	if (region)
		region.textContent = text;
}
