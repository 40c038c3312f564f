/* family.c - what several families do with what they have read. */
#include "agent/integrity/family.h"

void fact_clean(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
			*text = '?';
}

json_t *fact_if(int keep, json_t *v)
{
	if (keep)
		return v;
	json_decref(v);
	return NULL;
}
