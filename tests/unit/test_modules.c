/*
 * Tests of daemon/target/modules.c and roots.c: module names against what a real interpreter says that it imported.
 */
#define _GNU_SOURCE
#include "test.h"

#include "../../daemon/target/roots.h"
#include "../../daemon/target/target.h"
#include "child.h"

/* Writes each function's module and file, a line each with a tab between, then says that it is ready. */
static const char tell[] =
    "import sys, types, json.decoder, email.mime.text, xml.etree.ElementTree, concurrent.futures\n"
    "def tell():\n"
    "    seen = set()\n"
    "    for module in list(sys.modules.values()):\n"
    "        for value in list(vars(module).values()):\n"
    "            if isinstance(value, types.FunctionType):\n"
    "                file = value.__code__.co_filename\n"
    "                if not file.startswith('<') or file.startswith('<frozen '):\n"
    "                    seen.add((value.__globals__['__name__'], file))\n"
    "    with open(sys.argv[1], 'w') as out:\n"
    "        out.writelines('%s\\t%s\\n' % pair for pair in sorted(seen))\n"
    "    print('ready', flush=True)\n"
    "    sys.stdin.read()\n";

static const struct {
	const char *path, *text;
} project[] = {
    {"project/shop/__init__.py", "def init(): pass\n"},
    {"project/shop/cart.py", "def total(): pass\n"},
    {"project/shop/deep/__init__.py", ""},
    {"project/shop/deep/item.py", "def name(): pass\n"},
    {"project/shop/__main__.py", "import shop.run\n"},
    {"project/shop/run.py", "def here(): pass\nimport shop.cart, shop.deep.item, plain.util, tool, pack.inner, tell\n"
			    "tell.tell()\n"},
    {"project/plain/util.py", "def helper(): pass\n"}, /* a package without __init__.py (PEP 420) */
    {"project/app.py", "def main(): pass\nimport shop.run\n"},
    {"project/__main__.py", "def main(): pass\nimport shop.run\n"},
    {"bin/serve", "import sys\ndef main(): pass\nsys.path.insert(0, '')\nimport shop.run\n"}, /* as gunicorn does */
    {"extra/tool.py", "def use(): pass\n"},
    {"hidden/kit/__init__.py", "def init(): pass\n"}, /* imported from where nobody outside can know */
    {"hidden/kit/sub/__init__.py", "def init(): pass\n"},
    {"hidden/kit/sub/part.py", "def use(): pass\n"},
    {"extra/pack/__init__.py", "def init(): pass\n"},
    {"extra/pack/inner.py", "def use(): pass\n"},
    {"extra/tell.py", tell},
    {"extra/site-packages/installed/part.py", "def use(): pass\n"},
    /* Installed so that it can be edited: site-packages names the directory, in which packages may have no __init__. */
    {"source/loose/sub/part.py", "def use(): pass\n"},
    {"source/single.py", "def use(): pass\n"},
};

static const char *const directories[] = {
    "project",
    "project/shop",
    "project/shop/deep",
    "project/plain",
    "bin",
    "extra",
    "extra/pack",
    "extra/site-packages",
    "extra/site-packages/installed",
    "hidden",
    "hidden/kit",
    "hidden/kit/sub",
    "source",
    "source/loose",
    "source/loose/sub",
};

static char base[128];

static void in_base(char *ret_path, size_t size, const char *path)
{
	snprintf(ret_path, size, "%s/%s", base, path);
}

static int make_project(void **state)
{
	char path[256], target[256];
	size_t i;

	test_seed(state);
	if (!child_make_directory(base, sizeof(base)))
		return -1;
	for (i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		in_base(path, sizeof(path), directories[i]);
		if (mkdir(path, 0755) < 0)
			return -1;
	}
	for (i = 0; i < sizeof(project) / sizeof(project[0]); i++) {
		in_base(path, sizeof(path), project[i].path);
		if (!child_write_file(path, project[i].text))
			return -1;
	}
	in_base(target, sizeof(target), "project/app.py");
	in_base(path, sizeof(path), "bin/linked.py");
	return symlink(target, path);
}

static int remove_project(void **state)
{
	(void)state;
	child_remove(base);
	return 0;
}

static void enter_directory(void *directory)
{
	if (chdir(directory) < 0)
		_exit(126);
}

