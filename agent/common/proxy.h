/* proxy.h - the HTTP or HTTPS proxy on the way to the server (AGT-7), as keyward-config has set it. Kept in the folder of the
 * registration: proxy.json, and the password in a file of its own that only root can read. It goes over https_proxy of the
 * environment; no_proxy holds for both. */
#ifndef AGENT_COMMON_PROXY_H
#define AGENT_COMMON_PROXY_H

#include <stdint.h>

#include "base/secret.h"

#define PROXY_URL_MAX 511
#define PROXY_USER_MAX 127

struct proxy {
	char url[PROXY_URL_MAX + 1];             /* http:// or https://, host and port, no login; "": none */
	char user[PROXY_USER_MAX + 1];           /* "": no login */
	struct secret *password;                 /* with a zero byte at its end; NULL: none. Owned */
};

/* Takes [http[s]://][USER[:PASSWORD]@]HOST[:PORT][/] apart; what is in the login may be percent-encoded. ERR_INVALID, never
 * repeating TEXT, which may hold a password. The caller ends OUT with proxy_clear. */
int proxy_parse(const char *text, struct proxy *out);
/* ERR_NOT_FOUND when none is set; ERR_INVALID, ERR_FORBIDDEN, ERR_IO. */
int proxy_load(const char *dir, struct proxy *out);
int proxy_save(const char *dir, const struct proxy *p);
int proxy_remove(const char *dir);               /* 1 when there was one, 0 */
void proxy_clear(struct proxy *p);
/* Changes with each proxy_save and proxy_remove; 0 when none is set. */
uint64_t proxy_stamp(const char *dir);
/* What libcurl will take from the environment for HOST, without its login; "" for none or where no_proxy names the host. For
 * messages: libcurl decides for itself. OUT has room for PROXY_URL_MAX + 1 bytes. */
void proxy_of_environment(const char *host, char *out);

#endif
