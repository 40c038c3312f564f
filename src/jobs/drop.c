/* drop.c - giving root up for good. */
#include "jobs/drop.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

int drop_to(const char *user)
{
	const struct passwd *p = getpwnam(user);

	if (p == NULL)
		return err_set(ERR_NOT_FOUND, "no user %s", user);
	if (initgroups(user, p->pw_gid) < 0 || setgid(p->pw_gid) < 0 || setuid(p->pw_uid) < 0)
		return err_set(ERR_FORBIDDEN, "cannot become %s: %s", user, strerror(errno));
	/* Whoever could get back was never gone. */
	if (p->pw_uid != 0 && setuid(0) == 0)
		return err_set(ERR_FORBIDDEN, "root was not given up");
	return 0;
}
