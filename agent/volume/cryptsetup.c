/* cryptsetup.c - see cryptsetup.h. */
#include "agent/volume/cryptsetup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/volume/volume.h"
#include "base/err.h"

static __thread char last_message[VOLUME_TEXT_MAX];

static void keep_message(int level, const char *message, void *unused)
{
	if (level == CRYPT_LOG_ERROR)
		snprintf(last_message, sizeof last_message, "%.*s", (int)strcspn(message, "\n"), message);
}

int cryptsetup_error(int result, const char *what)
{
	int code = result == -EPERM || result == -ENOENT ? ERR_FORBIDDEN
		: result == -EBUSY ? ERR_BUSY
		: result == -ENOTSUP ? ERR_UNSUPPORTED
		: result == -EINVAL ? ERR_INVALID : ERR_IO;

	return err_set(code, "%s: %s", what, last_message[0] ? last_message : strerror(-result));
}

void cryptsetup_listen(struct crypt_device *cd)
{
	last_message[0] = '\0';
	crypt_set_log_callback(cd, keep_message, NULL);
}
