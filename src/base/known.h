/* known.h - sentences that were kept in English (reasons in the log, faults of a policy) found again among those that this build knows, so that a page can say
 * them in its language. What is kept stays as it was said.
 *
 * A known sentence is written as its phrase is (base/phrase.h): "no answer from %{host}: %{why}". A hole takes what stands in its place, up to the first
 * place where the sentence goes on; the holes "why" and "time" are looked for as sentences themselves, "label" is a text of the catalogues, and "n" takes digits alone. MANY: the text for more than
 * one ("%{n} day", "%{n} days"). */
#ifndef BASE_KNOWN_H
#define BASE_KNOWN_H

#include <jansson.h>

struct known {
	const char *text, *many;
};

/* The phrase of TEXT by the first of KNOWN (up to one whose text is NULL) that it fits; NULL: none does. The caller's. */
json_t *known_phrase(const struct known *known, const char *text);

#endif
