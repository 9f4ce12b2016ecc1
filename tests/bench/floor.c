/*
 * floor.c: loads the empty programs of one rung: floor OBJECT PID tracepoint|kprobe|fentry
 *
 * Says "attached" on standard output, stays until its standard input ends, then prints how often they were hit.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

/* Only the programs whose names begin with the rung's. */
static void choose(struct bpf_object *object, const char *rung)
{
	struct bpf_program *program;

	bpf_object__for_each_program (program, object)
		bpf_program__set_autoload(program, !strncmp(bpf_program__name(program), rung, strlen(rung)));
}

/* cfg_pid is alone in the read-only section. */
static int set_pid(struct bpf_object *object, uint32_t pid)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata");

	return map ? bpf_map__set_initial_value(map, &pid, sizeof(pid)) : -ENOENT;
}

static int attach(struct bpf_object *object)
{
	struct bpf_program *program;
	int count = 0;

	bpf_object__for_each_program (program, object) {
		if (!bpf_program__autoload(program))
			continue;
		if (!bpf_program__attach(program))
			return -errno;
		count++;
	}
	return count ? 0 : -ENOENT;
}

static uint64_t hits(struct bpf_object *object)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".bss");
	uint32_t zero = 0;
	uint64_t value = 0;

	if (map)
		bpf_map_lookup_elem(bpf_map__fd(map), &zero, &value);
	return value;
}

int main(int argc, char **argv)
{
	struct bpf_object *object;
	char byte;
	int error;

	if (argc != 4) {
		fprintf(stderr, "usage: floor OBJECT PID tracepoint|kprobe|fentry\n");
		return 2;
	}
	object = bpf_object__open_file(argv[1], NULL);
	if (!object) {
		fprintf(stderr, "floor: %s: %s\n", argv[1], strerror(errno));
		return EXIT_FAILURE;
	}
	choose(object, argv[3]);
	error = set_pid(object, strtoul(argv[2], NULL, 10));
	if (!error)
		error = bpf_object__load(object);
	if (!error)
		error = attach(object);
	if (error) {
		fprintf(stderr, "floor: %s: %s\n", argv[3], strerror(-error));
		return EXIT_FAILURE;
	}
	puts("attached");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	printf("hits %llu\n", (unsigned long long)hits(object));
	bpf_object__close(object);
	return EXIT_SUCCESS;
}
