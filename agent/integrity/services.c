/* services.c - ports that are listened on, from the kernel's tables of sockets, and by whom.
 *
 * The kernel lists TCP's listeners before the connections, so reading ends at the first of those: the cost does not grow with
 * them. UDP knows no listening; a socket without a peer counts. Other networks than the agent's own (those of containers)
 * are not looked into: what they offer to others shows as the forwarding process, or as rules of the kernel's filter,
 * which this fact does not tell. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/integrity/family.h"
#include "agent/integrity/processes.h"
#include "base/err.h"
#include "base/mem.h"

#define LINES_MAX 200000
#define SERVICES_MAX 4096
#define NAMES_MAX 8              /* of processes that share one port */

#define LISTEN 0x0a
#define NO_PEER 0x07

static const struct table {
	const char *file, *protocol;
	int family;
	unsigned state;
	int stop;                        /* at the first line in another state */
} tables[] = {
	{ "tcp", "tcp", AF_INET, LISTEN, 1 },
	{ "tcp6", "tcp", AF_INET6, LISTEN, 1 },
	{ "udp", "udp", AF_INET, NO_PEER, 0 },
	{ "udp6", "udp", AF_INET6, NO_PEER, 0 },
};

struct line {
	char address[INET6_ADDRSTRLEN];
	unsigned port, state;
	unsigned long inode;
};

/* Words of the machine's byte order, written as hexadecimal numbers. */
static int read_address(const char *hex, int family, char out[static INET6_ADDRSTRLEN])
{
	uint32_t words[4] = { 0 };
	size_t count = family == AF_INET ? 1 : 4;

	if (strlen(hex) != count * 8)
		return ERR_INVALID;
	for (size_t i = 0; i < count; i++)
		if (sscanf(hex + i * 8, "%8x", &words[i]) != 1)
			return ERR_INVALID;
	return inet_ntop(family, words, out, INET6_ADDRSTRLEN) ? 0 : ERR_INVALID;
}

static int read_line(const char *text, int family, struct line *out)
{
	char address[33];

	if (sscanf(text, " %*d: %32[0-9A-F]:%x %*32[0-9A-F]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %lu", address, &out->port, &out->state,
			&out->inode) != 4 || out->port > 65535)
		return ERR_INVALID;
	return read_address(address, family, out->address);
}

/* LIST in order of the alphabet, each text once: what is the same reads the same. */
static void insert(json_t *list, const char *text)
{
	json_t *other;
	size_t i;
	int order = 1;

	json_array_foreach(list, i, other)
		if ((order = strcmp(json_string_value(other), text)) >= 0)
			break;
	if (order != 0)
		json_array_insert_new(list, i, json_string(text));
}

static int add(json_t *services, json_t *sockets, const struct table *t, const struct line *l)
{
	char key[16], inode[24];
	json_t *service;

	snprintf(key, sizeof key, "%s/%u", t->protocol, l->port);
	service = json_object_get(services, key);
	if (service == NULL && json_object_size(services) == SERVICES_MAX)
		return err_set(ERR_TOO_LARGE, "more than %d services", SERVICES_MAX);
	if (service == NULL) {
		service = json_pack("{s:[]}", "address");
		json_object_set_new(services, key, service);
	}
	snprintf(inode, sizeof inode, "%lu", l->inode);
	json_object_set_new(sockets, inode, json_string(key));
	insert(json_object_get(service, "address"), l->address);
	return 0;
}

static int read_table(FILE *f, const struct table *t, json_t *services, json_t *sockets)
{
	char text[512];
	struct line l;
	int rc = 0;

	/* The first line holds the names of the columns. */
	for (int n = 0; rc == 0 && fgets(text, sizeof text, f); n++) {
		if (n > LINES_MAX)
			return err_set(ERR_TOO_LARGE, "more than %d sockets", LINES_MAX);
		if (n > 0 && read_line(text, t->family, &l) < 0)
			return err_set(ERR_INVALID, "%s: line %d cannot be read", t->file, n);
		if (n > 0 && l.state != t->state && t->stop)
			break;
		if (n > 0 && l.state == t->state && l.port)
			rc = add(services, sockets, t, &l);
	}
	return rc == 0 && ferror(f) ? err_set(ERR_IO, "%s: %s", t->file, strerror(errno)) : rc;
}

int services_read(const char *folder, json_t *services, json_t *sockets)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(tables); i++) {
		char *path = mem_printf("%s/%s", folder, tables[i].file);
		FILE *f = fopen(path, "re");

		/* A kernel without IPv6 has no table of it. */
		if (f == NULL && (errno != ENOENT || tables[i].family == AF_INET))
			rc = err_set(ERR_IO, "%s: %s", path, strerror(errno));
		if (f) {
			rc = read_table(f, &tables[i], services, sockets);
			fclose(f);
		}
		free(path);
	}
	return rc;
}

struct owners {
	json_t *services, *names;        /* names: service -> list of names */
	const json_t *sockets;
};

static void add_owner(void *ctx, const char *inode, const char *name)
{
	struct owners *o = ctx;
	const char *key = json_string_value(json_object_get(o->sockets, inode));
	json_t *list = json_object_get(o->names, key);

	if (list == NULL) {
		list = json_array();
		json_object_set_new(o->names, key, list);
	}
	if (json_array_size(list) < NAMES_MAX)
		insert(list, name);
}

static void set_process(json_t *service, const json_t *names)
{
	struct buf text = BUF_INIT;
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name)
		buf_printf(&text, "%s%s", i ? ", " : "", json_string_value(name));
	json_object_set_new(service, "process", json_string(buf_str(&text)));
	buf_free(&text);
}

json_t *fact_services(struct facts_run *run)
{
	json_t *services = json_object(), *sockets = json_object(), *names;
	struct owners o = { services, json_object(), sockets };
	const char *key;
	int rc = services_read("/proc/net", services, sockets);

	if (rc == 0 && processes_of(run))
		processes_of_sockets(run->processes, sockets, add_owner, &o);
	json_object_foreach(o.names, key, names)
		set_process(json_object_get(services, key), names);
	json_decref(o.names);
	json_decref(sockets);
	return fact_if(rc == 0, services);
}
