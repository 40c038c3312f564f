/* keytool_options.c - the options of keyward-keytool: what parsing, --help, the manual page and completion are made of. */
#include "agent/keytool/keytool.h"
#include "base/mem.h"

#define AT(member) offsetof(struct keytool_options, member)
#define FLAG(member) OPTION_FLAG, AT(member), NULL
#define TEXT(member, argument) OPTION_TEXT, AT(member), argument

static const struct option_row rows[] = {
	{ .kind = OPTION_GROUP, .help = "What to do" },
	{ 'i', "inspect", TEXT(inspect, "FILE"), "show what an export holds: devices, and where they were mounted; needs no passphrase",
		.values = OPTION_FILES },
	{ 'o', "open", TEXT(open, "FILE"), "open the volume on this machine and mount it", .values = OPTION_FILES },
	{ 'd', "decrypt", TEXT(decrypt, "FILE"), "write the device key as it is to --output, for cryptsetup --key-file", .values = OPTION_FILES },
	{ 'c', "close", TEXT(close, "NAME"), "unmount and close what was opened, by its name, mount point or block device",
		.values = OPTION_FOLDERS },
	{ 'l', "list", FLAG(list), "list what is open" },
	{ 'h', "help", FLAG(help), "show this and end" },
	{ 'V', "version", FLAG(version), "show the version and end" },

	{ .kind = OPTION_GROUP, .help = "Which" },
	{ 'D', "device", TEXT(device, "ID"), "of several in a zip: by ID, name or provider's ID of a device or RAID" },
	{ 0, "disk", TEXT(disks, "PATH,..."), "the disk or file, of a RAID all in order; else it is looked for by what is on it",
		.values = OPTION_FILES },

	{ .kind = OPTION_GROUP, .help = "Passphrase of the export" },
	{ 'x', "passphrase", OPTION_SECRET, AT(passphrase), "PW", "others may see it with ps for a moment: prefer the next" },
	{ 0, "passphrase-file", TEXT(passphrase_file, "FILE"),
		"read it from FILE (- for standard input), or set KEYWARD_EXPORT_PASSPHRASE; else it is asked for", .values = OPTION_FILES },

	{ .kind = OPTION_GROUP, .help = "How" },
	{ 0, "output", TEXT(output, "FILE"), "with --decrypt: a new file for the key, for its owner alone; - for standard output",
		.values = OPTION_FILES },
	{ 'm', "mount-point", TEXT(mount_point, "DIR"), "mount it there; else where it was mounted before", .values = OPTION_FOLDERS },
	{ 0, "no-mount", FLAG(no_mount), "open it only" },
	{ 'r', "read-only", FLAG(read_only), "open and mount it read-only" },
	{ 0, "name", TEXT(name, "NAME"), "what the open volume is called" },
	{ 0, "engine", TEXT(engine, "NAME"), "dm-crypt or userspace; else the best that this kernel has", .values = "dmcrypt userspace" },
	{ 0, "force", FLAG(force), "with --close: although it is in use" },
	{ 0, "run-dir", TEXT(run_dir, "DIR"), "where it is kept what is open (" KEYTOOL_RUN ")", .values = OPTION_FOLDERS },
	{ 0, "volume-program", TEXT(program, "FILE"), "keyward-volume, where it is not installed", .values = OPTION_FILES },
};

static const struct option_rule rules[] = {
	{ OPTION_EXCLUDES, "inspect", "open" },
	{ OPTION_EXCLUDES, "inspect", "decrypt" },
	{ OPTION_EXCLUDES, "inspect", "close" },
	{ OPTION_EXCLUDES, "open", "decrypt" },
	{ OPTION_EXCLUDES, "open", "close" },
	{ OPTION_EXCLUDES, "decrypt", "close" },
	{ OPTION_EXCLUDES, "passphrase", "passphrase-file" },
	{ OPTION_EXCLUDES, "mount-point", "no-mount" },
	{ OPTION_NEEDS, "output", "decrypt" },
	{ OPTION_NEEDS, "disk", "open" },
	{ OPTION_NEEDS, "mount-point", "open" },
	{ OPTION_NEEDS, "no-mount", "open" },
	{ OPTION_NEEDS, "read-only", "open" },
	{ OPTION_NEEDS, "name", "open" },
	{ OPTION_NEEDS, "engine", "open" },
	{ OPTION_NEEDS, "force", "close" },
};

const struct option_table keytool_table = {
	"keyward-keytool",
	"Opens volumes with exported keys, without any server.",
	rows, ARRAY_LEN(rows), rules, ARRAY_LEN(rules)
};
