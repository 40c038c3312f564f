/* test_wants.c - devices by user data and by the configuration file, and credentials as options give them. */
#include <stdlib.h>
#include <string.h>

#include "agent/guest/credentials.h"
#include "agent/guest/wants.h"
#include "base/err.h"
#include "base/mem.h"
#include "check.h"

static struct wants w;
static struct buf complaints;

static void read_data(const char *text)
{
	w.count = 0;
	buf_reset(&complaints);
	wants_add_user_data(&w, text, &complaints);
}

static void check_want(int i, const char *id, int access, const char *point)
{
	CHECK(i < w.count);
	CHECK_STR(w.list[i].id, id);
	CHECK_INT(w.list[i].access, access);
	CHECK_STR(w.list[i].mount_point, point);
}

TEST(user_data_names_devices, "AGT-6")
{
	read_data("devices=[vol-1,read-only,/srv/a][vol-2,rw,/srv/b]");
	CHECK_INT(w.count, 2);
	check_want(0, "vol-1", PROTO_ACCESS_READ_ONLY, "/srv/a");
	check_want(1, "vol-2", PROTO_ACCESS_READ_WRITE, "/srv/b");
	CHECK_STR(buf_str(&complaints), "");
	read_data("#cloud-config\nruncmd: [x]\n# keyward: devices=[ vol-1 , ro , /srv/with, comma ], [vol-2,read-write,/b]\r\nother: 1\n"
		"devices=[vol-3,rw,/c]\n");
	CHECK_INT(w.count, 3);
	check_want(0, "vol-1", PROTO_ACCESS_READ_ONLY, "/srv/with, comma");
	check_want(2, "vol-3", PROTO_ACCESS_READ_WRITE, "/c");
}

TEST(what_is_no_list_of_ours_is_left_alone, "AGT-6")
{
	static const char *const nothing[] = { "", "devices=", "devices=[]x", "my_devices=[vol-1,rw,/a]", "block-devices=[vol-1,rw,/a]",
		"devices = [vol-1,rw,/a]", "devices=vol-1", "\"devices\":[1]" };

	for (size_t i = 0; i < ARRAY_LEN(nothing); i++) {
		read_data(nothing[i]);
		CHECK_INT(w.count, 0);
	}
}

TEST(mistakes_in_user_data_are_said_and_cost_only_themselves, "AGT-6")
{
	read_data("devices=[vol-1,rw][vol-2,write,/b][vol-3,rw,b][,rw,/d][vol-5,rw,/e][vol-5,ro,/f][vol-6,rw,/g");
	CHECK_INT(w.count, 1);
	check_want(0, "vol-5", PROTO_ACCESS_READ_WRITE, "/e");
	CHECK(strstr(buf_str(&complaints), "[vol-1,rw]") != NULL);
	CHECK(strstr(buf_str(&complaints), "named twice; the first counts: vol-5") != NULL);
	buf_free(&complaints);
}

TEST(user_data_goes_before_the_file, "AGT-6")
{
	struct agent_conf c;

	agent_conf_init(&c);
	CHECK_INT(agent_conf_set(&c, "mount", "vol-1,read-only,/file/a"), 0);
	read_data("devices=[vol-1,rw,/data/a]");
	wants_add_file(&w, &c, &complaints);
	CHECK_INT(w.count, 1);
	check_want(0, "vol-1", PROTO_ACCESS_READ_WRITE, "/data/a");
	CHECK(strstr(buf_str(&complaints), "user data goes before agent.conf") != NULL);
	read_data("devices=[vol-2,rw,/data/b]");
	wants_add_file(&w, &c, &complaints);
	CHECK_INT(w.count, 2);
	check_want(1, "vol-1", PROTO_ACCESS_READ_ONLY, "/file/a");
	CHECK_STR(buf_str(&complaints), "");
	CHECK(wants_find(&w, "vol-3") == NULL);
	agent_conf_free(&c);
	buf_free(&complaints);
}

static const struct plugin_description about = { .credentials_count = 3, .credentials = {
	{ .name = "id", .help = "who", .required = 1 }, { .name = "secret", .help = "proof", .required = 1, .secret = 1 },
	{ .name = "token", .help = "more", .secret = 1 } } };

static int parse(const char *text, char *json, char *label)
{
	struct secret *list = secret_new(strlen(text) + 1), *out = NULL;
	int rc;

	memcpy(list->data, text, strlen(text));
	rc = credentials_parse(&about, list, &out, label);
	if (rc == 0) {
		memcpy(json, out->data, out->len);
		json[out->len] = '\0';
	}
	secret_free(out);
	secret_free(list);
	return rc;
}

TEST(credentials_become_json_in_one_order, "CFG-2, CFG-3")
{
	char json[512], label[PROTO_TEXT_MAX + 1];

	secret_init();
	CHECK_INT(parse("secret=a/b+c=,id=me", json, label), 0);
	CHECK_STR(json, "{\"id\":\"me\",\"secret\":\"a/b+c=\"}");
	CHECK_STR(label, "me");
	CHECK_INT(parse("id=me,token=t,secret=x\\,y\\\\z\"", json, label), 0);
	CHECK_STR(json, "{\"id\":\"me\",\"secret\":\"x,y\\\\z\\\"\",\"token\":\"t\"}");
	CHECK_INT(parse("id=me,secret=s,token=", json, label), 0);
	CHECK_STR(json, "{\"id\":\"me\",\"secret\":\"s\"}");
}

TEST(wrong_credentials_are_explained_without_being_said, "CFG-2, SEC-4")
{
	static const char *const wrong[] = { "", "id=me", "id=me,secret=", "hushhush", "id=me,hushhush", "id=me,secret=x,other=y", "id=me,id=me,secret=x",
		"id=me,secret=a\tb", "=x" };
	char json[512], label[PROTO_TEXT_MAX + 1];

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		CHECK_INT(parse(wrong[i], json, label), ERR_INVALID);
		CHECK(strstr(err_text(), "hushhush") == NULL);
	}
}

TEST_MAIN
