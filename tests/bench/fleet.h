/* fleet.h - agents to measure with: registered, each with devices that are Encrypted and whose keys keyd has made. */
#ifndef BENCH_FLEET_H
#define BENCH_FLEET_H

#include "agent/guest/sealed.h"
#include "keys/client.h"
#include "proto/client.h"
#include "store/db.h"

struct fleet_device {
	struct uuid id, request;
};

struct fleet_agent {
	struct uuid account, id, instance;
	struct secret *key;                      /* signs */
	uint8_t public_key[PROTO_POINT_SIZE];
	struct sealed *one_time;                 /* all its requests name this one */
	struct fleet_device *devices;
	int device_count;
};

struct fleet {
	struct fleet_agent *agents;              /* those of one account are neighbours */
	int count;
};

/* AGENTS agents with DEVICES devices each for each of the accounts, which exist; DB as the superuser. Written as enrolment,
 * inventory and provisioning would leave them. Any failure ends the program. */
void fleet_make(struct fleet *f, struct db *db, struct keys_client *keys, const char *const *accounts, int account_count,
	int agents, int devices);
/* Every device of the fleet has one open request that a person has just approved, and no other; keyd has checked its signature, as the
 * server lets it do when a request is made. */
void fleet_approve(const struct fleet *f, struct db *db, struct keys_client *keys);
/* How many of the fleet's requests the database holds as delivered. */
int64_t fleet_delivered(const struct fleet *f, struct db *db);

#endif
