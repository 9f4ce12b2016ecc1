/*
 * kernel.h: bpf/python.h compiled natively, over memory that the test gives: the walk that is tested is the one that
 * runs in the kernel.
 *
 * The kernel's helpers are functions here, maps are tables in this process, a record that is sent is kept. To be
 * included before anything else: vmlinux.h declares types that the system's headers define as macros.
 */
#ifndef NT_TESTS_KERNEL_H
#define NT_TESTS_KERNEL_H

/* libbpf's headers then declare nothing: what they would is below. */
#define __BPF_HELPERS__
#define __BPF_CORE_READ_H__
#define __BPF_TRACING_H__

#define SEC(name)
#define __uint(name, value) int(*name)[value]
#define __type(name, value) typeof(value) *name
#define __noinline __attribute__((noinline))
#define __always_inline inline __attribute__((always_inline))

#define BPF_CORE_READ(task, ...) ((void)(task), kernel_thread_pointer)
#define bpf_map_lookup_elem(m, k)                                                                                      \
	((typeof((m)->value))kernel_map_find((m), (k), sizeof(*(m)->key), sizeof(*(m)->value),                         \
					     sizeof(*(m)->type) / sizeof(int) == BPF_MAP_TYPE_PERCPU_ARRAY))
#define bpf_map_update_elem(m, k, data, flags)                                                                         \
	kernel_map_put((m), (k), sizeof(*(m)->key), (data), sizeof(*(m)->value), (flags))
#define bpf_ringbuf_output(m, data, size, flags) ((void)(flags), kernel_record((data), (size)))
#define bpf_ringbuf_query(m, what) 0ull
#define bpf_get_current_pid_tgid() kernel_id
#define bpf_probe_read_kernel(to, size, from) (memcpy((to), (from), (size)), 0)
#define bpf_get_current_task() 0ull
#define bpf_ktime_get_ns() 1ull
#define bpf_get_prandom_u32() 0u

#include <stdlib.h>
#include <string.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#include "../../vmlinux.h"
#pragma GCC diagnostic pop

/* Who is running, and what of its memory there is: `kernel_read` returns 0 if it brought all `size` bytes. */
static __u64 kernel_thread_pointer, kernel_id;
static long (*kernel_read)(void *to, __u32 size, __u64 address);

#define bpf_probe_read_user(to, size, from) kernel_read((to), (__u32)(size), (__u64)(from))

/* The test has no pid namespaces: instead of namespace.h. */
#define NT_NAMESPACE_H
static inline __u64 current_id(void)
{
	return kernel_id;
}

static inline __u32 current_process(void)
{
	return (__u32)(kernel_id >> 32);
}

static inline __u32 current_thread(void)
{
	return (__u32)kernel_id;
}

/* What reckons a thread's time, and ends, asks for these: no test has that. The last is for the verifier. */
#define bpf_core_field_exists(...) 0
#define bpf_core_enum_value_exists(...) 0
#define bpf_map_delete_elem(m, k) ((void)(m), (void)(k), -1l)
#define bpf_get_current_task_btf() ((struct task_struct *)bpf_get_current_task())
#define barrier_var(variable) ((void)(variable))

/* The maps' entries, all in one list. */
struct kernel_entry {
	struct kernel_entry *next;
	const void *map;
	void *key, *value;
};

static struct kernel_entry *kernel_entries;

static inline struct kernel_entry *kernel_entry_add(const void *map, const void *key, unsigned long key_size,
						    unsigned long value_size)
{
	struct kernel_entry *entry = calloc(1, sizeof(*entry));

	*entry = (struct kernel_entry){kernel_entries, map, malloc(key_size), calloc(1, value_size)};
	memcpy(entry->key, key, key_size);
	kernel_entries = entry;
	return entry;
}

static inline void *kernel_map_find(const void *map, const void *key, unsigned long key_size, unsigned long value_size,
				    int is_array)
{
	struct kernel_entry *entry;

	for (entry = kernel_entries; entry; entry = entry->next)
		if (entry->map == map && memcmp(entry->key, key, key_size) == 0)
			return entry->value;
	return is_array ? kernel_entry_add(map, key, key_size, value_size)->value : (void *)0;
}

static inline long kernel_map_put(const void *map, const void *key, unsigned long key_size, const void *value,
				  unsigned long value_size, __u64 flags)
{
	void *there = kernel_map_find(map, key, key_size, value_size, 0);

	if (there && flags == BPF_NOEXIST)
		return -17;
	if (!there)
		there = kernel_entry_add(map, key, key_size, value_size)->value;
	memcpy(there, value, value_size);
	return 0;
}

/* Records that were sent, one behind the other. */
static unsigned char *kernel_records;
static unsigned long kernel_records_size;

/* So many records, after some others, find no room. */
static unsigned kernel_room, kernel_refusals;

static inline long kernel_record(const void *record, unsigned long size)
{
	if (kernel_room)
		kernel_room--;
	else if (kernel_refusals) {
		kernel_refusals--;
		return -11;
	}
	kernel_records = realloc(kernel_records, kernel_records_size + size);
	memcpy(kernel_records + kernel_records_size, record, size);
	kernel_records_size += size;
	return 0;
}

/* A new kernel: empty maps, no record. */
static inline void kernel_reset(void)
{
	struct kernel_entry *entry;

	while ((entry = kernel_entries)) {
		kernel_entries = entry->next;
		free(entry->key);
		free(entry->value);
		free(entry);
	}
	free(kernel_records);
	kernel_records = (void *)0;
	kernel_records_size = 0;
}

/* A group's teardown. */
static inline int kernel_tear_down(void **state)
{
	(void)state;
	kernel_reset();
	return 0;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-value" /* of reads that may fail: clang says nothing of them */
#include "../../bpf/python.h"
#pragma GCC diagnostic pop

#endif
