/* family.h - inside of the Integrity Check Module: the families' functions in the table of facts.c, and the parsers beneath
 * them, which take a path or a text so that tests and fuzzers can give them theirs. */
#ifndef AGENT_INTEGRITY_FAMILY_H
#define AGENT_INTEGRITY_FAMILY_H

#include "agent/integrity/facts.h"

/* Bytes from the guest's users (names of processes, versions in files) as printable ASCII, "?" for the rest. */
void fact_clean(char *text);
/* V as an object that is set or not: NULL and V is released unless KEEP. */
json_t *fact_if(int keep, json_t *v);

/* system.c */
json_t *fact_host_name(struct facts_run *run);
json_t *fact_system(struct facts_run *run);
json_t *fact_distribution(struct facts_run *run);
json_t *fact_version(struct facts_run *run);
json_t *fact_kernel(struct facts_run *run);
json_t *fact_arch(struct facts_run *run);
json_t *fact_bits(struct facts_run *run);
json_t *fact_uptime(struct facts_run *run);
json_t *fact_booted(struct facts_run *run);
json_t *fact_agent_version(struct facts_run *run);
json_t *fact_region(struct facts_run *run);
json_t *fact_zone(struct facts_run *run);
json_t *fact_user_data(struct facts_run *run);

/* network.c */
json_t *fact_addresses(struct facts_run *run);
json_t *fact_networks(struct facts_run *run);

/* services.c: FOLDER is /proc/net. 0, or ERR_IO, ERR_TOO_LARGE: not all could be read. SOCKETS gets an entry "inode" -> service key. */
json_t *fact_services(struct facts_run *run);
int services_read(const char *folder, json_t *services, json_t *sockets);

/* packages.c: a status file of dpkg or apk into PACKAGES, name -> version. */
json_t *fact_packages(struct facts_run *run);
int packages_read_dpkg(const char *path, json_t *packages);
int packages_read_apk(const char *path, json_t *packages);
/* Lines "name<TAB>version", as rpm is asked to write them. */
int packages_take_rpm(char *text, json_t *packages);

/* updates.c */
json_t *fact_pending(struct facts_run *run);
json_t *fact_pending_security(struct facts_run *run);
json_t *fact_checked(struct facts_run *run);
/* Numbers in the text that update-notifier keeps; -1: not said. */
void updates_read(const char *text, int *pending, int *security);
/* The same from what apt-get says that it would do. */
void updates_take_apt(char *text, int *pending, int *security);

/* products.c: ROOT is put before every path, "" but in tests. */
json_t *fact_products(struct facts_run *run);
json_t *products_find(const char *root, const json_t *packages, const json_t *processes);
/* The header of a pattern file (512 bytes) into "pattern" and "pattern_date" of O. */
void products_read_clamav(const char *header, size_t len, json_t *o);

/* firmware.c: a variable as efivarfs shows it, 1, 0 or ERR_INVALID; "on", "off", or NULL where FOLDER's variables do not say. */
json_t *fact_secure_boot(struct facts_run *run);
int firmware_take_switch(const void *variable, size_t len);
const char *firmware_secure_boot(const char *folder);

/* files.c */
json_t *fact_files(struct facts_run *run);

#endif
