/* theme.js - sets the chosen theme before the first paint, and says that scripts run. Without a choice the system's applies. */
(function () {
	"use strict";
	var root = document.documentElement, theme = null;

	try {
		theme = localStorage.getItem("theme");
	} catch (e) {
		/* Storage is switched off: the system's theme it is. */
	}
	if (theme === "light" || theme === "dark")
		root.setAttribute("data-bs-theme", theme);
	root.classList.add("js");
})();
