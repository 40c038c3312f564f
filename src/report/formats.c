/* formats.c - the writers of the formats. */
#include <string.h>

#include "report/report.h"

const struct report_format *report_format_find(const char *name)
{
	static const struct report_format *const formats[] = { &report_pdf, &report_xlsx, &report_csv };

	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
		if (strcmp(formats[i]->name, name) == 0)
			return formats[i];
	return NULL;
}
