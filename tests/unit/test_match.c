/*
 * test_match.c: which processes --all, --command and --cgroup mean, by real processes.
 */
#define _GNU_SOURCE
#include "test.h"

#include <errno.h>

#include "../../daemon/target/match.h"
#include "../../daemon/target/target.h"
#include "child.h"

#define PROGRAM "print('ready', flush=True); import sys; sys.stdin.read()\n"

static char directory[256];

static int make_scripts(void **state)
{
	char path[512];

	(void)state;
	if (!child_make_directory(directory, sizeof(directory)))
		return -1;
	snprintf(path, sizeof(path), "%s/serve_shop.py", directory);
	return child_write_file(path, PROGRAM) ? 0 : -1;
}

static int remove_scripts(void **state)
{
	(void)state;
	child_remove(directory);
	return 0;
}

static bool matches(pid_t pid, const char *name)
{
	struct match_rules rules = {.commands = &name, .command_count = 1};
	char why[TARGET_WHY_SIZE];
	struct match *match;

	assert_int_equal(match_new(&rules, &match, why), 0);
	bool found = match_process(match, pid);

	match_free(match);
	return found;
}

/* `names` are those that match, ended by NULL. */
static void check_names(const char *path, char *const arguments[], const char *const names[])
{
	static const char *const others[] = {"nginx", "pytho",	 "shop",   "worker", "serve",
					     "",      "PYTHON3", "ython3", NULL};
	struct child child;

	if (access(path, X_OK) < 0)
		skip();
	assert_true(child_start(&child, path, arguments));
	for (; *names; names++)
		if (!matches(child.pid, *names))
			fail_msg("%s does not match %s", arguments[0], *names);
	for (const char *const *other = others; *other; other++)
		if (matches(child.pid, *other))
			fail_msg("%s matches '%s'", arguments[0], *other);
	child_end(&child);
	assert_false(matches(INT32_MAX, "*"));
}

static void test_interpreter(void **state)
{
	char *arguments[] = {"python3", "-c", PROGRAM, NULL};
	static const char *const names[] = {"python3", "python", "python3*", "p?thon*", "[op]ython3", NULL};

	(void)state;
	check_names(CHILD_PYTHON, arguments, names);
}

static void test_script(void **state)
{
	char path[512];
	char *arguments[] = {"python3", "-u", "-Xdev", "-W", "ignore", path, "nginx", NULL};
	static const char *const names[] = {"serve_shop", "serve_shop.py", "serve_*", "python3", NULL};

	(void)state;
	snprintf(path, sizeof(path), "%s/serve_shop.py", directory);
	check_names(CHILD_PYTHON, arguments, names);
}

static void test_module(void **state)
{
	char *arguments[] = {"python3", "-um", "serve_shop", "nginx", NULL};
	static const char *const names[] = {"serve_shop", "serve_sho?", "python3", NULL};

	(void)state;
	assert_int_equal(chdir(directory), 0);
	check_names(CHILD_PYTHON, arguments, names);
	assert_int_equal(chdir("/"), 0);
}

static void test_title(void **state)
{
	char *gunicorn[] = {"gunicorn: worker [shop]", "-c", "echo ready; read line", NULL};
	char *celery[] = {"[celeryd: celery@web:MainProcess] -active-", "-c", "echo ready; read line", NULL};
	char *path[] = {"/opt/shop/bin/gunicorn", "-c", "echo ready; read line", NULL};
	static const char *const gunicorns[] = {"gunicorn", "g*n", "sh", NULL}, *const celeries[] = {"celeryd", NULL};

	(void)state;
	check_names("/bin/sh", gunicorn, gunicorns);
	check_names("/bin/sh", celery, celeries);
	check_names("/bin/sh", path, gunicorns);
}

static bool is_in(const char *cgroup)
{
	struct match_rules rules = {.cgroups = &cgroup, .cgroup_count = 1};
	char why[TARGET_WHY_SIZE];
	struct match *match;

	if (match_new(&rules, &match, why))
		fail_msg("%s: %s", cgroup, why);
	bool found = match_process(match, getpid());

	match_free(match);
	return found;
}

/* Our own groups, as /proc has them: each is one, what is above is one, and what only begins like it is none. */
static void test_control_groups(void **state)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[4096], other[4200];
	unsigned lines = 0;

	(void)state;
	if (!file)
		skip();
	for (; fgets(line, sizeof(line), file); lines++) {
		char *path = strchr(strchr(line, ':') + 1, ':') + 1;

		path[strcspn(path, "\n")] = '\0';
		assert_true(is_in(path));
		snprintf(other, sizeof(other), "%s/not-below", path);
		assert_false(is_in(other));
		snprintf(other, sizeof(other), "%sx", path);
		assert_false(is_in(other));
		snprintf(other, sizeof(other), "%s//", path);
		assert_true(is_in(other));
	}
	fclose(file);
	if (lines)
		assert_true(is_in("/"));
}

static void test_all(void **state)
{
	struct match_rules rules = {.all = true}, none = {.all = false};
	char why[TARGET_WHY_SIZE];
	struct match *match;

	(void)state;
	assert_int_equal(match_new(&rules, &match, why), 0);
	assert_true(match_process(match, getpid()));
	match_free(match);
	assert_int_equal(match_new(&none, &match, why), 0);
	assert_false(match_process(match, getpid()));
	match_free(match);
	match_free(NULL);
}

struct meeting {
	bool parent, self;
};

static int meet(void *context, const struct match_found *found)
{
	struct meeting *meeting = context;

	meeting->parent |= found->pid == getppid();
	if (found->pid != getpid())
		return 0;
	meeting->self = found->parent == getppid() && found->started;
	return 0;
}

static int stop_at_first(void *context, const struct match_found *found)
{
	(void)context;
	(void)found;
	return 42;
}

static void test_each_process(void **state)
{
	struct meeting meeting = {.self = false};

	(void)state;
	assert_int_equal(match_each_process(meet, &meeting), 0);
	assert_true(meeting.self && meeting.parent);
	assert_int_equal(match_each_process(stop_at_first, NULL), 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_interpreter),	   cmocka_unit_test(test_script), cmocka_unit_test(test_module),
	    cmocka_unit_test(test_title),	   cmocka_unit_test(test_all),	  cmocka_unit_test(test_each_process),
	    cmocka_unit_test(test_control_groups),
	};

	return cmocka_run_group_tests(tests, make_scripts, remove_scripts);
}
