/*
 * image_ranges.c: image_ranges PID SELF...: which memory of a process the walk reads, for tests/images/make_image.py.
 *
 * Walks the threads with these pthread_self by the code that runs in the kernel, once as they are found by CPython's
 * key and once by its list of threads. Prints the address of _PyRuntime, and what was read, in blocks: address and
 * size.
 */
#include "kernel.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "../../daemon/target/target.h"

#define BLOCK 64 /* bytes: what lies around what was read is worth having, for walks that will read more */

static int memory;
static __u64 *blocks;
static unsigned long block_count;

static long read_and_note(void *to, __u32 size, __u64 address)
{
	__u64 block;

	if (size && pread(memory, to, size, (off_t)address) != (ssize_t)size)
		return -14;
	for (block = address / BLOCK; block * BLOCK < address + size; block++) {
		blocks = realloc(blocks, (block_count + 1) * sizeof(*blocks));
		blocks[block_count++] = block;
	}
	return 0;
}

static void walk(struct nt_target *target, __u64 self)
{
	struct thread thread = {0};
	__u32 which = SCRATCH_SYSCALL, pid = (__u32)(kernel_id >> 32);
	struct scratch *s;

	kernel_reset();
	bpf_map_update_elem(&targets, &pid, target, BPF_ANY);
	kernel_thread_pointer = self;
	s = bpf_map_lookup_elem(&scratches, &which);
	python_walk(target, &thread, s, which);
	if (s->owner.walk != NT_WALK_OK && s->owner.walk != NT_WALK_TRUNCATED)
		fprintf(stderr, "image_ranges: thread %llx: walk %d\n", self, s->owner.walk);
}

static int compare_blocks(const void *a, const void *b)
{
	const __u64 *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

int main(int count, char **arguments)
{
	char path[64], why[TARGET_WHY_SIZE];
	struct target target;
	struct nt_target without_key;
	unsigned long i;
	int n;

	if (count < 3)
		return 2;
	if (target_inspect(atoi(arguments[1]), &target, why) < 0) {
		fprintf(stderr, "image_ranges: %s\n", why);
		return 1;
	}
	snprintf(path, sizeof(path), "/proc/%s/mem", arguments[1]);
	memory = open(path, O_RDONLY | O_CLOEXEC);
	if (memory < 0) {
		perror(path);
		return 1;
	}
	kernel_read = read_and_note;
	kernel_id = (__u64)target.pid << 32 | (__u32)target.pid;
	without_key = target.kernel;
	without_key.layout.runtime_tss_key = TSS_NONE;
	for (n = 2; n < count; n++) {
		walk(&target.kernel, strtoull(arguments[n], NULL, 0));
		walk(&without_key, strtoull(arguments[n], NULL, 0));
	}
	kernel_reset();
	close(memory);
	qsort(blocks, block_count, sizeof(*blocks), compare_blocks);
	printf("%llu\n", target.kernel.runtime);
	for (i = 0; i < block_count; i++)
		if (i == 0 || blocks[i] != blocks[i - 1])
			printf("%llu %d\n", blocks[i] * BLOCK, BLOCK);
	free(blocks);
	return 0;
}
