/* appearance.js - the page Appearance: the pictures follow what is in the form; how well white text can be read on the colour is said while it is chosen. */
(function () {
	"use strict";

	var LEGIBLE = 4.5, STEPS = 1000;
	var name = document.getElementById("f-name"), colour = document.getElementById("f-colour"), wheel = document.getElementById("colour-wheel");
	var logo = document.getElementById("f-logo"), none = document.getElementById("f-no_logo"), contrast = document.getElementById("contrast");
	var shade = document.getElementById("shade");

	function each(selector, act) {
		Array.prototype.forEach.call(document.querySelectorAll(selector), act);
	}

	/* As the server has it (src/central/colour.c). */
	function light(share) {
		var v = share / 255;

		return v <= 0.04045 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4);
	}

	function contrast_of(rgb) {
		return 1.05 / (0.2126 * light(rgb[0]) + 0.7152 * light(rgb[1]) + 0.0722 * light(rgb[2]) + 0.05);
	}

	function darker(rgb, step) {
		return rgb.map(function (v) { return Math.floor(v * step / STEPS); });
	}

	function legible(rgb) {
		var step = STEPS;

		while (step > 0 && contrast_of(darker(rgb, step)) < LEGIBLE)
			step--;
		return "#" + darker(rgb, step).map(function (v) { return (v < 16 ? "0" : "") + v.toString(16); }).join("");
	}

	function show_colour() {
		var text = colour.value.trim().toLowerCase(), ok = /^#[0-9a-f]{6}$/.test(text), rgb, has;

		contrast.hidden = !ok;
		if (!ok)
			return;
		rgb = [1, 3, 5].map(function (at) { return parseInt(text.slice(at, at + 2), 16); });
		has = contrast_of(rgb);
		contrast.querySelector("strong").textContent = (Math.floor(has * 100) / 100).toFixed(2);
		shade.hidden = has >= LEGIBLE;
		shade.querySelector("span").textContent = has >= LEGIBLE ? "" : legible(rgb);
		if (wheel.value !== text)
			wheel.value = text;
		each(".kw-look", function (look) {
			if (text === colour.getAttribute("data-saved") && !look.classList.contains("is-tried"))
				return;
			look.style.setProperty("--kw-tried", text);
			look.classList.add("is-tried");
		});
	}

	function show_name() {
		each("[data-look=name]", function (at) { at.textContent = name.value.trim(); });
	}

	function show_logo() {
		var text = logo.value.replace(/\s/g, ""), url = /^data:image\/png;base64,/.test(text) ? text : text ? "data:image/png;base64," + text : "";

		each("[data-look=logo]", function (image) {
			image.dataset.saved = image.dataset.saved || image.getAttribute("src");
			image.src = none && none.checked ? image.dataset.own : url || image.dataset.saved;
		});
	}

	name.addEventListener("input", show_name);
	colour.addEventListener("input", show_colour);
	wheel.addEventListener("input", function () {
		colour.value = wheel.value;
		show_colour();
	});
	shade.addEventListener("click", function () {
		colour.value = shade.querySelector("span").textContent;
		show_colour();
		colour.focus();
	});
	logo.addEventListener("input", show_logo);
	if (none)
		none.addEventListener("change", show_logo);
	show_colour();
	if (logo.value || (none && none.checked))
		show_logo();
})();