/* Modules that go by another name than that of their file, in the interpreter itself. */
static const char *const aliases[][2] = {
    {"_frozen_importlib", "importlib._bootstrap"},
    {"_frozen_importlib_external", "importlib._bootstrap_external"},
    {"collections.abc", "_collections_abc"},
};

static const char *real_name(const char *module, const char *main_name)
{
	size_t i;

	for (i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (strcmp(module, aliases[i][0]) == 0)
			return aliases[i][1];
	return strcmp(module, "__main__") == 0 ? main_name : module;
}

/* What the interpreter calls __main__ has the name of its file, or of what -m named. */
static unsigned check_lines(struct module_names *names, pid_t pid, FILE *told, const char *main_name)
{
	char line[1024], module[256], *file;
	const char *expected;
	unsigned checked = 0;

	rewind(told);
	while (fgets(line, sizeof(line), told)) {
		line[strcspn(line, "\n")] = '\0';
		file = strchr(line, '\t');
		assert_non_null(file);
		*file++ = '\0';
		expected = real_name(line, main_name);
		module_names_find(names, pid, file, module, sizeof(module));
		if (strcmp(module, expected) != 0)
			fail_msg("%s is %s, not %s", file, expected, module);
		checked++;
	}
	return checked;
}

static void need_python(void)
{
	if (access(CHILD_PYTHON, X_OK) < 0) {
		print_message("skipped: no " CHILD_PYTHON " here\n");
		skip();
	}
}

/*
 * Runs a python, called by this name, with these arguments (up to NULL) and compares every function's module, then
 * again when it has ended.
 */
static void check_program_of(const char *program, const char *name, const char *path, const char *directory,
			     const char *main_name, const char *const *options)
{
	char told_path[160], where[160], python_path[200], path_variable[256];
	char *arguments[8] = {(char *)name}, *environment[] = {python_path, path_variable, NULL};
	struct module_names *names = module_names_new();
	unsigned count = 1, checked;
	struct child child;
	FILE *told;
	pid_t pid;

	assert_non_null(names);
	in_base(told_path, sizeof(told_path), "told");
	in_base(where, sizeof(where), directory);
	snprintf(python_path, sizeof(python_path), "PYTHONPATH=%s/extra", base);
	snprintf(path_variable, sizeof(path_variable), "PATH=%s", path);
	for (; *options; options++)
		arguments[count++] = (char *)*options;
	arguments[count] = told_path;
	assert_true(child_start_in(&child, enter_directory, where, program, arguments, environment));
	pid = child.pid;
	told = fopen(told_path, "re");
	assert_non_null(told);
	module_names_learn(names, pid);
	module_names_learn(names, pid); /* again: nothing is lost or kept twice */
	checked = check_lines(names, pid, told, main_name);
	assert_true(checked > 50);
	child_end(&child);
	module_names_learn(names, pid);
	assert_int_equal(check_lines(names, pid, told, main_name), checked);
	fclose(told);
	module_names_forget(names, pid);
	module_names_forget(names, pid);
	module_names_free(names);
}

static void check_program(const char *directory, const char *main_name, const char *const *options)
{
	need_python();
	check_program_of(CHILD_PYTHON, "python3", "/usr/bin:/bin", directory, main_name, options);
}

static void test_script(void **state)
{
	(void)state;
	check_program("project", "app", (const char *const[]){"app.py", NULL});
	check_program("project", "app", (const char *const[]){"-u", "-Xutf8", "-W", "ignore", "./app.py", NULL});
	check_program("extra", "app", (const char *const[]){"../project/app.py", NULL});
}

static void test_script_from_elsewhere(void **state)
{
	char script[160];

	(void)state;
	in_base(script, sizeof(script), "project/app.py");
	check_program(".", "app", (const char *const[]){script, NULL});
}

static void test_linked_script(void **state)
{
	char script[160];

	(void)state;
	in_base(script, sizeof(script), "bin/linked.py");
	check_program("bin", "linked", (const char *const[]){script, NULL});
}

static void test_module_option(void **state)
{
	(void)state;
	check_program("project", "shop.__main__", (const char *const[]){"-m", "shop", NULL});
	check_program("project", "shop.run", (const char *const[]){"-bm", "shop.run", NULL});
}

static void test_command_option(void **state)
{
	(void)state;
	check_program("project", "?", (const char *const[]){"-c", "import shop.run", NULL});
	check_program("project", "?",
		      (const char *const[]){
			  "-c", "import sys; sys.path.append('../hidden'); import kit.sub.part, shop.run", NULL});
}

static void test_directory_as_program(void **state)
{
	char program[160];

	(void)state;
	in_base(program, sizeof(program), "project");
	check_program(".", "__main__", (const char *const[]){program, NULL});
}

static void test_console_script(void **state)
{
	char script[160];

	(void)state;
	in_base(script, sizeof(script), "bin/serve");
	check_program("project", "serve", (const char *const[]){script, NULL});
}

/* A virtual environment made by hand, with a link to it, and in it a project installed so that it can be edited. */
static void make_environment(void)
{
	static const char code[] =
	    "import os, sys\n"
	    "site = 'venv/lib/python%d.%d/site-packages' % sys.version_info[:2]\n"
	    "os.makedirs(site)\n"
	    "os.makedirs('venv/bin')\n"
	    "os.symlink('" CHILD_PYTHON "', 'venv/bin/python3')\n"
	    "os.symlink('venv', 'current')\n"
	    "open('venv/pyvenv.cfg', 'w').write('home = ' + os.path.dirname('" CHILD_PYTHON "'))\n"
	    "open(site + '/kit.pth', 'w').write('# kit\\nimport os\\n%s/source\\r\\n../beside\\n' % os.getcwd())\n"
	    "os.makedirs(site + '/../beside/near')\n"
	    "open(site + '/../beside/near/part.py', 'w').write('def use(): pass')\n"
	    "print('done', flush=True)\n";
	char *arguments[] = {"python3", "-c", (char *)code, NULL};
	struct child child;

	assert_true(child_start_in(&child, enter_directory, base, CHILD_PYTHON, arguments, environ));
	assert_string_equal(child.ready, "done");
	child_end(&child);
}

static void test_editable_install(void **state)
{
	const char *const options[] = {"-c", "import loose.sub.part, single, near.part, shop.run", NULL};
	char program[160], path[200];

	(void)state;
	need_python();
	make_environment();
	in_base(program, sizeof(program), "current/bin/python3");
	check_program_of(program, program, "/usr/bin:/bin", "project", "?", options);
	snprintf(path, sizeof(path), "/nowhere:%s/current/bin:/usr/bin", base);
	check_program_of(program, "python3", path, "project", "?", options);
	check_program_of(program, "../current/bin/python3", "/usr/bin", "project", "?", options);
}

/* The project as one file, with an ending that says so and without; packages in it may have no __init__. */
static void test_archive(void **state)
{
	static const char code[] = "import zipapp\n"
				   "for name in 'bin/packed', 'packed.pyz':\n"
				   "    zipapp.create_archive('project', name, '" CHILD_PYTHON "')\n"
				   "print('done', flush=True)\n";
	char *arguments[] = {"python3", "-c", (char *)code, NULL};
	struct child child;
	char program[160];

	(void)state;
	need_python();
	assert_true(child_start_in(&child, enter_directory, base, CHILD_PYTHON, arguments, environ));
	assert_string_equal(child.ready, "done");
	child_end(&child);
	check_program(".", "__main__", (const char *const[]){"bin/packed", NULL});
	check_program("project", "__main__", (const char *const[]){"../packed.pyz", NULL});
	in_base(program, sizeof(program), "bin/packed");
	check_program("bin", "__main__", (const char *const[]){program, NULL});
}

/* Names that need no process, or of one that was never seen. */
static void test_names_without_process(void **state)
{
	static const struct {
		const char *file, *module;
	} cases[] = {
	    {"<frozen importlib._bootstrap>", "importlib._bootstrap"},
	    {"<string>", "string"},
	    {"<stdin>", "stdin"},
	    {"<", ""},
	    {"<>", ""},
	    {"", ""},
	    {"/", ""},
	    {"app.py", "app"},
	    {"./app.py", "app"},
	    {"/usr/lib/python3.11/json/decoder.py", "json.decoder"},
	    {"/usr/lib/python3.11/json/__init__.py", "json"},
	    {"/usr/lib64/python3.9/os.py", "os"},
	    {"/usr/lib/python3/dist-packages/flask/app.py", "flask.app"},
	    {"/srv/venv/lib/python3.9/site-packages/django/core/handlers/base.py", "django.core.handlers.base"},
	    {"/srv/venv/lib/python3.9/site-packages/django/__main__.py", "django.__main__"},
	    {"/srv/venv/lib/python3.8/site-packages/a-1.0-py3.8.egg/a/b.py", "a.b"},
	    {"/usr/lib/python311.zip/json/tool.pyc", "json.tool"},
	    {"/srv/shop/views.py", "views"},
	    {"/srv/shop/__init__.py", "shop"},
	    {"/__init__.py", "__init__"},
	    {"/srv//shop/../shop/./views.py", "views"},
	    {"/srv/python3.9/views.py", "views"},
	    {"/srv/site-packages/not-a-name/x.py", "x"},
	    {"../../../x.py", "x"},
	    {"/srv/evil\x1b[31m.py", "evil?[31m"},
	};
	struct module_names *names = module_names_new();
	char module[64];
	size_t i;

	(void)state;
	assert_non_null(names);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		module_names_find(names, 1234567, cases[i].file, module, sizeof(module));
		if (strcmp(module, cases[i].module) != 0)
			fail_msg("%s gives %s, not %s", cases[i].file, module, cases[i].module);
	}
	module_names_find(names, 1, "/usr/lib/python3.11/json/decoder.py", module, 8);
	assert_string_equal(module, "json.de");
	module_names_find(names, 1, "<frozen importlib>", module, 4);
	assert_string_equal(module, "imp");
	module_names_find(names, 1, "/usr/lib/python3.11/\xc3\xa9t\xc3\xa9.py", module, 5);
	assert_string_equal(module, "\xc3\xa9t"); /* not cut within a character */
	module_names_find(names, 1, "x.py", module, 1);
	assert_string_equal(module, "");
	module_names_free(names);
	module_names_free(NULL);
}

