/* forms.c - the table of formats. */
#include <string.h>

#include "report/report.h"

const struct report_form report_forms[] = {
	{ "pdf", "PDF", "PDF", "To hand out. Tables of up to 10,000 rows.", "pdf", "application/pdf" },
	{ "xlsx", "Excel (XLSX)", "Excel", "To go on working with.", "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" },
	{ "csv", "CSV", "CSV", "For other programs: one file per part, in a zip.", "csv.zip", "application/zip" },
	{ NULL },
};

const char *const report_form_names[] = { "pdf", "xlsx", "csv", NULL };

const struct report_form *report_form_find(const char *name)
{
	for (const struct report_form *f = report_forms; f->name; f++)
		if (strcmp(f->name, name) == 0)
			return f;
	return NULL;
}
