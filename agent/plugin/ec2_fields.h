/* ec2_fields.h - settings and credentials that all dialects of EC2 have, for their descriptions. */
#ifndef AGENT_PLUGIN_EC2_FIELDS_H
#define AGENT_PLUGIN_EC2_FIELDS_H

#define EC2_METADATA(where) { .name = "metadata", .help = "URL of the metadata service; empty: " where }
#define EC2_LINKS { .name = "links", .help = "folder of links to devices that bear ids of volumes", .standard = "/dev/disk/by-id" }
#define EC2_CA_FILE { .name = "ca_file", .help = "PEM file of certificates to trust for the API instead of the system's" }
#define EC2_PROXY { .name = "proxy", .help = "URL of an HTTP proxy for the API" }
#define EC2_CREDENTIALS_COUNT 3
#define EC2_CREDENTIALS \
	{ .name = "access_key_id", .help = "access key id", .required = 1 }, \
	{ .name = "secret_access_key", .help = "secret access key", .required = 1, .secret = 1 }, \
	{ .name = "session_token", .help = "session token, for keys that expire", .secret = 1 }

#endif
