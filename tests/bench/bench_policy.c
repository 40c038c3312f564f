/* bench_policy.c - evaluations of a policy per second on one core: bench_policy [SECONDS], printed as JSON. From a build without sanitizers.
 *
 * A policy of 20 rules, facts with 200 ports and 500 packages; every rule passes, so none ends early. Beside it, in the same run: the
 * look-ups that no evaluation can do without (each fact, and each member that a rule names, by jansson's own hash), and reading the
 * facts' text by jansson. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "policy/evaluate.h"

#define PORTS 200
#define PACKAGES 500
#define NOW (INT64_C(1795262400) * CLOCK_SECOND)     /* 2026-11-21T12:00:00Z */

static const char rules_text[] = "["
	"{\"type\": \"device.access\", \"conditions\": [{\"operator\": \"equals\", \"value\": \"read-write\"}]},"
	"{\"type\": \"device.mount_point\", \"conditions\": [{\"operator\": \"matches\", \"value\": \"/srv/*\"}]},"
	"{\"type\": \"request.at\", \"conditions\": [{\"operator\": \"in-window\", \"value\": {\"weekdays\": [\"sat\"], \"from\": \"08:00\"}}]},"
	"{\"type\": \"request.address\", \"conditions\": [{\"operator\": \"in\", \"value\": [\"192.0.2.0/24\", \"2001:db8::/32\","
	" \"10.20.0.0/16\"]}]},"
	"{\"type\": \"instance.first_seen\", \"conditions\": [{\"operator\": \"older-than\", \"value\": \"1d\"}]},"
	"{\"type\": \"instance.region\", \"conditions\": [{\"operator\": \"in\", \"value\": [\"eu-west-1\", \"eu-central-1\"]}]},"
	"{\"type\": \"os.distribution\", \"conditions\": [{\"operator\": \"in\", \"value\": [\"ubuntu\", \"debian\"]}]},"
	"{\"type\": \"os.version\", \"conditions\": [{\"operator\": \"at-least\", \"value\": \"12\"}]},"
	"{\"type\": \"os.kernel\", \"conditions\": [{\"operator\": \"at-least\", \"value\": \"6.1.0-20\"}]},"
	"{\"type\": \"os.bits\", \"conditions\": [{\"operator\": \"equals\", \"value\": 64}]},"
	"{\"type\": \"os.pending_security_updates\", \"conditions\": [{\"operator\": \"at-most\", \"value\": 3}]},"
	"{\"type\": \"host.name\", \"conditions\": [{\"operator\": \"matches\", \"value\": \"db-*.example\"}]},"
	"{\"type\": \"network.services\", \"conditions\": [{\"operator\": \"contains-none\", \"value\": [23, 8080, \"udp/161\"]}]},"
	"{\"type\": \"network.services\", \"conditions\": [{\"operator\": \"in\", \"value\": [\"tcp/1-1023\", \"tcp/30000-32767\"]}]},"
	"{\"type\": \"packages\", \"conditions\": [{\"operator\": \"contains-none\", \"value\": [\"telnetd\", \"rsh-server\"]}]},"
	"{\"type\": \"package.version\", \"conditions\": [{\"operator\": \"at-least\", \"value\": \"3.0.11-1~deb12u2\","
	" \"subject\": \"package-8\"}]},"
	"{\"type\": \"package.version\", \"conditions\": [{\"operator\": \"at-least\", \"value\": \"2.0\", \"subject\": \"package-499\"}]},"
	"{\"type\": \"security.pattern_date\", \"conditions\": [{\"operator\": \"newer-than\", \"value\": \"3d\", \"subject\": \"clamav\"}]},"
	"{\"any\": [{\"type\": \"processes\", \"conditions\": [{\"operator\": \"contains\", \"value\": [\"auditd\"]}]},"
	" {\"type\": \"security.products\", \"conditions\": [{\"operator\": \"contains\", \"value\": \"wazuh\"}]}]},"
	"{\"not\": {\"type\": \"processes\", \"conditions\": [{\"operator\": \"contains-any\", \"value\": [\"nc\", \"socat\"]}]}}]";

static const char facts_start[] = "{\"server\": {\"at\": \"2026-11-21T12:00:00Z\", \"utc_offset_s\": 3600, \"values\": {\"device.access\":"
	" \"read-write\", \"device.mount_point\": \"/srv/data\", \"request.at\": \"2026-11-21T12:00:00Z\", \"request.address\": \"10.20.4.17\","
	" \"instance.first_seen\": \"2026-10-01T00:00:00Z\", \"instance.last_seen\": \"2026-11-21T11:59:00Z\"}}, \"agent\": {\"at\":"
	" \"2026-11-21T12:00:00Z\", \"values\": {\"instance.region\": \"eu-central-1\", \"os.system\": \"linux\", \"os.distribution\":"
	" \"debian\", \"os.version\": \"12\", \"os.kernel\": \"6.1.0-28-amd64\", \"os.bits\": 64, \"os.pending_security_updates\": 0,"
	" \"host.name\": \"db-04.example\", \"security.products\": {\"clamav\": {\"version\": \"1.0.3\", \"pattern_date\":"
	" \"2026-11-20T08:00:00Z\"}}, \"processes\": {\"sshd\": 3, \"auditd\": 1}";

/* The members that those rules name. */
static const char *const looked_up[] = { "tcp/23", "udp/23", "tcp/8080", "udp/8080", "udp/161" };