static void test_resolve(void **state)
{
	static const struct {
		const char *base, *path, *resolved;
	} cases[] = {
	    {"/srv", "app.py", "/srv/app.py"},
	    {"/srv/", "./a//b/../c", "/srv/a/c"},
	    {"/srv", "/etc/x", "/etc/x"},
	    {"/srv", "../../..", "/"},
	    {"/", "x", "/x"},
	    {"/srv", "", "/srv"},
	    {NULL, "a/./b", "a/b"},
	    {NULL, "..", ""},
	    {"/a/b", "..", "/a"},
	};
	char path[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(path_resolve(cases[i].base, cases[i].path, path, sizeof(path)), 0);
		assert_string_equal(path, cases[i].resolved);
	}
	assert_true(path_resolve("/srv", "12345678901234567890", path, 16) < 0);
	assert_int_equal(path_resolve("/srv", "1234567890", path, 16), 0);
	assert_string_equal(path, "/srv/1234567890");
}

/* Any text is a file name: within bounds, and no control character comes out. */
static void test_random_names(void **state)
{
	static const char alphabet[] = "/..pyon<>frz 39-_\x1b\xc3\xa9\xff";
	struct module_names *names = module_names_new();
	char file[64], module[24];
	size_t i, length, size;
	unsigned round;

	(void)state;
	module_names_learn(names, getpid());
	for (round = 0; round < 50000; round++) {
		length = test_random_below(sizeof(file));
		for (i = 0; i < length; i++)
			file[i] = alphabet[test_random_below(sizeof(alphabet) - 1)];
		file[length] = '\0';
		size = 1 + test_random_below(sizeof(module));
		memset(module, 'x', sizeof(module));
		module_names_find(names, round % 2 ? getpid() : 1, file, module, size);
		assert_true(strlen(module) < size);
		assert_null(strchr(module, 0x1b));
	}
	module_names_free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_script),	   cmocka_unit_test(test_script_from_elsewhere),
	    cmocka_unit_test(test_linked_script),  cmocka_unit_test(test_module_option),
	    cmocka_unit_test(test_command_option), cmocka_unit_test(test_directory_as_program),
	    cmocka_unit_test(test_console_script), cmocka_unit_test(test_editable_install),
	    cmocka_unit_test(test_archive),	   cmocka_unit_test(test_names_without_process),
	    cmocka_unit_test(test_resolve),	   cmocka_unit_test(test_random_names),
	};

	return cmocka_run_group_tests(tests, make_project, remove_project);
}
