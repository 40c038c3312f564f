/* deep_security.h - what Deep Security Manager knows of a machine (ADM-4, RUL-16): its REST API, version 1, as publicly described.
 * Blocks: for jobs only. */
#ifndef OUTSIDE_DEEP_SECURITY_H
#define OUTSIDE_DEEP_SECURITY_H

#include "outside/https.h"

/* Facts of the computer named HOST_NAME (compared without case), by the names of src/policy/facts.h: "deep_security.status",
 * "deep_security.anti_malware", ... each "on", "off", "warning", "error", "active", "inactive" or "unknown". The caller's reference.
 * API_KEY: the value of header api-secret-key. ERR_NOT_FOUND: it knows no such computer; ERR_CONFLICT: several bear the name; else as
 * https_post. SERVER's URL is the manager's own, e.g. "https://dsm.example.com:4119". */
int deep_security_look_up(const struct https_server *server, const struct secret *api_key, const char *host_name, json_t **facts);
/* Signs in and asks for one computer: 0 and how many it can see at least (0 or 1), or the error. */
int deep_security_test(const struct https_server *server, const struct secret *api_key);

#endif
