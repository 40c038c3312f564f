/* plugin_install.c - keyward-config --plugin FILE: a provider plug-in from a file, checked, into the folder of plug-ins (CSP-1). */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/provider/conform.h"
#include "agent/tool/tool.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#define PROGRAM_MAX (64 << 20)

struct findings {
	struct tool *t;
	char first[PROTO_TEXT_MAX + 1];          /* what failed first */
};

static void told(void *arg, const char *check, int rc, const char *text)
{
	struct findings *f = arg;

	if (rc < 0 && f->first[0] == '\0')
		snprintf(f->first, sizeof f->first, "%s: %s", check, text);
}

/* What was checked is what is installed: the bytes are read once, and run from where they will stay, under another name until then. */
static int place(const char *from, const char *at)
{
	struct buf program = BUF_INIT;
	int rc = file_read(from, PROGRAM_MAX, &program);

	if (rc == 0)
		rc = file_write(at, program.data, program.len, 0755);
	buf_free(&program);
	return rc;
}

static int try_out(struct tool *t, const char *path, struct provider **out)
{
	struct findings f = { t, "" };
	struct conform_wish wish = { .path = path, .basic = 1, .told = told, .arg = &f };

	if (conform(&wish) > 0)
		return err_set(ERR_INVALID, "it does not keep to the interface of plug-ins: %s", f.first);
	return provider_open_file(path, out);
}

static int install(struct tool *t, const char *folder, struct provider **out)
{
	char *new = mem_printf("%s/.new-plugin", folder), *path;
	struct provider *p = NULL;
	int rc = mkdir(folder, 0755) < 0 && access(folder, F_OK) < 0 ? err_set(ERR_IO, "the folder %s cannot be made", folder) : 0;

	if (rc == 0)
		rc = place(t->o.plugin, new);
	if (rc == 0)
		rc = try_out(t, new, &p);
	if (rc == 0) {
		path = mem_printf("%s/%s", folder, p->name);
		if (rename(new, path) < 0)
			rc = err_set(ERR_IO, "%s cannot be made", path);
		free(path);
	}
	if (rc < 0) {
		unlink(new);
		provider_close(p);
	} else {
		*out = p;
	}
	free(new);
	return rc;
}

enum tool_exit plugin_install(struct tool *t)
{
	struct provider *p = NULL;
	json_t *o;
	int rc = install(t, provider_folder(&t->g.conf), &p);

	if (rc < 0)
		return tool_failed(t, rc, "the plug-in was not installed");
	tool_say(t, "Plug-in %s (%s, version %s) is installed; choose it with --csp %s.", p->name, p->about.title, p->about.version, p->name);
	o = json_object();
	json_set_string(o, "id", p->name);
	json_set_string(o, "title", p->about.title);
	json_set_string(o, "version", p->about.version);
	json_object_set_new(t->result, "installed", o);
	provider_close(p);
	return TOOL_OK;
}
