/* firmware.c - what the machine's firmware says of itself: whether UEFI's secure boot was on. It is the guest's own word, as all facts are: nothing
 * here is signed by the machine. */
#include <stdlib.h>

#include "agent/integrity/family.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

#define VARIABLES "/sys/firmware/efi/efivars"
#define SECURE_BOOT "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
/* Where the owner has told shim not to check, it says so in here; the kernel then takes secure boot as off, too. */
#define SHIM_IS_LAX "MokSBStateRT-605dab50-e046-4300-abb6-3dd810dd8b23"
#define ATTRIBUTES 4             /* bytes before the value */
#define VARIABLE_MAX 64          /* far more than a switch has */

int firmware_take_switch(const void *variable, size_t len)
{
	unsigned char value = len == ATTRIBUTES + 1 ? ((const unsigned char *)variable)[ATTRIBUTES] : 0xff;

	return value <= 1 ? value : err_set(ERR_INVALID, "a variable of the firmware is no switch");
}

static int read_switch(const char *folder, const char *name)
{
	char *path = mem_printf("%s/%s", folder, name);
	struct buf content = BUF_INIT;
	int rc = file_read(path, VARIABLE_MAX, &content);

	if (rc == 0)
		rc = firmware_take_switch(buf_str(&content), content.len);
	buf_free(&content);
	free(path);
	return rc;
}

const char *firmware_secure_boot(const char *folder)
{
	int on = read_switch(folder, SECURE_BOOT), lax;

	if (on <= 0)
		return on == 0 ? "off" : NULL;
	lax = read_switch(folder, SHIM_IS_LAX);
	if (lax == ERR_NOT_FOUND)
		lax = 0;
	return lax < 0 ? NULL : lax ? "off" : "on";
}

/* No such variable: not UEFI, or a kernel that does not show it. Which of both is not known, so neither is the fact. */
json_t *fact_secure_boot(struct facts_run *run)
{
	const char *state = firmware_secure_boot(VARIABLES);

	return state ? json_string(state) : NULL;
}
