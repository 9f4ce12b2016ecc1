/*
 * verify OBJECT [NAME ...]: asks the running kernel's verifier about each BPF program of the object file, one at a
 * time, and prints ok, not ok or skip for it. A guest's job (verify.sh): it proves that a kernel takes every program,
 * those too that the rung in use there does not need, and names the one that it refuses. Links libbpf only.
 *
 * Configuration keeps what the object file says, and what the daemon switches on may still add to a program: each NAME
 * is a variable of it that is 1 instead.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

static char verifier_log[1 << 20];

static int print_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

/* The verifier's complaint is the last line before its statistics. Cuts the log and returns the line. */
static const char *last_complaint(void)
{
	char *statistics = strstr(verifier_log, "verification time");
	if (!statistics)
		statistics = strstr(verifier_log, "processed ");
	if (statistics)
		*statistics = '\0';
	size_t length = strlen(verifier_log);
	while (length && verifier_log[length - 1] == '\n')
		verifier_log[--length] = '\0';
	const char *line = strrchr(verifier_log, '\n');
	return line ? line + 1 : verifier_log;
}

static long processed_instructions(void)
{
	const char *text = strstr(verifier_log, "\nprocessed ");
	if (!text)
		text = strstr(verifier_log, "processed ");
	return text ? strtol(strpbrk(text, "0123456789"), NULL, 10) : -1;
}

/* Sees to it that of all programs only the one at `index` is loaded. NULL: there is none at that index. */
static struct bpf_program *choose(struct bpf_object *object, int index)
{
	struct bpf_program *program, *chosen = NULL;
	int at = 0;
	bpf_object__for_each_program (program, object) {
		bpf_program__set_autoload(program, at == index);
		if (at++ == index)
			chosen = program;
	}
	return chosen;
}

static void report(struct bpf_program *program, int error)
{
	const char *name = bpf_program__name(program), *section = bpf_program__section_name(program);
	if (!error)
		printf("ok %s %s, %ld instructions\n", name, section, processed_instructions());
	else if (error == -ESRCH)
		printf("skip %s %s: this kernel has no such function\n", name, section);
	else
		printf("not ok %s %s: %s: %s\n", name, section, strerror(-error), last_complaint());
}

/* Where a variable of the configuration lies in its map; negative: there is none of that name. */
static long find_variable(const struct btf *btf, const char *name)
{
	int id = btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC);
	const struct btf_type *section = id < 0 ? NULL : btf__type_by_id(btf, id), *variable;

	for (int i = 0; section && i < btf_vlen(section); i++) {
		variable = btf__type_by_id(btf, btf_var_secinfos(section)[i].type);
		if (!strcmp(btf__name_by_offset(btf, variable->name_off), name))
			return btf_var_secinfos(section)[i].offset;
	}
	return -1;
}

static int switch_on(struct bpf_object *object, const char *name)
{
	long offset = find_variable(bpf_object__btf(object), name);
	struct bpf_map *map;
	const void *now;
	size_t size;
	char *value;
	int error = -ENOENT;

	bpf_object__for_each_map(map, object)
	{
		if (offset < 0 || !strstr(bpf_map__name(map), ".rodata") || strstr(bpf_map__name(map), ".rodata."))
			continue;
		now = bpf_map__initial_value(map, &size);
		value = malloc(size);
		if (!now || !value)
			return -ENOMEM;
		memcpy(value, now, size);
		value[offset] = 1;
		error = bpf_map__set_initial_value(map, value, size);
		free(value);
	}
	return error;
}

static int configure(struct bpf_object *object, char **names)
{
	int error = 0;

	for (; *names && !error; names++) {
		error = switch_on(object, *names);
		if (error)
			printf("not ok configure %s: %s\n", *names, strerror(-error));
	}
	return error;
}

/* Returns whether there was a program at that index. */
static int verify(const char *path, char **names, int index)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	if (!object) {
		printf("not ok open %s: %s\n", path, strerror(errno));
		return 0;
	}
	struct bpf_program *program = configure(object, names) ? NULL : choose(object, index);
	if (program) {
		verifier_log[0] = '\0';
		bpf_program__set_log_buf(program, verifier_log, sizeof(verifier_log));
		/* Statistics; an error adds its complaint. The whole trace would not fit and would take minutes. */
		bpf_program__set_log_level(program, 4);
		report(program, bpf_object__load(object));
		fflush(stdout);
	}
	bpf_object__close(object);
	return program != NULL;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: verify OBJECT [NAME ...]\n");
		return 2;
	}
	libbpf_set_print(print_nothing);
	for (int index = 0; verify(argv[1], argv + 2, index); index++)
		;
	return 0;
}