static char *facts_text(void)
{
	struct buf out = BUF_INIT;

	buf_puts(&out, facts_start);
	buf_puts(&out, ", \"network.services\": {");
	for (int i = 0; i < PORTS; i++)
		buf_printf(&out, "%s\"tcp/%d\": {\"address\": [\"0.0.0.0\"], \"process\": \"service-%d\"}", i ? ", " : "",
			i < 20 ? 100 + i : 30000 + i, i);
	buf_puts(&out, "}, \"packages\": {");
	for (int i = 0; i < PACKAGES; i++)
		buf_printf(&out, "%s\"package-%d\": \"%d.%d.11-1~deb12u2\"", i ? ", " : "", i, 2 + i % 7, i % 50);
	buf_puts(&out, ", \"package-7x\": \"1\"}}}}");
	return buf_take(&out);
}

static struct {
	struct policy policy;
	struct rules *rules;
	struct facts facts;
	char *text;
} b;

static void check(const struct verdict *v)
{
	if (v->passed != (int)rules_count(b.rules))
		fatal("%d of %zu rules passed", v->passed, rules_count(b.rules));
}

static void decide(void)
{
	struct verdict v;

	policy_decide(&b.policy, b.rules, &b.facts, NOW, &v);
	check(&v);
}

/* As it is for a key request: rules compiled, rows for people made. */
static void explain(void)
{
	struct verdict v;

	policy_evaluate(&b.policy, &b.facts, NOW, &v);
	check(&v);
	verdict_release(&v);
}

static void read_and_decide(void)
{
	json_t *doc = json_loads(b.text, 0, NULL);
	struct verdict v;
	struct facts f;

	if (facts_read(doc, &f) < 0)
		fatal("%s", err_text());
	policy_decide(&b.policy, b.rules, &f, NOW, &v);
	check(&v);
	json_decref(doc);
}

static void read_alone(void)
{
	json_decref(json_loads(b.text, 0, NULL));
}

static const struct { const char *name; enum fact_source source; } needed[] = { { "device.access", FACT_SERVER },
	{ "device.mount_point", FACT_SERVER }, { "request.at", FACT_SERVER }, { "request.address", FACT_SERVER },
	{ "instance.first_seen", FACT_SERVER }, { "instance.region", FACT_AGENT }, { "os.distribution", FACT_AGENT },
	{ "os.version", FACT_AGENT }, { "os.kernel", FACT_AGENT }, { "os.bits", FACT_AGENT }, { "os.pending_security_updates", FACT_AGENT },
	{ "host.name", FACT_AGENT }, { "network.services", FACT_AGENT }, { "network.services", FACT_AGENT }, { "packages", FACT_AGENT },
	{ "packages", FACT_AGENT }, { "packages", FACT_AGENT }, { "security.products", FACT_AGENT }, { "processes", FACT_AGENT },
	{ "processes", FACT_AGENT } };

/* The limit: to find what is asked about, and to walk the ports once, without looking at anything. */
static void look_up(void)
{
	const json_t *ports = json_object_get(b.facts.from[FACT_AGENT].values, "network.services");
	const json_t *packages = json_object_get(b.facts.from[FACT_AGENT].values, "packages");
	void *at = json_object_iter((json_t *)(uintptr_t)ports);
	size_t seen = 0;

	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		seen += json_object_get(b.facts.from[needed[i].source].values, needed[i].name) != NULL;
	for (size_t i = 0; i < ARRAY_LEN(looked_up); i++)
		seen += json_object_get(ports, looked_up[i]) != NULL;
	seen += json_object_get(packages, "package-8") != NULL;
	seen += json_object_get(packages, "package-499") != NULL;
	for (; at; at = json_object_iter_next((json_t *)(uintptr_t)ports, at))
		seen += json_object_iter_key_len(at) > 0;
	if (seen != ARRAY_LEN(needed) + 2 + PORTS)
		fatal("%zu seen", seen);
}

/* Processor time: what else runs on the machine is not counted. */
static clock_us spent(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * CLOCK_SECOND + t.tv_nsec / 1000;
}

static double rate(void (*what)(void), clock_us duration)
{
	clock_us began = spent(), now = began;
	long done = 0;

	for (; now < began + duration; now = spent())
		for (int i = 0; i < 20; i++, done++)
			what();
	return (double)done / ((double)(now - began) / CLOCK_SECOND);
}

int main(int argc, char **argv)
{
	static const struct { const char *name; void (*what)(void); } rows[] = { { "look_up", look_up }, { "decide", decide },
		{ "read", read_alone }, { "read_and_decide", read_and_decide }, { "explain", explain } };
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 2;
	json_t *rules = json_loads(rules_text, 0, NULL), *faults = json_array(), *doc;

	b.text = facts_text();
	doc = json_loads(b.text, 0, NULL);
	b.policy = (struct policy){ POLICY_ACTION_APPROVE, POLICY_ACTION_DENY, 0, rules };
	b.rules = rules_compile(rules, "rules", faults);
	if (seconds <= 0 || rules_faulty(b.rules) || rules_count(b.rules) != 20 || facts_read(doc, &b.facts) < 0)
		fatal("usage: bench_policy [SECONDS]; or the rules are faulty");
	printf("{");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (argc < 3 || strcmp(argv[2], rows[i].name) == 0)
			printf("%s\"%s\": %.0f", i && argc < 3 ? ", " : "", rows[i].name,
				rate(rows[i].what, (clock_us)(seconds * (double)CLOCK_SECOND)));
	printf("}\n");
	rules_free(b.rules);
	json_decref(doc);
	json_decref(rules);
	json_decref(faults);
	free(b.text);
	return 0;
}
