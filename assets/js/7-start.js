/* 7-start.js - what begins with the page. */

function start() {
	all("[data-strength]").forEach(watch_password);
	watch_typed(document);
	give_back();
	all("[data-ticked]").forEach(watch_ticks);
	save_held();
}
if (document.readyState === "loading")
	document.addEventListener("DOMContentLoaded", start);
else
	start();
