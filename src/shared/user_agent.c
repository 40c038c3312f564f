/* user_agent.c - a User-Agent recognised. */
#include "shared/user_agent.h"

#include <stddef.h>
#include <string.h>

#include "base/mem.h"

/* The first of NEEDLES (pairs of what is searched and what is said) that the browser's description has. */
static const char *recognise(const char *agent, const char *const (*needles)[2], size_t count)
{
	for (size_t i = 0; agent && i < count; i++)
		if (strstr(agent, needles[i][0]))
			return needles[i][1];
	return "";
}

const char *user_agent_browser(const char *agent)
{
	/* Each names those before it, so the order matters. */
	static const char *const known[][2] = { { "Edg", "Edge" }, { "OPR/", "Opera" }, { "Firefox/", "Firefox" }, { "Chrom", "Chrome" },
		{ "Safari/", "Safari" }, { "curl/", "curl" }, { "ython", "Python" } };

	return recognise(agent, known, ARRAY_LEN(known));
}

const char *user_agent_system(const char *agent)
{
	static const char *const known[][2] = { { "Windows", "Windows" }, { "Android", "Android" }, { "iPhone", "iPhone" },
		{ "iPad", "iPad" }, { "Mac OS X", "macOS" }, { "Linux", "Linux" } };

	return recognise(agent, known, ARRAY_LEN(known));
}
