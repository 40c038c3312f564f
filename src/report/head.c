/* head.c - what a report says of itself, for all formats. */
#include "render/words.h"
#include "report/report.h"

void report_facts(const struct report_head *h, struct report_fact out[static REPORT_FACTS])
{
	const struct report_fact facts[REPORT_FACTS] = { { "Account", h->tenant }, { "Period", h->period }, { "Time zone", h->zone }, { "Made for", h->by },
		{ "Made", h->made }, { "Made with", h->product } };

	for (size_t i = 0; i < REPORT_FACTS; i++)
		out[i] = (struct report_fact){ words_text(h->words, facts[i].label), facts[i].value };
}
