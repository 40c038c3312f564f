/* fuzz_audit.c - a line of an exported log, from anywhere: what is read and written again reads as the same line. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "audit/export.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf first = BUF_INIT, second = BUF_INIT;
	struct audit_line line, again;

	if (audit_line_read((const char *)data, size, &line) < 0)
		return 0;
	audit_line_put(&line, &first);
	if (audit_line_read(first.data, first.len, &again) < 0)
		abort();
	audit_line_put(&again, &second);
	if (again.kind != line.kind || first.len != second.len || memcmp(first.data, second.data, first.len) != 0)
		abort();
	audit_line_release(&line);
	audit_line_release(&again);
	buf_free(&first);
	buf_free(&second);
	return 0;
}
